"""Partitions of a spectrogram: by frequency, and by speech and silence."""

from __future__ import annotations

import numpy as np

from xai_tf.inputs.sample import Sample, Sound
from xai_tf.regions.partition import NotFoundError

EDGES = (300, 1000, 3000)  # Hz
BANDS = ("below 300 Hz", "300 to 1000 Hz", "1000 to 3000 Hz", "above 3000 Hz")
MARGIN = 15.9  # dB below the level of active speech that still count as speech
HANGOVER = 0.2  # seconds; shorter gaps count as speech


def bands(sample: Sample) -> dict[str, np.ndarray]:
    """Partition a spectrogram at 300, 1000 and 3000 Hz; bands outside its range are empty.

    Raises:
        NotFoundError: the sample has no sound.
    """
    height, width = sample.image.shape[:2]
    hertz = _sound(sample).hertz
    # The lowest band is at the bottom, and the center of a row is its frequency.
    position = (1 - (np.arange(height) + 0.5) / height) * len(hertz) - 0.5
    frequency = np.interp(position, np.arange(len(hertz)), hertz)
    band = np.searchsorted(EDGES, frequency, side="right")
    return {
        name: np.repeat((band == index)[:, None], width, axis=1) for index, name in enumerate(BANDS)
    }


def speech(sample: Sample) -> dict[str, np.ndarray]:
    """Partition a spectrogram in time into speech and silence.

    Raises:
        NotFoundError: the sample has no sound.
    """
    sound = _sound(sample)
    height, width = sample.image.shape[:2]
    active = speech_frames(sound)
    frame = ((np.arange(width) + 0.5) / width * len(active)).astype(int)
    is_speech = np.repeat(active[None, frame], height, axis=0)
    return {"speech": is_speech, "silence": ~is_speech}


def speech_frames(sound: Sound) -> np.ndarray:
    """Detect the frames of a spectrogram with speech: bool array of shape (frames,).

    By level alone, following ITU-T P.56 (method B): a frame is active if it is at most 15.9 dB
    below the mean level of the active frames; gaps of less than 0.2 s count as speech. So noise
    counts as silence only if it is 16 dB below the speech, and any loud sound counts as speech.
    """
    from scipy import ndimage

    power = (10 ** (sound.decibels.astype(np.float64) / 10)).sum(axis=0)
    levels = 10 * np.log10(power)
    active = np.ones(len(levels), bool)
    while True:
        loud = levels > 10 * np.log10(power[active].mean()) - MARGIN
        if (loud == active).all():
            break
        active = loud  # the level rises as quiet frames are removed, so none is added again
    step = float(sound.seconds[1] - sound.seconds[0])
    gap = max(1, round(HANGOVER / step))
    padded = np.pad(active, gap)
    return ndimage.binary_closing(padded, np.ones(gap, bool))[gap:-gap]


def _sound(sample: Sample) -> Sound:
    if sample.sound is None:
        raise NotFoundError("the sample has no sound")
    return sample.sound
