"""An attribution as a coarse grid of cells: how strong each is, and how far two grids agree."""

from __future__ import annotations

import numpy as np
from PIL import Image

from xai_tf.attribution.explanation import Explanation

GRID = 28


SHARE = 0.1


def map_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """The same of two bare maps of one method, float32 (height, width), with their signs."""
    return _cosine(_ranked(first), _ranked(second))


def cell_strength(explanation: Explanation) -> np.ndarray:
    """How strong each cell is, whatever the sign: float32 (GRID, GRID)."""
    return cell_means(np.abs(explanation.attribution))


def cell_means(values: np.ndarray) -> np.ndarray:
    """The mean of each cell: float32 (GRID, GRID)."""
    return resized(values, (GRID, GRID), Image.Resampling.BOX)


def resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    """A float32 array resized to (height, width)."""
    height, width = size
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), how))


def strongest_cells(explanation: Explanation, share: float) -> np.ndarray:
    """Bool (GRID, GRID): which cells are among the strongest share."""
    strength = cell_strength(explanation)
    count = max(1, round(share * strength.size))
    return (strength >= np.sort(strength, axis=None)[-count]) & (strength > 0)


def weaker_share(strength: np.ndarray) -> np.ndarray:
    """For each cell the share of the others that are weaker, 0 to 1."""
    from scipy.stats import rankdata

    ranks = rankdata(strength, method="min").reshape(strength.shape)
    return (ranks - 1) / (strength.size - 1)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.vdot(one, other) / size) if size else 0.0


def _ranked(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    cells = cell_means(values)
    return rankdata(cells) - (cells.size + 1) / 2
