"""The brain in an MRI slice of any plane, its wrapping, and the air around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from xai_tf.inputs.sample import Sample, resize
from xai_tf.regions.contours import cheapest_round, filled, values_at
from xai_tf.regions.partition import NotFoundError

SIDE = 112  # the brain is sought in a square of this many pixels
RAYS, STEPS = 96, 64  # from the middle of the brain outwards, and places on each
SCALP = 0.1  # its thickness, of the radius of the largest circle in the head
MAX_AIR = 0.4  # brightness of what is around the head, of the head's; 0.2 at most in 67 slices
MIN_SHARE, MAX_SHARE = 0.12, 0.92  # of the head that a slice of brain may take


@dataclass(frozen=True)
class Leaning:
    """What makes a place on a ray look like brain; how far one goes beyond what is sure.

    Attributes:
        spread: how far its grey may be from the brain's median, as a share of it, at least.
        texture: how rough it may be, as a share of the same.
        near, far: the odds asked for within reach of the head's edge, and beyond.
        longest: price of rays that are longer than the brain's radius.
        bright, dark: the least odds of what is brighter and darker than brain: tumours, ventricles.
    """

    spread: float
    texture: float
    near: float
    far: float
    longest: float
    bright: float = -1
    dark: float = -1


# The first round finds what surely is brain. The others, from its middle and with its grey, fill
# the skull, tumours and ventricles too, but shun the face and the neck, where the head's edge is
# far. That errs towards more: evidence in a tumour must not count as evidence outside the brain.
SURE = Leaning(spread=0.2, texture=0.35, near=0.1, far=0.2, longest=0.3)
WHOLE = Leaning(spread=0.3, texture=0.5, near=-0.12, far=0.5, longest=1.5, bright=0.0, dark=-0.45)


def head(sample: Sample) -> dict[str, np.ndarray]:
    """Part an MRI slice: brain, what wraps it, and the background.

    "brain" is what the skull holds, with ventricles and the sella; "skull and scalp" is the rest of
    the head, so also the face and the neck.

    Raises:
        NotFoundError: there is no head, or none with a brain in it.
    """
    inside, whole = brain(sample.image)
    return {"brain": inside, "skull and scalp": whole & ~inside, "background": ~whole}


def brain(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The brain in an MRI slice, and the whole head.

    The head is what half of Otsu's threshold parts from the air (1979,
    doi:10.1109/TSMC.1979.4310076). As in Smith 2002, Fast robust automated brain extraction,
    doi:10.1002/hbm.10062, the brain is grown from its middle by what its grey is like; here the
    outline is the best of all that each ray from there meets once (`cheapest_round`): around as
    much as possible that is brain by its grey and its smoothness, and where it gets darker
    outwards.

    Args:
        image: float array of shape (height, width, 3), RGB in [0, 1].

    Returns:
        Two bool arrays of shape (height, width): the brain, and the head with it.

    Raises:
        NotFoundError: there is no head, or none with a brain in it.
    """
    grey = image.mean(axis=-1)
    fine = ndimage.gaussian_filter(resize(grey, (SIDE, SIDE)), 0.7)
    whole = _head(fine)
    air = np.median(fine[~whole]) if not whole.all() else np.inf
    if not 0.1 < whole.mean() < 0.93 or air > MAX_AIR * np.median(fine[whole]):
        raise NotFoundError("no head stands out from a dark background")
    depth = ndimage.distance_transform_edt(np.pad(whole, 1))[1:-1, 1:-1]
    rough = _roughness(fine)
    middle, radius, core = _start(fine, rough, depth)
    for leaning in (SURE, WHOLE, WHOLE, WHOLE):
        outline = _outline(fine, rough, depth, middle, radius, core, leaning)
        found = filled(outline, (1, 1), fine.shape)
        if not found.any():
            raise NotFoundError("no brain stands out in this head")
        middle, core = ndimage.center_of_mass(found), found
        radius = max(np.sqrt(found.sum() / np.pi), 0.6 * depth.max())
    share = (found & whole).sum() / whole.sum()
    if not MIN_SHARE < share < MAX_SHARE:
        raise NotFoundError(f"what looks like brain takes {share:.0%} of the head")
    scale = tuple(side / SIDE for side in grey.shape)
    whole = resize(whole.astype(np.float32), grey.shape) > 0.5
    return filled(outline, scale, grey.shape) & whole, whole


