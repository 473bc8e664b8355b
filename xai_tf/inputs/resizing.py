"""Resize pictures to the input of a model, in the ways that training pipelines do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from xai_tf.errors import pick

DEFAULT_RESIZER = "bilinear"
Box = tuple[int, int, int, int]  # left, upper, right, lower, in pixels


@dataclass(frozen=True)
class Resizer:
    """A way to resize.

    Attributes:
        title: the name for people.
        apply: maps float32 pixels of shape (height, width, channels) to a new (height, width).
        keeps_aspect: whether it crops or pads the picture to the aspect ratio of the new size.
    """

    title: str
    apply: Callable[[np.ndarray, tuple[int, int]], np.ndarray]
    keeps_aspect: bool = False


def resize(
    pixels: np.ndarray, image_size: tuple[int, int], resizer: str = "bilinear"
) -> np.ndarray:
    """Resize pixels; the default is bilinear, with antialiasing when shrinking.

    Pixels that have the size already are returned as they are, whatever the resizer. Bicubic and
    Lanczos overshoot at edges: their result can leave the range of the pixels.

    Args:
        pixels: float array of shape (height, width) or (height, width, channels).
        image_size: the new (height, width).
        resizer: a name in `RESIZERS`.

    Returns:
        float32 array with the same number of dimensions.

    Raises:
        UnknownNameError: there is no such resizer.
    """
    apply = pick(RESIZERS, resizer, "resizer").apply
    if pixels.shape[:2] == tuple(image_size):
        return pixels.astype(np.float32)
    planes = (pixels[..., None] if pixels.ndim == 2 else pixels).astype(np.float32)
    resized = apply(planes, image_size).astype(np.float32)
    return resized[..., 0] if pixels.ndim == 2 else resized


def _pillow(
    resampling: Image.Resampling,
) -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    def apply(planes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        return _resample(planes, image_size, resampling)

    return apply


def _resample(
    planes: np.ndarray,
    image_size: tuple[int, int],
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
    box: Box | None = None,
) -> np.ndarray:
    height, width = image_size
    resized = [
        Image.fromarray(plane).resize((width, height), resampling, box=box)
        for plane in np.moveaxis(planes, -1, 0)
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in resized], axis=-1)


def _tensorflow(planes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """As `tf.image.resize(method="bilinear", antialias=False)`: half-pixel centers, two taps."""
    for axis, new in enumerate(image_size):
        old = planes.shape[axis]
        positions = (np.arange(new, dtype=np.float32) + 0.5) * np.float32(old / new) - 0.5
        lower = np.maximum(np.floor(positions), 0).astype(int)
        upper = np.minimum(np.ceil(positions), old - 1).astype(int)
        share = (positions - np.floor(positions)).reshape(-1, *(1,) * (2 - axis))
        below, above = planes.take(lower, axis), planes.take(upper, axis)
        planes = below + (above - below) * share
    return planes


def _area(planes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """The mean over the area of each new pixel, as `cv2.INTER_AREA` when both sides shrink."""
    height, width, channels = planes.shape
    new_height, new_width = image_size
    if new_height > height or new_width > width:
        return _resample(planes, image_size)
    rows = _overlaps(height, new_height) @ planes.reshape(height, width * channels)
    across = rows.reshape(new_height, width, channels).transpose(1, 0, 2)
    columns = _overlaps(width, new_width) @ across.reshape(width, new_height * channels)
    return columns.reshape(new_width, new_height, channels).transpose(1, 0, 2)


def _overlaps(old: int, new: int) -> Any:
    """The share of each old pixel in each new one: sparse (new, old), whose rows sum to 1."""
    from scipy import sparse

    edges = np.arange(new + 1) * (old / new)
    first = np.floor(edges[:-1]).astype(int)
    taps = first[:, None] + np.arange(int(np.ceil(old / new)) + 1)[None]
    shares = np.minimum(taps + 1, edges[1:, None]) - np.maximum(taps, edges[:-1, None])
    shares = np.where(taps < old, np.maximum(shares, 0), 0) * (new / old)
    rows = np.repeat(np.arange(new), taps.shape[1])
    columns = np.minimum(taps, old - 1).ravel()
    return sparse.csr_matrix((shares.ravel().astype(np.float32), (rows, columns)), shape=(new, old))


def _pad(planes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Fit the whole picture, centered, between black bars."""
    scale = min(new / old for new, old in zip(image_size, planes.shape[:2], strict=True))
    height, width = (
        min(new, max(1, round(old * scale)))
        for new, old in zip(image_size, planes.shape[:2], strict=True)
    )
    padded = np.zeros((*image_size, planes.shape[-1]), np.float32)
    top, left = (image_size[0] - height) // 2, (image_size[1] - width) // 2
    padded[top : top + height, left : left + width] = _resample(planes, (height, width))
    return padded


def _crop(planes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Fill the image from the center of the picture, as Keras does: the same box of whole pixels.

    `keras.utils.load_img(keep_aspect_ratio=True)`, `crop_to_aspect_ratio` of
    `image_dataset_from_directory` and `smart_resize` cut out this box.
    """
    height, width = planes.shape[:2]
    new_height, new_width = image_size
    box_height = max(1, min(height, width * new_height // new_width))
    box_width = max(1, min(width, height * new_width // new_height))
    top, left = (height - box_height) // 2, (width - box_width) // 2
    box = (left, top, left + box_width, top + box_height)
    return _resample(planes, image_size, box=box)


RESIZERS: dict[str, Resizer] = {
    "bilinear": Resizer("Bilinear, antialiased", _pillow(Image.Resampling.BILINEAR)),
    "nearest": Resizer(
        "Nearest pixel, the default of keras.utils.load_img", _pillow(Image.Resampling.NEAREST)
    ),
    "tf": Resizer("Bilinear without antialiasing, as tf.image.resize", _tensorflow),
    "area": Resizer("Mean of the area, as cv2.INTER_AREA; bilinear when enlarging", _area),
    "bicubic": Resizer("Bicubic, antialiased", _pillow(Image.Resampling.BICUBIC)),
    "lanczos": Resizer("Lanczos, antialiased", _pillow(Image.Resampling.LANCZOS)),
    "pad": Resizer("Keep the aspect ratio, pad with black", _pad, keeps_aspect=True),
    "crop": Resizer("Keep the aspect ratio, crop the center", _crop, keeps_aspect=True),
}
