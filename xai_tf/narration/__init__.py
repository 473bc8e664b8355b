"""A prediction and its explanations in words: facts, sentences, and a second voice, checked."""

from xai_tf.narration.fact import Fact as Fact
from xai_tf.narration.fact import facts as facts
from xai_tf.narration.telling import tell as tell
