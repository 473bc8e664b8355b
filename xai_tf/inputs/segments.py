"""Part a picture into segments that LIME and Kernel SHAP weigh."""

from __future__ import annotations

import numpy as np

from xai_tf.inputs.sample import Sample, Sound

# Bands to times as 6 to 8 for the usual 48 segments of a window of 2 s: a cell of a quarter of a
# second, a syllable, and of a sixth of the mel scale, about a formant.
BANDS_TO_TIMES = 0.75


def segment(sample: Sample, num_segments: int) -> np.ndarray:
    """Segments of a sample: int32 array of shape (height, width), numbered from 0, none empty.

    About `num_segments` of them, and always the same for the same sample, so that methods that
    weigh segments can be compared. A sample with a sound is parted into mel bands and times, any
    other into segments of like colour.
    """
    if sample.sound is not None:
        found = _bands_and_times(sample.sound, sample.image.shape[:2], num_segments)
    else:
        found = _superpixels(sample.image, num_segments)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int32)


def _superpixels(image: np.ndarray, count: int) -> np.ndarray:
    """SLIC superpixels (Achanta et al. 2012) in Lab colours.

    Where the picture has too little structure for two, it is parted into a grid.
    """
    from skimage.segmentation import slic

    found = slic(image.astype(np.float64), n_segments=count, compactness=10, start_label=0)
    return found if found.max() else _grid(image.shape[:2], count)


def _grid(size: tuple[int, int], count: int) -> np.ndarray:
    across = max(2, round(np.sqrt(count)))
    rows, columns = (np.arange(side) * across // side for side in size)
    return rows[:, None] * across + columns[None]


def _bands_and_times(sound: Sound, size: tuple[int, int], count: int) -> np.ndarray:
    """Cells of as many mel bands each, low ones at the bottom, and of times that begin at onsets.

    Superpixels of a spectrogram follow its colours, so that one holds a piece of a vowel and of the
    silence after it; and silence, being of one colour, makes the largest.
    """
    height, width = size
    bands = min(height, max(1, round(np.sqrt(BANDS_TO_TIMES * count))))
    times = min(width, max(2, round(count / bands)))
    rows = np.arange(height)[::-1] * bands // height
    columns = np.searchsorted(_onsets(sound, width, times), np.arange(width), side="right")
    return rows[:, None] * times + columns[None]


def _onsets(sound: Sound, width: int, times: int) -> np.ndarray:
    """Where times begin, but for the first: columns of the picture, int of shape (times - 1,).

    Spread evenly, then moved by up to a third of their length to where the sound grows most.
    """
    rise = np.maximum(np.diff(sound.decibels, axis=1), 0).mean(axis=0)
    frames = np.interp(np.arange(width) / width, np.arange(1, len(rise) + 1) / len(rise), rise)
    reach = int(width / times / 3)
    offsets = np.arange(-reach, reach + 1)
    starts = []
    for place in np.rint(np.arange(1, times) * width / times).astype(int):
        # Where nothing grows, as in silence, the place stays; else the nearest of the highest.
        growth = frames[place + offsets] - 1e-6 * np.abs(offsets)
        starts.append(place + offsets[growth.argmax()])
    return np.array(starts, int)
