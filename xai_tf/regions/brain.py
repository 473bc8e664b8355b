"""Segment an MRI slice of any plane: the brain, skull and scalp, and the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # which loads its modules where they are used

from xai_tf.inputs.sample import Sample, resize
from xai_tf.regions.contours import cheapest_round, filled, values_at
from xai_tf.regions.partition import NotFoundError

SIDE = 112  # the image is resized to a square of this many pixels
RAYS, STEPS = 96, 64  # rays from the center of the brain outwards, and points on each
SCALP = 0.1  # thickness, as a share of the radius of the largest circle in the head
MAX_AIR = 0.4  # maximum brightness around the head, relative to the head; up to 0.2 in 67 slices
MIN_SHARE, MAX_SHARE = 0.12, 0.92  # plausible share of the head that is brain
UPPER = 0.75  # height of the part of the head that has no neck, as a share of its shorter side
SIZE = 0.75  # usual area of the brain, as a share of the largest circle in the head
MIN_AGREEMENT = 0.7  # median IoU of the outline with those from the other starts


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How different from typical brain tissue a point may be to count as brain.

    Attributes:
        spread: minimum tolerance of the gray level, as a share of the brain's median.
        texture: tolerated roughness, as a share of the same.
        near, far: odds required within reach of the head's edge, and beyond.
        longest: cost of rays that are longer than the brain's radius.
        bright, dark: minimum odds of points brighter or darker than brain, such as tumors and
            ventricles.
    """

    spread: float
    texture: float
    near: float
    far: float
    longest: float
    bright: float = -1
    dark: float = -1


@dataclass(frozen=True, eq=False)
class Start:
    """Where an outline is grown from.

    Attributes:
        center: (row, column).
        radius: expected radius of the brain, in pixels.
        core: certain brain tissue, bool array of shape (SIDE, SIDE).
    """

    center: tuple[float, float]
    radius: float
    core: np.ndarray


# The first round finds certain brain tissue. The others start from its center and gray levels, and
# also include tumors and ventricles up to the skull, but avoid the face and the neck, where the
# edge of the head is far. This errs on the side of too much brain, because evidence in a tumor must
# not count as evidence outside the brain.
STRICT = Tolerance(spread=0.2, texture=0.35, near=0.1, far=0.2, longest=0.3)
LOOSE = Tolerance(spread=0.3, texture=0.5, near=-0.12, far=0.5, longest=1.5, bright=0.0, dark=-0.45)


def head(sample: Sample) -> dict[str, np.ndarray]:
    """Partition an MRI slice into brain, skull and scalp, and background.

    "brain" includes ventricles and the sella; "skull and scalp" is the rest of the head, including
    the face and the neck.

    Raises:
        NotFoundError: there is no head, or no brain in it; or it is only a guess, which is in the
            error.
    """
    inside, whole, agreement = brain(sample.image)
    masks = {"brain": inside, "skull and scalp": whole & ~inside, "background": ~whole}
    if agreement < MIN_AGREEMENT:
        raise NotFoundError("outlines of the brain from several starting points differ", masks)
    return masks


