"""Segment a frontal chest X-ray: the lungs, and letters or tags in the image."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy  # which loads its modules where they are used

from xai_tf.inputs.sample import Sample, resize
from xai_tf.regions.contours import areas, cheapest_round, filled, normals, resampled, values_at
from xai_tf.regions.partition import NotFoundError

SIDE = 112  # the image is resized to a square of this many pixels
COARSE = 56  # and to this for finding the box around the lungs
RING, MARGIN = 3, 6  # coarse pixels: around the lungs in a kernel, and beyond the image
AREA = 0.42  # weight of the lung area against the strength of edges, as an exponent
POINTS = 72  # points of an outline
# See `_evidence`. If a lung is white, it is between these, as in 19 of 100 X-rays of pneumonia and
# none of 100 normal ones; the outlines fit most of these, but also other gray pictures.
MIN_EVIDENCE, MIN_GUESS = 0.7, 0.4
STROKE, LONGEST_MARK = 9, 48  # size of letters, in pixels of an image with sides of 224
MARK_LEVEL, MARK_SLOPE = 0.2, 0.1  # minimum brightness and gradient of letters

# Outlines of both lungs in the box around them, from the apex along the mediastinum, the diaphragm
# and the ribs, and how a large heart changes them: mean and first principal component (Cootes et
# al. 1995, Active Shape Models, doi:10.1006/cviu.1995.1004) of outlines drawn by hand in six X-rays
# of the training sets.
LUNGS = np.array([
    [(0.29, 0.01), (0.38, 0.07), (0.41, 0.19), (0.40, 0.31), (0.38, 0.43), (0.35, 0.55),
     (0.35, 0.68), (0.35, 0.80), (0.26, 0.81), (0.16, 0.84), (0.07, 0.89), (0.00, 0.96),
     (0.01, 0.82), (0.03, 0.67), (0.05, 0.52), (0.07, 0.38), (0.11, 0.24), (0.19, 0.11)],
    [(0.65, 0.01), (0.61, 0.12), (0.65, 0.24), (0.67, 0.37), (0.72, 0.49), (0.78, 0.61),
     (0.82, 0.73), (0.84, 0.86), (0.89, 0.88), (0.93, 0.91), (0.97, 0.95), (1.00, 1.00),
     (0.99, 0.84), (0.97, 0.68), (0.95, 0.52), (0.93, 0.36), (0.88, 0.21), (0.79, 0.08)],
])  # fmt: skip
HEART = np.array([
    [(0.01, 0.02), (0.02, 0.02), (0.01, 0.03), (0.01, 0.05), (0.02, 0.06), (0.02, 0.07),
     (-0.01, 0.08), (-0.04, 0.09), (-0.03, 0.09), (-0.02, 0.08), (-0.01, 0.07), (0.00, 0.07),
     (0.00, 0.06), (0.00, 0.05), (-0.01, 0.04), (-0.02, 0.02), (-0.03, 0.01), (-0.02, 0.00)],
    [(-0.05, -0.02), (-0.11, -0.03), (-0.13, -0.01), (-0.15, 0.01), (-0.14, 0.02), (-0.10, 0.02),
     (-0.05, 0.02), (0.00, 0.03), (0.00, 0.02), (0.00, 0.01), (0.00, 0.00), (0.01, 0.00),
     (-0.01, -0.01), (-0.02, -0.01), (-0.03, -0.01), (-0.03, -0.02), (-0.03, -0.02),
     (-0.04, -0.02)],
])  # fmt: skip
SHAPES = tuple(LUNGS + part * HEART for part in (-0.75, 0, 0.75))


def chest(sample: Sample) -> dict[str, np.ndarray]:
    """Partition a frontal chest X-ray into lungs, the area between them, marks, and the rest.

    "between the lungs" is the rest of the convex hull of both lungs (heart, great vessels, spine);
    "marks" are letters and tags (see `marks`).

    Raises:
        NotFoundError: two lungs were not found; or they are only a guess, which is in the error.
    """
    inside, evidence = lungs(sample.image)
    if evidence < MIN_GUESS:
        raise NotFoundError("two lungs were not found")
    masks = _parts(sample.image, inside)
    if evidence >= MIN_EVIDENCE:
        return masks
    colored = not np.allclose(sample.image, sample.image[..., :1], atol=0.02)
    # A photo is no X-ray, and its lungs are not even a guess.
    raise NotFoundError("two lungs were not found", None if colored else masks)


def _parts(image: np.ndarray, inside: np.ndarray) -> dict[str, np.ndarray]:
    from skimage.morphology import convex_hull_image

    hull: Any = convex_hull_image  # it has no types
    between = hull(inside) & ~inside
    written = marks(image) & ~inside & ~between
    return {
        "lungs": inside,
        "between the lungs": between,
        "marks": written,
        "outside the lungs": ~(inside | between | written),
    }


def lungs(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Segment the lungs in an X-ray, without the part that the heart hides.

    The mean shape of two lungs is placed where it is darkest compared with its surroundings, for
    several heights and three heart sizes. Each outline is moved to the strongest edges near it
    (`cheapest_round`). The result is the pair with the best combination of strong edges and a large
    area.

    Args:
        image: float array of shape (height, width, 3), RGB in [0, 1].

    Returns:
        The lungs, a bool array of shape (height, width), and how strong their edges are, -1 to 1.
        Below `MIN_EVIDENCE` they may be those of something else.
    """
    gray = image.mean(axis=-1)
    boxes = _boxes(resize(gray, (COARSE, COARSE))) * SIDE / COARSE
    fine = scipy.ndimage.gaussian_filter(resize(gray, (SIDE, SIDE)), 1.2)
    shapes = np.array([shape * box[2:] + box[:2] for box in boxes for shape in SHAPES])
    widths = np.repeat(boxes[:, 2], 2 * len(SHAPES))
    outlines = shapes.reshape(-1, *LUNGS.shape[1:])
    for share in (0.11, 0.077, 0.054):
        outlines = _drawn_to_edges(fine, outlines, share * widths)
    evidence = np.array(
        [
            _evidence(fine, pair, boxes[number // len(SHAPES)])
            for number, pair in enumerate(outlines.reshape(-1, 2, POINTS, 2))
        ]
    )
    size = areas(outlines).reshape(-1, 2).sum(axis=1)
    best = int((evidence * size**AREA).argmax())
    height, width = gray.shape
    scale = (height / SIDE, width / SIDE)
    left, right = (filled(lung, scale, gray.shape) for lung in outlines[2 * best : 2 * best + 2])
    return left | right, float(evidence[best])


def marks(image: np.ndarray) -> np.ndarray:
    """Find letters and tags: small, bright, sharp strokes, with a margin around them.

    A white top-hat (Soille 2003, Morphological Image Analysis), filtered for components of the size
    of letters with sharper edges than bones.

    Args:
        image: float array of shape (height, width, 3), RGB in [0, 1].

    Returns:
        bool array of shape (height, width).
    """
    gray = image.mean(axis=-1)
    fine = resize(gray, (2 * SIDE, 2 * SIDE))
    bright = scipy.ndimage.white_tophat(fine, size=STROKE) > MARK_LEVEL
    slope = scipy.ndimage.gaussian_gradient_magnitude(fine, 0.7)
    near = scipy.ndimage.binary_dilation(bright, iterations=2)
    labels, _ = scipy.ndimage.label(near, structure=np.ones((3, 3)))
    letters = np.zeros(fine.shape, bool)
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        strokes = (labels[box] == number) & bright[box]
        long = max(side.stop - side.start for side in box) > LONGEST_MARK
        if strokes.sum() >= 12 and not long:
            letters[box] |= (labels[box] == number) & (
                np.percentile(slope[box][strokes], 75) > MARK_SLOPE
            )
    margin = scipy.ndimage.binary_dilation(letters)
    return resize(margin.astype(np.float32), gray.shape) > 0.5


def _boxes(coarse: np.ndarray) -> np.ndarray:
    """Candidate boxes around two lungs: float array of shape (boxes, 4), the best of each height.

    Each is (left, top, width, height) in pixels. Boxes that fit much worse than the best are left
    out.
    """
    from scipy.signal import fftconvolve

    wide = np.pad(scipy.ndimage.gaussian_filter(coarse, 0.8), MARGIN, mode="edge")
    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    for (width, height), (contrast, window) in _kernels().items():
        mean = fftconvolve(wide, window, mode="valid")
        spread = fftconvolve(wide**2, window, mode="valid") - mean**2
        fit = fftconvolve(wide, contrast, mode="valid") / np.sqrt(np.maximum(spread, 1e-4))
        top, left = np.unravel_index(fit.argmax(), fit.shape)
        # Small boxes fit by chance more easily.
        quality = float(fit[top, left] * (width * height) ** 0.15)
        shift = RING - MARGIN
        box = (left + shift, top + shift, width, height)
        best[height] = max(best.get(height, (-np.inf, box)), (quality, box))
    least = 0.6 * max(quality for quality, _ in best.values())
    return np.array([box for quality, box in best.values() if quality >= least], float)


@lru_cache(maxsize=1)
def _kernels() -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """Kernels by (width, height): the mean around two lungs minus that inside, and of both.

    Flipped in both axes, as a convolution needs them.
    """
    kernels = {}
    for height in range(20, 51, 4):
        for width in range(22, 49, 4):
            if not 0.7 < height / width < 1.5:
                continue
            size = (height + 2 * RING, width + 2 * RING)
            inside = np.zeros(size, bool)
            for lung in LUNGS:
                inside |= filled(lung * (width, height) + RING, (1, 1), size)
            ring = scipy.ndimage.binary_dilation(inside, iterations=RING) & ~inside
            contrast = ring / ring.sum() - inside / inside.sum()
            window = (ring | inside) / (ring | inside).sum()
            kernels[width, height] = (contrast[::-1, ::-1], window[::-1, ::-1])
    return kernels


def _drawn_to_edges(fine: np.ndarray, outlines: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Move the points of outlines along their normals to where the image gets brighter outwards.

    Args:
        fine: float array of shape (SIDE, SIDE).
        outlines: float array of shape (outlines, points, 2).
        reach: maximum distance in pixels, float array of shape (outlines,).
    """
    even = np.array([resampled(outline, POINTS) for outline in outlines])
    across = normals(even)[:, :, None]
    places = np.linspace(-1, 1, 33)
    offsets = places * reach[:, None]
    tried = even[:, :, None] + offsets[:, None, :, None] * across
    rise = values_at(fine, tried + 1.5 * across) - values_at(fine, tried - 1.5 * across)
    strong = np.percentile(np.maximum(rise, 0), 95, axis=(1, 2), keepdims=True) + 1e-9
    cost = 0.5 * (places - 0.1) ** 2 - np.clip(rise / strong, 0, 1)
    chosen = np.take_along_axis(offsets, cheapest_round(cost, 0.05), axis=1)
    smooth = scipy.ndimage.gaussian_filter1d(chosen, 1, mode="wrap", axis=1)
    return even + smooth[..., None] * across[:, :, 0]


def _evidence(fine: np.ndarray, pair: np.ndarray, box: np.ndarray) -> float:
    """How much brighter the image gets outwards around two lungs: -1 to 1.

    In standard deviations of the gray levels in their box, clipped at one.
    """
    across = normals(pair)
    rise = values_at(fine, pair + 2.5 * across) - values_at(fine, pair - 2.5 * across)
    left, top, width, height = box.astype(int)
    part = fine[max(0, top - 5) : top + height + 5, max(0, left - 5) : left + width + 5]
    return float(np.clip(rise / (part.std() + 1e-6), -1, 1).mean())
