"""A partition of any image: corners, border and quadrants."""

from __future__ import annotations

import numpy as np

from xai_tf.attribution.diagnostics import BORDER
from xai_tf.inputs.sample import Sample

CORNER = 0.15  # size of a corner, as a share of each side


def frame(sample: Sample) -> dict[str, np.ndarray]:
    """Partition an image into its four corners together, its border, and four quadrants.

    A corner is 15% of each side, the border 6%; the quadrants are the rest.
    """
    height, width = sample.image.shape[:2]
    rows, columns = np.indices((height, width))
    down, right = (rows + 0.5) / height, (columns + 0.5) / width
    nearest = np.stack([np.minimum(down, 1 - down), np.minimum(right, 1 - right)])
    corners = nearest.max(axis=0) < CORNER
    border = (nearest.min(axis=0) < BORDER) & ~corners
    rest = ~(corners | border)
    return {
        "corners": corners,
        "border": border,
        "upper left": rest & (down < 0.5) & (right < 0.5),
        "upper right": rest & (down < 0.5) & (right >= 0.5),
        "lower left": rest & (down >= 0.5) & (right < 0.5),
        "lower right": rest & (down >= 0.5) & (right >= 0.5),
    }
