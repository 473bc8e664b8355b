"""Change the input, and see what the answer follows: swap, crop, hide and only."""

from xai_tf.interventions.cases import Case as Case
from xai_tf.interventions.cases import Cases as Cases
from xai_tf.interventions.cases import read_cases as read_cases
from xai_tf.interventions.drawing import draw_examples as draw_examples
from xai_tf.interventions.finding import Finding as Finding
from xai_tf.interventions.finding import Line as Line
from xai_tf.interventions.locating import Located as Located
from xai_tf.interventions.locating import locate as locate
from xai_tf.interventions.locating import usual_region as usual_region
from xai_tf.interventions.registry import INTERVENTIONS as INTERVENTIONS
from xai_tf.interventions.registry import Intervention as Intervention
from xai_tf.interventions.registry import Settings as Settings
from xai_tf.interventions.registry import intervene as intervene
