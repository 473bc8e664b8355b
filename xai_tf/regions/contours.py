"""Closed outlines: finding the one of lowest cost, and turning it into a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # which loads its modules where they are used

JUMPS = np.arange(-2, 3)  # allowed steps from one point of an outline to the next


def cheapest_round(cost: np.ndarray, stiffness: float) -> np.ndarray:
    """The closed path of lowest cost through a table, by dynamic programming.

    Amini, Weymouth & Jain 1990, Using Dynamic Programming for Solving Variational Problems in
    Vision, doi:10.1109/34.57681. The path goes around one and a half times, and the last full round
    is returned, so that it closes.

    Args:
        cost: float array of shape (outlines, points, positions).
        stiffness: cost of a jump by one position; by two it is four times as much.

    Returns:
        int array of shape (outlines, points): the position at each point.
    """
    count, points, places = cost.shape
    total, came_from = np.zeros((count, places)), []
    price = (stiffness * JUMPS**2)[:, None]
    for point in range(-points // 2, points + points // 2):
        wide = np.pad(total, ((0, 0), (2, 2)), constant_values=np.inf)
        ways = np.stack([wide[:, 2 + jump : 2 + jump + places] for jump in JUMPS], axis=1) + price
        best = ways.argmin(axis=1)
        total = np.take_along_axis(ways, best[:, None], axis=1)[:, 0] + cost[:, point % points]
        came_from.append(np.arange(places) + JUMPS[best])
    place, way = total.argmin(axis=1), []
    for step in reversed(came_from):
        way.append(place)
        place = np.clip(step[np.arange(count), place], 0, places - 1)
    start = len(came_from) - points - points // 2
    return np.array(way[::-1]).T[:, start : start + points]


def resampled(outline: np.ndarray, count: int) -> np.ndarray:
    """`count` equidistant points (x, y) along a closed outline of shape (points, 2)."""
    closed = np.vstack([outline, outline[:1]])
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1)))
    steps = np.linspace(0, length[-1], count, endpoint=False)
    return np.stack([np.interp(steps, length, axis) for axis in closed.T], axis=1)


def normals(outlines: np.ndarray) -> np.ndarray:
    """Outward unit vectors at the points of outlines of shape (outlines, points, 2)."""
    along = np.roll(outlines, -1, axis=1) - np.roll(outlines, 1, axis=1)
    across = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    across /= np.linalg.norm(across, axis=-1, keepdims=True) + 1e-9
    return across * np.sign(_signed_areas(outlines))[:, None, None]


def areas(outlines: np.ndarray) -> np.ndarray:
    """The area inside each outline of shape (outlines, points, 2)."""
    return np.abs(_signed_areas(outlines))


def values_at(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The image at points (x, y), interpolated linearly, with its edge extended."""
    return scipy.ndimage.map_coordinates(
        image, [points[..., 1], points[..., 0]], order=1, mode="nearest"
    )


def filled(outline: np.ndarray, scale: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """The inside of an outline as a mask: bool array of shape `size` (height, width).

    Args:
        outline: float array of shape (points, 2), as (x, y).
        scale: (vertical, horizontal) pixels of the mask per unit of the outline.
        size: (height, width) of the mask.
    """
    from skimage.draw import polygon2mask

    fill: Any = polygon2mask  # it has no types
    # One unit of the outline is the width of a pixel, and whole numbers are centers of pixels.
    return fill(size, (outline[:, ::-1] + 0.5) * scale - 0.5)


def _signed_areas(outlines: np.ndarray) -> np.ndarray:
    x, y = outlines[..., 0], outlines[..., 1]
    return (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1) / 2
