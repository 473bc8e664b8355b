"""Evidence one can hear: from a map on a spectrogram back to the sound it was drawn from."""

from xai_tf.audible.hearing import Heard as Heard
from xai_tf.audible.hearing import hear as hear
from xai_tf.audible.masking import keep as keep
from xai_tf.audible.masking import mute as mute
from xai_tf.audible.profile import ClassProfile as ClassProfile
from xai_tf.audible.profile import class_profiles as class_profiles
from xai_tf.audible.regions import TimeFrequencyRegion as TimeFrequencyRegion
from xai_tf.audible.regions import evidence_mask as evidence_mask
from xai_tf.audible.regions import find_regions as find_regions
from xai_tf.audible.regions import region_mask as region_mask
