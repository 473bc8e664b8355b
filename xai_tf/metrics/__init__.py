"""How good is an explanation? Metrics, scores compared with random maps, and methods compared."""

from xai_tf.metrics.compare import Comparison as Comparison
from xai_tf.metrics.compare import compare as compare
from xai_tf.metrics.metric import METRICS as METRICS
from xai_tf.metrics.metric import Metric as Metric
from xai_tf.metrics.score import Score as Score
from xai_tf.metrics.score import score as score
from xai_tf.metrics.verdict import verdict as verdict
