"""Random maps: the same values at random places, to compare a score or an agreement with."""

from __future__ import annotations

import numpy as np


def random_maps(attribution: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Copies of a map, randomly mirrored, rotated and shifted, wrapping around the edges.

    This is the torus translation of Harms et al. 2001, doi:10.1046/j.1365-2745.2001.00615.x: it
    preserves values, shapes and texture. White noise would be too weak a baseline, since a network
    hardly reacts to single pixels. So would a smooth random field, since it does not reproduce the
    clustered speckle of gradient maps.

    Args:
        attribution: float array of shape (height, width).
        count: number of copies.
        seed: the same seed gives the same maps.

    Returns:
        Float32 array of shape (count, height, width). Each copy has exactly the map's values.
    """
    rng = np.random.default_rng(seed)
    height, width = attribution.shape
    maps = np.empty((count, height, width), np.float32)
    for copy in maps:
        quarters = int(rng.integers(4) if height == width else 2 * rng.integers(2))
        rotated = np.rot90(attribution, quarters)
        mirrored = rotated[:, ::-1] if rng.integers(2) else rotated
        copy[:] = np.roll(mirrored, rng.integers((height, width)), axis=(0, 1))
    return maps
