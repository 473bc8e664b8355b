"""A spectrogram by frequency, and by whether somebody speaks."""

from __future__ import annotations

import numpy as np

from xai_tf.inputs.sample import Sample, Sound
from xai_tf.regions.partition import NotFoundError

EDGES = (300, 1000, 3000)  # Hz
BANDS = ("below 300 Hz", "300 to 1000 Hz", "1000 to 3000 Hz", "above 3000 Hz")
MARGIN = 15.9  # dB from the level of active speech down to what counts as silence
HANGOVER = 0.2  # seconds; shorter gaps belong to speech


def bands(sample: Sample) -> dict[str, np.ndarray]:
    """Part a spectrogram at 300, 1000 and 3000 Hz; bands the picture does not show are empty.

    Raises:
        NotFoundError: the sample is no sound.
    """
    height, width = sample.image.shape[:2]
    hertz = _sound(sample).hertz
    # The lowest band is at the bottom; rows are halfway between the edges of theirs.
    place = (1 - (np.arange(height) + 0.5) / height) * len(hertz) - 0.5
    number = np.searchsorted(EDGES, np.interp(place, np.arange(len(hertz)), hertz), side="right")
    return {
        name: np.repeat((number == index)[:, None], width, axis=1)
        for index, name in enumerate(BANDS)
    }


def speech(sample: Sample) -> dict[str, np.ndarray]:
    """Part a spectrogram in time: speech, and silence.

    Raises:
        NotFoundError: the sample is no sound.
    """
    sound = _sound(sample)
    height, width = sample.image.shape[:2]
    active = spoken(sound)
    frame = ((np.arange(width) + 0.5) / width * len(active)).astype(int)
    said = np.repeat(active[None, frame], height, axis=0)
    return {"speech": said, "silence": ~said}


def spoken(sound: Sound) -> np.ndarray:
    """In which frames of a spectrogram somebody speaks: bool array of shape (frames,).

    By level alone, after ITU-T P.56 (method B): active is what is at most 15.9 dB below the mean
    level of what is active; gaps of less than 0.2 s belong to speech. So noise counts as silence
    only where it is 16 dB below the speech, and any loud sound as speech.
    """
    from scipy import ndimage

    power = (10 ** (sound.decibels.astype(np.float64) / 10)).sum(axis=0)
    levels = 10 * np.log10(power)
    active = np.ones(len(levels), bool)
    while True:
        loud = levels > 10 * np.log10(power[active].mean()) - MARGIN
        if (loud == active).all():
            break
        active = loud  # the level rises as quiet frames go, so none comes back
    step = float(sound.seconds[1] - sound.seconds[0])
    gap = max(1, round(HANGOVER / step))
    padded = np.pad(active, gap)
    return ndimage.binary_closing(padded, np.ones(gap, bool))[gap:-gap]


def _sound(sample: Sample) -> Sound:
    if sample.sound is None:
        raise NotFoundError("this is no sound")
    return sample.sound
