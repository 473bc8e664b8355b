"""Pixels as a file gives them, and the levels of black and white where it does not say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.errors import InputError

MAX_PIXELS = 100_000_000
DEPTHS = (8, 10, 12, 14, 16)  # bits of common sensors
MOSTLY_TRANSPARENT = 0.5  # alpha below this


@dataclass(frozen=True, eq=False)
class Pixels:
    """A picture before it is resized.

    Attributes:
        levels: float32 array of shape (height, width) or (height, width, 3), RGB, in [0, 1].
        warnings: what a person should know about how it was read, one sentence each.
    """

    levels: np.ndarray
    warnings: tuple[str, ...] = ()


def check_size(path: Path, height: int, width: int) -> None:
    """Raise an InputError for more than 100 megapixels, before they are decoded."""
    if width * height > MAX_PIXELS:
        raise InputError(too_large(path, f" ({width}x{height})"))


def too_large(path: Path, size: str = "") -> str:
    """The text of the error for a picture of too many pixels."""
    return (
        f"{path} is too large: more than {MAX_PIXELS // 1_000_000} megapixels{size}. "
        "Scale it down first."
    )


def choose_frame(
    path: Path, num_frames: int, frame: int | None, default: int
) -> tuple[int, tuple[str, ...]]:
    """The index of the frame to read, from 0, and the warning where there are several.

    Args:
        path: the file, for the text of the error.
        num_frames: the number of frames in the file.
        frame: the number of the frame that is asked for, from 1; None for the default.
        default: the index of the default frame.

    Raises:
        InputError: the file has fewer frames.
    """
    index = default if frame is None else frame - 1
    if index >= num_frames:
        frames = "1 frame" if num_frames == 1 else f"{num_frames} frames"
        wanted = "frame 1" if num_frames == 1 else f"a frame from 1 to {num_frames}"
        raise InputError(f"Cannot read frame {frame} of {path}: it has {frames}. Choose {wanted}.")
    if num_frames == 1:
        return index, ()
    return index, (f"Frame {index + 1} of {num_frames} was read.",)


def check_finite(path: str | Path, levels: np.ndarray) -> None:
    """Raise an InputError that counts the pixels that are NaN or infinite."""
    broken = ~np.isfinite(levels)
    if broken.ndim == 3:
        broken = broken.any(axis=-1)
    if count := int(broken.sum()):
        are = "pixel is" if count == 1 else "pixels are"
        raise InputError(
            f"Cannot read {path}: {count} of its {broken.size} {are} NaN or infinite. "
            "Replace them with numbers and save the picture again."
        )


def scale_levels(path: Path, levels: np.ndarray, depth: int | None) -> Pixels:
    """Map the numbers of a file to [0, 1]: the rule for 16-bit, signed and float pictures.

    - Levels below zero: the smallest is black and the largest is white, with a warning.
    - Floats up to 1 are kept.
    - All others: zero is black, and white is the largest value of the smallest of 8, 10, 12, 14 or
      16 bits that fits the brightest pixel, as many scanners store 12 bits in 16. Where that is
      not the depth of the file, white is a guess, and a warning names it.

    Args:
        path: the file, for the text of the error.
        levels: numbers of shape (height, width) or (height, width, 3).
        depth: bits per sample of unsigned integers; None where the type does not say what is white.

    Raises:
        InputError: a pixel is NaN or infinite.
    """
    check_finite(path, levels)
    low, high = float(levels.min()), float(levels.max())
    if low < 0:
        return Pixels(windowed(levels, low, high), (window_warning(low, high),))
    if levels.dtype.kind == "f" and high <= 1:
        return Pixels(levels.astype(np.float32))
    white = white_level(levels)
    known = depth is not None and white == 2.0**depth - 1
    warning = f"White is taken as level {white:g}; the brightest pixel has level {high:g}."
    return Pixels(windowed(levels, 0, white), () if known else (warning,))


def windowed(levels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map levels so that `low` is 0 and `high` is 1, clipped: float32."""
    # 100 megapixels of bytes in color would take 2.4 GB as doubles.
    exact: np.ndarray = levels.astype("f8" if levels.dtype.itemsize > 2 else "f4")
    scaled = (exact - low) / (high - low if high > low else 1.0)
    return np.clip(scaled, 0, 1).astype(np.float32)


def window_warning(low: float, high: float, reason: str = "") -> str:
    """The sentence that names the levels that became black and white."""
    return f"Levels from {low:.6g} (black) to {high:.6g} (white) are shown{reason}."


def white_level(levels: np.ndarray) -> float:
    """The largest value of the smallest common depth (8 to 16 bits) that fits every level."""
    brightest = float(np.nanmax(levels, initial=0))
    return next((2.0**bits - 1 for bits in DEPTHS if brightest < 2**bits), brightest)


def transparency_warning(alpha: np.ndarray) -> tuple[str, ...]:
    """The warning where colors are read that a viewer does not show.

    Like Keras, the readers drop the alpha channel and keep the color that is stored below it. A
    viewer shows its own background there, whatever that color is.

    Args:
        alpha: opacity in [0, 1].
    """
    hidden = float((alpha < MOSTLY_TRANSPARENT).mean())
    if not hidden:
        return ()
    return (
        f"{100 * hidden:.2g}% of the pixels are transparent; the model is given the colors that "
        "are stored below them, which viewers do not show.",
    )
