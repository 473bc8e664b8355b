"""An attribution as a coarse grid of cells: their strength, ranks, and correlation."""

from __future__ import annotations

import numpy as np
from PIL import Image

from xai_tf.attribution.explanation import Explanation

GRID = 28  # cells along each side
SHARE = 0.1  # of the cells that count as the strongest


def map_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of two maps of one method, cell by cell and with their signs: -1 to 1.

    Args:
        first: float32 (height, width).
        second: float32 (height, width).
    """
    return cosine(centered_ranks(first), centered_ranks(second))


def cell_strength(explanation: Explanation) -> np.ndarray:
    """The strength of each cell, whatever its sign: float32 (GRID, GRID)."""
    return cell_means(np.abs(explanation.attribution))


def cell_means(values: np.ndarray) -> np.ndarray:
    """The mean of each cell: float32 (GRID, GRID)."""
    return resized(values, (GRID, GRID), Image.Resampling.BOX)


def resized(values: np.ndarray, size: tuple[int, int], resampling: Image.Resampling) -> np.ndarray:
    """A float32 array resized to (height, width)."""
    height, width = size
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((width, height), resampling))


def strongest_cells(explanation: Explanation, share: float) -> np.ndarray:
    """Which cells are among the strongest share: bool (GRID, GRID)."""
    strength = cell_strength(explanation)
    count = max(1, round(share * strength.size))
    return (strength >= np.sort(strength, axis=None)[-count]) & (strength > 0)


def weaker_share(strength: np.ndarray) -> np.ndarray:
    """For each cell, the share of the other cells that are weaker, 0 to 1."""
    from scipy.stats import rankdata

    ranks = rankdata(strength, method="min").reshape(strength.shape)
    return (ranks - 1) / (strength.size - 1)


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """The cosine of two vectors; 0 where one of them is zero."""
    size = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.vdot(first, second) / size) if size else 0.0


def centered_ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of a map's cells minus their mean: float64, one per cell."""
    from scipy.stats import rankdata

    cells = cell_means(values)
    return rankdata(cells) - (cells.size + 1) / 2
