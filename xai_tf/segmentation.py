"""Part a picture into segments that LIME and Kernel SHAP weigh."""

from __future__ import annotations

import numpy as np

from xai_tf.sample import Sample


def segment(sample: Sample, num_segments: int) -> np.ndarray:
    """Segments of like colour: int32 array of shape (height, width), numbered from 0.

    SLIC superpixels (Achanta et al. 2012) in Lab colours; always the same for the same picture,
    so that methods that weigh segments can be compared. About `num_segments` of them; where the
    picture has too little structure for two, it is parted into a grid.
    """
    from skimage.segmentation import slic

    found = slic(
        sample.image.astype(np.float64), n_segments=num_segments, compactness=10, start_label=0
    )
    if found.max() == 0:
        found = _grid(sample.image.shape[:2], num_segments)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int32)


def _grid(size: tuple[int, int], count: int) -> np.ndarray:
    across = max(2, round(np.sqrt(count)))
    rows, columns = (np.arange(side) * across // side for side in size)
    return rows[:, None] * across + columns[None]