def brain(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Segment the brain and the head in an MRI slice.

    The head is separated from the air by half of Otsu's threshold (1979,
    doi:10.1109/TSMC.1979.4310076). As in Smith 2002, Fast robust automated brain extraction,
    doi:10.1002/hbm.10062, the brain is grown from a point by gray level. Here its outline is the
    best of all outlines that cross each ray from the point once (`cheapest_round`): it encloses as
    much as possible that looks like brain by gray level and smoothness, and runs where the image
    gets darker outwards. A ventricle or a bone can stop the growth, and the face can be grown into;
    so it starts from three points (`_starts`), and the outline of the most usual area is the
    result.

    Args:
        image: float array of shape (height, width, 3), RGB in [0, 1].

    Returns:
        Two bool arrays of shape (height, width), the brain and the head including the brain; and
        how well the outlines agree, the median IoU of the result with the others, 0 to 1.

    Raises:
        NotFoundError: there is no head, or no brain in it.
    """
    gray = image.mean(axis=-1)
    fine = scipy.ndimage.gaussian_filter(resize(gray, (SIDE, SIDE)), 0.7)
    whole = _head(fine)
    air = np.median(fine[~whole]) if not whole.all() else np.inf
    if not 0.1 < whole.mean() < 0.93 or air > MAX_AIR * np.median(fine[whole]):
        raise NotFoundError("no head on a dark background was found")
    depth = scipy.ndimage.distance_transform_edt(np.pad(whole, 1))[1:-1, 1:-1]
    rough = _roughness(fine)
    outlines = [_grown(fine, rough, depth, start) for start in _starts(fine, rough, depth)]
    masks = [filled(outline, (1, 1), fine.shape) for outline in outlines]
    usual = SIZE * np.pi * depth.max() ** 2
    best = int(np.argmin([abs(np.log(max(mask.sum(), 1) / usual)) for mask in masks]))
    inside = masks[best]
    share = (inside & whole).sum() / whole.sum()
    if not MIN_SHARE < share < MAX_SHARE:
        raise NotFoundError(f"the segmented brain is {share:.0%} of the head, which is implausible")
    others = [mask for number, mask in enumerate(masks) if number != best]
    agreement = np.median([(mask & inside).sum() / (mask | inside).sum() for mask in others])
    height, width = gray.shape
    whole = resize(whole.astype(np.float32), gray.shape) > 0.5
    found = filled(outlines[best], (height / SIDE, width / SIDE), gray.shape) & whole
    return found, whole, float(agreement)


def _head(fine: np.ndarray) -> np.ndarray:
    """The largest component that is not air, with its holes filled: bool (SIDE, SIDE)."""
    from skimage.filters import threshold_otsu

    otsu: Any = threshold_otsu  # it has no types
    bright = scipy.ndimage.binary_opening(fine > 0.5 * otsu(fine))
    # Padded, because closing would erode what touches the edge of the image.
    closed = scipy.ndimage.binary_closing(np.pad(bright, 8), iterations=5)[8:-8, 8:-8]
    labels, count = scipy.ndimage.label(scipy.ndimage.binary_fill_holes(closed))
    if not count:
        return np.zeros(fine.shape, bool)
    largest = 1 + np.argmax(scipy.ndimage.sum_labels(labels > 0, labels, range(1, count + 1)))
    return scipy.ndimage.binary_opening(labels == largest, iterations=3)


def _roughness(fine: np.ndarray) -> np.ndarray:
    """The standard deviation of the gray levels around each pixel."""
    mean = scipy.ndimage.gaussian_filter(fine, 2)
    return np.sqrt(np.maximum(scipy.ndimage.gaussian_filter(fine**2, 2) - mean**2, 0))


def _starts(fine: np.ndarray, rough: np.ndarray, depth: np.ndarray) -> list[Start]:
    """From the smoothest tissue, the deepest point, and the center of the upper part of the head.

    Depth alone is not misled by ventricles, and the upper part is above the face and the neck.
    """
    mean, largest, whole = scipy.ndimage.gaussian_filter(fine, 2), depth.max(), depth > 0
    tissue = (depth > SCALP * largest) & (mean > 0.35 * np.median(fine[whole]))
    smooth = np.exp(-((rough / (0.2 * mean + 1e-3)) ** 2)) * tissue
    around = scipy.ndimage.gaussian_filter(smooth, 0.35 * largest, mode="constant")
    rows, columns = np.nonzero(whole)
    side = min(np.ptp(rows), np.ptp(columns))
    upper = rows < rows.min() + UPPER * side
    centers = (
        np.unravel_index(around.argmax(), around.shape),
        np.unravel_index(depth.argmax(), depth.shape),
        (rows[upper].mean(), columns[upper].mean()),
    )
    return [_start((float(row), float(column)), smooth, depth) for row, column in centers]


def _start(center: tuple[float, float], smooth: np.ndarray, depth: np.ndarray) -> Start:
    row, column = center
    radius = max(depth[int(row), int(column)], 0.6 * depth.max())
    rows, columns = np.indices(depth.shape)
    disc = (np.hypot(rows - row, columns - column) < 0.6 * radius) & (depth > 0)
    even = disc & (smooth > 0.3)
    return Start(center, radius, even if even.sum() > 50 else disc)


def _grown(fine: np.ndarray, rough: np.ndarray, depth: np.ndarray, start: Start) -> np.ndarray:
    """The outline of what grows from a start: float array of shape (RAYS, 2), as (x, y)."""
    for tolerance in (STRICT, LOOSE, LOOSE, LOOSE):
        outline = _outline(fine, rough, depth, start, tolerance)
        inside = filled(outline, (1, 1), fine.shape)
        if not inside.any():
            break
        radius = max(np.sqrt(inside.sum() / np.pi), 0.6 * depth.max())
        start = Start(scipy.ndimage.center_of_mass(inside), radius, inside)
    return outline


def _outline(
    fine: np.ndarray,
    rough: np.ndarray,
    depth: np.ndarray,
    start: Start,
    tolerance: Tolerance,
) -> np.ndarray:
    """The best outline around a start: float array of shape (RAYS, 2), as (x, y)."""
    center, radius, core = start.center, start.radius, start.core
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lengths = np.linspace(0.3, 1.5, STEPS) * radius
    points = np.array(center)[::-1] + lengths[:, None] * ahead[:, None]
    inside = ((points >= 0) & (points <= SIDE - 1)).all(axis=-1)
    deep = np.where(inside, values_at(depth, points), 0)
    scalp = SCALP * depth.max()
    gray, level = values_at(fine, points), np.median(fine[core])
    edge = np.where(deep > 0, lengths, 0).max(axis=1, keepdims=True)
    sure = lengths < np.minimum(0.9 * edge, 1.15 * radius)
    usual = max(0.1 * level, np.median(rough[core]))
    texture = np.maximum(values_at(rough, points) - usual, 0) / (tolerance.texture * level)
    odds = 2 * _similarity(gray, fine[core], tolerance.spread) * np.exp(-(texture**2)) - 1
    odds = np.maximum(odds, np.where(gray > level, tolerance.bright, tolerance.dark))
    odds = np.where(deep < scalp, -1, odds - np.where(sure, tolerance.near, tolerance.far))
    enclosed = 4 * np.cumsum(odds, axis=1) * (lengths[1] - lengths[0]) / radius
    darker = np.zeros_like(gray)
    darker[:, 2:-2] = np.clip((gray[:, :-4] - gray[:, 4:]) / level, 0, 1)
    too_long = np.maximum(lengths / radius - 1, 0) ** 2
    cost = tolerance.longest * too_long - enclosed - 0.5 * darker * (deep > scalp)
    place = cheapest_round(cost[None], 0.05)[0]
    smooth = scipy.ndimage.gaussian_filter1d(lengths[place], 1, mode="wrap")
    return np.array(center)[::-1] + smooth[:, None] * ahead


def _similarity(gray: np.ndarray, core: np.ndarray, least: float) -> np.ndarray:
    """How similar gray levels are to certain brain tissue, 0 to 1; brighter ones may differ more.

    Args:
        gray: float array of any shape.
        core: gray levels of certain brain tissue.
        least: minimum tolerance, as a share of their median, even if they hardly vary.
    """
    level = np.median(core)
    spread = max(2.5 * 1.48 * np.median(np.abs(core - level)), least * level)
    return np.exp(-(((gray - level) / np.where(gray > level, 1.6 * spread, spread)) ** 2))
