"""Explain what a Keras image classifier decides. Importing this loads no TensorFlow."""

import os as _os

# TensorFlow turns oneDNN on by itself only on recent processors. On an older one it took 0.6 of the
# time, and it runs convolutions with the channels first, which TensorFlow alone cannot on a CPU.
_os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from xai_tf.attribution.explain import continue_explaining as continue_explaining
from xai_tf.attribution.explain import explain as explain
from xai_tf.attribution.explain import explain_layers as explain_layers
from xai_tf.attribution.explanation import Explanation as Explanation
from xai_tf.attribution.methods import METHODS as METHODS
from xai_tf.attribution.question import Question as Question
from xai_tf.bundles.folder import explain_folder as explain_folder
from xai_tf.bundles.predictions import predict_files as predict_files
from xai_tf.classifiers.classifier import Classifier as Classifier
from xai_tf.classifiers.function import from_function as from_function
from xai_tf.classifiers.loading import load as load
from xai_tf.classifiers.ood import OODScore as OODScore
from xai_tf.classifiers.prediction import Prediction as Prediction
from xai_tf.classifiers.reading import read_and_predict as read_and_predict
from xai_tf.errors import XaiTfError as XaiTfError
from xai_tf.inputs.sample import Sample as Sample
from xai_tf.metrics import METRICS as METRICS
from xai_tf.metrics import Score as Score
from xai_tf.metrics import compare as compare
from xai_tf.metrics import score as score
from xai_tf.rendering.notebook import explanation_html as _explanation_html
from xai_tf.rendering.notebook import prediction_html as _prediction_html
from xai_tf.tasks import TASKS as TASKS

# How records look in a notebook. It stands here, because drawing comes after what is drawn.
Explanation._repr_html_ = _explanation_html  # type: ignore[attr-defined]
Prediction._repr_html_ = _prediction_html  # type: ignore[attr-defined]
