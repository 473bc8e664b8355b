"""Explain what a Keras image classifier decides. Importing this loads no TensorFlow."""

from xai_tf.classifier import Classifier as Classifier
from xai_tf.classifier import load as load
from xai_tf.errors import XaiTfError as XaiTfError
from xai_tf.explanation import Explanation as Explanation
from xai_tf.explanation import continue_explaining as continue_explaining
from xai_tf.explanation import explain as explain
from xai_tf.explanation import explain_layers as explain_layers
from xai_tf.familiarity import Familiarity as Familiarity
from xai_tf.methods import METHODS as METHODS
from xai_tf.prediction import Prediction as Prediction
from xai_tf.sample import Sample as Sample
from xai_tf.scoring import METRICS as METRICS
from xai_tf.scoring import Score as Score
from xai_tf.scoring import compare as compare
from xai_tf.scoring import score as score
from xai_tf.tasks import TASKS as TASKS
from xai_tf.windows import read_and_predict as read_and_predict
