"""Sonification: listen to the evidence of a map by masking the sound behind its spectrogram."""

from xai_tf.sonification.masking import keep as keep
from xai_tf.sonification.masking import mute as mute
from xai_tf.sonification.playback import PlaybackResult as PlaybackResult
from xai_tf.sonification.playback import write_and_predict as write_and_predict
from xai_tf.sonification.profile import ClassProfile as ClassProfile
from xai_tf.sonification.profile import class_profiles as class_profiles
from xai_tf.sonification.time_frequency import TimeFrequencyRegion as TimeFrequencyRegion
from xai_tf.sonification.time_frequency import evidence_mask as evidence_mask
from xai_tf.sonification.time_frequency import find_regions as find_regions
from xai_tf.sonification.time_frequency import region_mask as region_mask
