"""Hiding a part of a picture: what is marked is erased, blurred, or made the color of the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from xai_tf.errors import SettingError

ERASE, BLUR, MEAN = "erase", "blur", "mean"
FILLS = (ERASE, BLUR, MEAN)
BLUR_SHARE = 0.06  # standard deviation of the blur, as a share of the shorter side
OVERSAMPLED = 4  # shapes are drawn at this multiple of the picture's size, for exact edges


def hide(
    image: np.ndarray, mask: np.ndarray, fill: str = ERASE, baseline: float = 0.0
) -> np.ndarray:
    """The picture without what is marked.

    Args:
        image: float32 array of shape (height, width, 3) in [0, 1].
        mask: boolean array of shape (height, width), true where it is hidden.
        fill: "erase" sets the baseline, "blur" a strongly blurred copy of the picture, and "mean"
            the mean color of what is not hidden.
        baseline: the level in [0, 1] that means "nothing there"; see `Task.baseline`.

    Returns:
        float32 array of the shape of the picture.

    Raises:
        SettingError: there is no such fill, or the sizes differ.
    """
    if fill not in FILLS:
        raise SettingError(f"Invalid fill: {fill!r}. Expected one of {', '.join(FILLS)}.")
    if mask.shape != image.shape[:2]:
        raise SettingError(
            f"The mask has shape {mask.shape}, the picture {image.shape[:2]}. Give a mask of the "
            "size of the picture."
        )
    return np.where(mask[..., None], _filling(image, mask, fill, baseline), image).astype(
        np.float32
    )


def _filling(image: np.ndarray, mask: np.ndarray, fill: str, baseline: float) -> np.ndarray:
    if fill == BLUR:
        from scipy import ndimage

        sigma = BLUR_SHARE * min(image.shape[:2])
        return np.asarray(ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest"))
    if fill == MEAN and not mask.all():
        return np.asarray(image[~mask].mean(axis=0))
    return np.full(3, baseline, np.float32)


def draw_shapes(shapes: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """Boxes and strokes as a mask.

    Args:
        shapes: each a sequence of numbers in shares of the width and height from the upper left:
            four for a box (left, top, right, bottom); an odd number for a stroke, which are the
            radius as a share of the width and then the points (x, y) of its line.
        size: (height, width) in pixels.

    Returns:
        Boolean array of shape (height, width).
    """
    height, width = (OVERSAMPLED * side for side in size)
    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        if len(shape) == 4:
            left, right = sorted((shape[0], shape[2]))
            top, bottom = sorted((shape[1], shape[3]))
            box = (left * width, top * height, right * width - 1, bottom * height - 1)
            if box[2] >= box[0] and box[3] >= box[1]:
                pen.rectangle(box, fill=255)
        elif len(shape) % 2 and len(shape) > 2:
            _draw_stroke(pen, shape, width, height)
    return np.asarray(canvas.reduce(OVERSAMPLED)) > 127


def _draw_stroke(pen: ImageDraw.ImageDraw, shape: Sequence[float], width: int, height: int) -> None:
    radius = shape[0] * width
    points = [(x * width, y * height) for x, y in zip(shape[1::2], shape[2::2], strict=True)]
    pen.line(points, fill=255, width=max(1, round(2 * radius)), joint="curve")
    for x, y in points:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def strongest(attribution: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Where a map is strongest: a boolean mask of a share of its pixels, by absolute value."""
    strength = np.abs(np.nan_to_num(attribution)).ravel()
    count = max(1, round(share * strength.size))
    mask = np.zeros(strength.size, bool)
    mask[np.argsort(-strength, kind="stable")[:count]] = True
    return mask.reshape(attribution.shape)
