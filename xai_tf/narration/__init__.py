"""A prediction and its explanations in words: facts, templates, and a checked language model."""

from xai_tf.narration.facts import Fact as Fact
from xai_tf.narration.facts import facts as facts
from xai_tf.narration.narrate import narrate as narrate
from xai_tf.narration.narrate import narrate_maps as narrate_maps
