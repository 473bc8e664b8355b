"""What any picture can be parted into: corners, border and quadrants."""

from __future__ import annotations

import numpy as np

from xai_tf.attribution.diagnostics import BORDER
from xai_tf.inputs.sample import Sample

CORNER = 0.15  # of each side


def frame(sample: Sample) -> dict[str, np.ndarray]:
    """Part a picture: its four corners together, the border between them, and four quadrants.

    A corner is 15% of each side, the border 6%; the quadrants are what is left.
    """
    rows, columns = np.indices(sample.image.shape[:2])
    height, width = rows.shape
    down, right = (rows + 0.5) / height, (columns + 0.5) / width
    nearest = np.stack([np.minimum(down, 1 - down), np.minimum(right, 1 - right)])
    corners = nearest.max(axis=0) < CORNER
    border = (nearest.min(axis=0) < BORDER) & ~corners
    left = ~(corners | border)
    return {
        "corners": corners,
        "border": border,
        "upper left": left & (down < 0.5) & (right < 0.5),
        "upper right": left & (down < 0.5) & (right >= 0.5),
        "lower left": left & (down >= 0.5) & (right < 0.5),
        "lower right": left & (down >= 0.5) & (right >= 0.5),
    }
