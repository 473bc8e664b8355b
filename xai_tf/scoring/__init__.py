"""Is it a good explanation? Metrics, scores against random maps, and methods side by side."""

from xai_tf.scoring.comparison import Comparison as Comparison
from xai_tf.scoring.comparison import compare as compare
from xai_tf.scoring.metric import METRICS as METRICS
from xai_tf.scoring.metric import Metric as Metric
from xai_tf.scoring.scores import Score as Score
from xai_tf.scoring.scores import score as score
from xai_tf.scoring.verdict import verdict as verdict
