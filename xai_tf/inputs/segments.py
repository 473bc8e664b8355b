"""Divide a picture into the segments that LIME and Kernel SHAP assign weights to."""

from __future__ import annotations

import numpy as np

from xai_tf.inputs.sample import Sample, Sound

# 6 bands and 8 intervals for the default of 48 segments of a 2 s window: a cell spans a quarter of
# a second, about a syllable, and a sixth of the mel scale, about a formant.
BANDS_PER_INTERVAL = 0.75
# Superpixels below this share of the mean size are joined with a neighbor. At scikit-image's 0.5
# of 48 requested 37 were left, and a tumor that covers 1% of a slice had none of its own.
SMALLEST = 0.25


def segment(sample: Sample, num_segments: int) -> np.ndarray:
    """Segments of a sample: int32 array of shape (height, width), numbered from 0, none empty.

    There are about `num_segments`, always the same for the same sample, so that methods that use
    segments can be compared. A sample with sound is divided into mel bands and time intervals, any
    other sample into superpixels.
    """
    if sample.sound is not None:
        segments = _bands_and_intervals(sample.sound, sample.image.shape[:2], num_segments)
    else:
        segments = _superpixels(sample.image, num_segments)
    return np.unique(segments, return_inverse=True)[1].reshape(segments.shape).astype(np.int32)


def _superpixels(image: np.ndarray, count: int) -> np.ndarray:
    """SLIC superpixels (Achanta et al. 2012) in Lab colors.

    A picture with too little structure for two superpixels is divided into a grid.
    """
    from skimage.segmentation import slic

    segments = slic(
        image.astype(np.float64),
        n_segments=count,
        compactness=10,
        start_label=0,
        min_size_factor=SMALLEST,
    )
    return segments if segments.max() else _grid(image.shape[:2], count)


def _grid(size: tuple[int, int], count: int) -> np.ndarray:
    across = max(2, round(np.sqrt(count)))
    rows, columns = (np.arange(side) * across // side for side in size)
    return rows[:, None] * across + columns[None]


def _bands_and_intervals(sound: Sound, size: tuple[int, int], count: int) -> np.ndarray:
    """Cells of equally many mel bands each, low ones at the bottom, that start at sound onsets.

    Superpixels of a spectrogram follow its colors: one contains part of a vowel and of the silence
    after it, and silence, which has one color, becomes the largest.
    """
    height, width = size
    bands = min(height, max(1, round(np.sqrt(BANDS_PER_INTERVAL * count))))
    intervals = min(width, max(2, round(count / bands)))
    rows = np.arange(height)[::-1] * bands // height
    columns = np.searchsorted(_onsets(sound, width, intervals), np.arange(width), side="right")
    return rows[:, None] * intervals + columns[None]


def _onsets(sound: Sound, width: int, intervals: int) -> np.ndarray:
    """The first columns of all intervals but the first: int array of shape (intervals - 1,).

    Evenly spaced, then moved by up to a third of an interval to where the sound grows most.
    """
    rise = np.maximum(np.diff(sound.decibels, axis=1), 0).mean(axis=0)
    frames = np.interp(np.arange(width) / width, np.arange(1, len(rise) + 1) / len(rise), rise)
    reach = int(width / intervals / 3)
    offsets = np.arange(-reach, reach + 1)
    starts = []
    for column in np.rint(np.arange(1, intervals) * width / intervals).astype(int):
        # In silence, where nothing grows, the column stays; among equal ones the nearest wins.
        growth = frames[column + offsets] - 1e-6 * np.abs(offsets)
        starts.append(column + offsets[growth.argmax()])
    return np.array(starts, int)
