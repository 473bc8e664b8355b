"""Read pictures from arrays: in memory, or as NumPy has saved them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.pixels import Pixels, check_finite, check_size, transparency_warning

OVERSHOOT = 2.0  # floats up to here are taken as 0 to 1: resizing and augmentation overshoot
SHAPES = "(height, width), (height, width, 1), (height, width, 3) or (height, width, 4)"


def is_array(path: Path) -> bool:
    """Whether a file has the signature of .npy, or at least the suffix."""
    with path.open("rb") as file:
        return file.read(6) == b"\x93NUMPY" or path.suffix.lower() == ".npy"


def read_array(path: Path) -> Pixels:
    """Read a .npy file: uint8 from 0 to 255, or floats from 0 to 1 or from 0 to 255.

    The shape is (height, width) with 1, 3 or 4 channels last, or none; alpha is dropped. Floats
    with a maximum of 1 or less are taken as 0 to 1, up to 255 as 0 to 255; a warning states the
    guess. Pickled objects are not read.

    Raises:
        InputError: the file is damaged, or holds other shapes, types or ranges.
    """
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise InputError(
            f"Cannot read {path}: it is not a .npy file of numbers, or damaged ({error}). "
            "Save it again with numpy.save."
        ) from error
    if stored.ndim > 1:
        check_size(path, *stored.shape[:2])
    return array_pixels(np.asarray(stored), path)


def array_pixels(array: np.ndarray, name: str | Path, white: float | None = None) -> Pixels:
    """The pixels of an array in memory, of the shapes, types and ranges of `read_array`.

    Args:
        array: the picture.
        name: what messages call it.
        white: the level of white where that is known; else guessed from the largest level.

    Raises:
        InputError: the array has other shapes, types or ranges.
    """
    shape = array.shape
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,), (4,)) or 0 in shape:
        raise InputError(
            f"Cannot read {name}: an array of shape {shape} is not one picture. Give {SHAPES}."
        )
    guess, notes = white_of(array, name)
    if white is not None:
        guess, notes = white, ()
    scaled = array.astype(np.float32) / guess
    over = int((scaled > 1).sum())
    if over:
        scaled = np.minimum(scaled, 1)
        notes += (f"{over} of {scaled.size} levels are above white and were clipped.",)
    if shape[2:] == (4,):
        notes += transparency_warning(scaled[..., 3])
    scaled = scaled[..., 0] if shape[2:] == (1,) else scaled[..., :3] if shape[2:] else scaled
    return Pixels(scaled, notes)


def white_of(levels: np.ndarray, name: str | Path) -> tuple[float, tuple[str, ...]]:
    """The level of white, and the warning that states it where it is a guess."""
    if levels.dtype == np.uint8:
        return 255, ()
    expected = "Give uint8 from 0 to 255, or floats from 0 to 1 or from 0 to 255."
    if levels.dtype.kind != "f":
        raise InputError(
            f"Cannot read {name}: an array of shape {levels.shape} and type {levels.dtype} has no "
            f"known white. {expected}"
        )
    check_finite(name, levels)
    low, high = float(levels.min()), float(levels.max())
    if low < 0 or high > 255:
        raise InputError(
            f"Cannot read {name}: the levels of its array of shape {levels.shape} run from "
            f"{low:.6g} to {high:.6g}. {expected}"
        )
    white = 1.0 if high <= OVERSHOOT else 255.0
    return white, (f"Levels are taken as 0 to {white:g}; the largest is {high:.6g}.",)
