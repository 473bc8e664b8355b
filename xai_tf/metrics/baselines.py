"""Maps in which nothing but the place is random: what a score is held against."""

from __future__ import annotations

import numpy as np


def random_maps(attribution: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A map put elsewhere: mirrored and turned by chance, and moved by chance, round the edges.

    The torus translation of Harms et al. 2001, doi:10.1046/j.1365-2745.2001.00615.x: values, shapes
    and texture stay. White noise would be no yardstick (a network hardly minds single pixels), nor
    a smooth random field (the speckle of gradient maps comes in patches, which it would not keep).

    Args:
        attribution: float array of shape (height, width).
        count: how many.
        seed: the same seed gives the same maps.

    Returns:
        Float32 array of shape (count, height, width), each with the very values of the map.
    """
    rng = np.random.default_rng(seed)
    height, width = attribution.shape
    maps = np.empty((count, height, width), np.float32)
    for one in maps:
        turned = np.rot90(attribution, rng.integers(4) if height == width else 2 * rng.integers(2))
        mirrored = turned[:, ::-1] if rng.integers(2) else turned
        one[:] = np.roll(mirrored, rng.integers((height, width)), axis=(0, 1))
    return maps