def _head(fine: np.ndarray) -> np.ndarray:
    """The largest piece that is not air, with its holes filled: bool (SIDE, SIDE)."""
    from skimage.filters import threshold_otsu

    bright = ndimage.binary_opening(fine > 0.5 * threshold_otsu(fine))
    # Padded, or closing would take away what touches the edge of the picture.
    closed = ndimage.binary_closing(np.pad(bright, 8), iterations=5)[8:-8, 8:-8]
    labels, count = ndimage.label(ndimage.binary_fill_holes(closed))
    if not count:
        return np.zeros(fine.shape, bool)
    largest = 1 + np.argmax(ndimage.sum_labels(labels > 0, labels, range(1, count + 1)))
    return ndimage.binary_opening(labels == largest, iterations=3)


def _roughness(fine: np.ndarray) -> np.ndarray:
    """The standard deviation of the grey around each pixel."""
    mean = ndimage.gaussian_filter(fine, 2)
    return np.sqrt(np.maximum(ndimage.gaussian_filter(fine**2, 2) - mean**2, 0))


def _start(
    fine: np.ndarray, rough: np.ndarray, depth: np.ndarray
) -> tuple[tuple[float, float], float, np.ndarray]:
    """Where most smooth tissue is around: the middle (row, column), a radius, and that tissue."""
    mean, largest = ndimage.gaussian_filter(fine, 2), depth.max()
    tissue = (depth > SCALP * largest) & (mean > 0.35 * np.median(fine[depth > 0]))
    smooth = np.exp(-((rough / (0.2 * mean + 1e-3)) ** 2)) * tissue
    around = ndimage.gaussian_filter(smooth, 0.35 * largest, mode="constant")
    row, column = np.unravel_index(around.argmax(), around.shape)
    radius = max(depth[row, column], 0.6 * largest)
    rows, columns = np.indices(fine.shape)
    disc = (np.hypot(rows - row, columns - column) < 0.6 * radius) & (depth > 0)
    even = disc & (smooth > 0.3)
    return (row, column), radius, even if even.sum() > 50 else disc


def _outline(
    fine: np.ndarray,
    rough: np.ndarray,
    depth: np.ndarray,
    middle: tuple[float, float],
    radius: float,
    core: np.ndarray,
    leaning: Leaning,
) -> np.ndarray:
    """The best outline around a middle: float array of shape (RAYS, 2), as (x, y)."""
    angles = np.arange(RAYS) * 2 * np.pi / RAYS
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lengths = np.linspace(0.3, 1.5, STEPS) * radius
    points = np.array(middle)[::-1] + lengths[:, None] * ahead[:, None]
    inside = ((points >= 0) & (points <= SIDE - 1)).all(axis=-1)
    deep = np.where(inside, values_at(depth, points), 0)
    scalp = SCALP * depth.max()
    grey, level = values_at(fine, points), np.median(fine[core])
    edge = np.where(deep > 0, lengths, 0).max(axis=1, keepdims=True)
    sure = lengths < np.minimum(0.9 * edge, 1.15 * radius)
    usual = max(0.1 * level, np.median(rough[core]))
    texture = np.maximum(values_at(rough, points) - usual, 0) / (leaning.texture * level)
    odds = 2 * _likeness(grey, fine[core], leaning.spread) * np.exp(-(texture**2)) - 1
    odds = np.maximum(odds, np.where(grey > level, leaning.bright, leaning.dark))
    odds = np.where(deep < scalp, -1, odds - np.where(sure, leaning.near, leaning.far))
    held = 4 * np.cumsum(odds, axis=1) * (lengths[1] - lengths[0]) / radius
    darker = np.zeros_like(grey)
    darker[:, 2:-2] = np.clip((grey[:, :-4] - grey[:, 4:]) / level, 0, 1)
    too_long = np.maximum(lengths / radius - 1, 0) ** 2
    cost = leaning.longest * too_long - held - 0.5 * darker * (deep > scalp)
    place = cheapest_round(cost[None], 0.05)[0]
    smooth = ndimage.gaussian_filter1d(lengths[place], 1, mode="wrap")
    return np.array(middle)[::-1] + smooth[:, None] * ahead


def _likeness(grey: np.ndarray, core: np.ndarray, least: float) -> np.ndarray:
    """How much greys are like those of the brain's core, 0 to 1; brighter ones may differ by more.

    Args:
        grey: float array of any shape.
        core: greys that are sure.
        least: how far a grey may be from their median, as a share of it, however even they are.
    """
    level = np.median(core)
    spread = max(2.5 * 1.48 * np.median(np.abs(core - level)), least * level)
    return np.exp(-(((grey - level) / np.where(grey > level, 1.6 * spread, spread)) ** 2))
