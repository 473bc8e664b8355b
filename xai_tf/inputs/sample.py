"""The record of one input, and reading a picture into it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.arrays import array_pixels, is_array, read_array
from xai_tf.inputs.dicom import is_dicom, read_dicom
from xai_tf.inputs.nifti import NIFTI_SUFFIXES, is_nifti, read_nifti
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.pictures import read_picture
from xai_tf.inputs.pixels import MAX_PIXELS as MAX_PIXELS
from xai_tf.inputs.pixels import Pixels, choose_frame
from xai_tf.inputs.plots import crop, crop_plot
from xai_tf.inputs.resizing import DEFAULT_RESIZER, RESIZERS, Box, resize

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".j2k"),
    *(".heic", ".heif", ".dcm", ".npy"),
    *NIFTI_SUFFIXES,
)
ARRAY = Path("array")  # the source of a sample that was not read from a file
MIN_SIDE = 8  # pixels
FULL_SIDE = 2000  # pixels of the longer side of a picture that is drawn at its own resolution
# The weights of red, green and blue in a level of gray (ITU-R BT.601), as in Pillow, Keras and
# OpenCV.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sound:
    """The sound behind a spectrogram image.

    Attributes:
        waveform: float32 array of shape (samples,), mono in [-1, 1], of this window only.
        rate: sample rate in Hz.
        decibels: float32 mel spectrogram of shape (bands, frames), in dB relative to its maximum.
        hertz: center frequency of each mel band, in Hz; float32 of shape (bands,).
        seconds: time of each frame from the start of the file, in s; float32 of shape (frames,).
        rebuilt: whether the sound was reconstructed from a picture, with an estimated phase.
    """

    waveform: np.ndarray
    rate: int
    decibels: np.ndarray
    hertz: np.ndarray
    seconds: np.ndarray
    rebuilt: bool = False


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Sample:
    """One input, ready for a classifier.

    Attributes:
        image: float32 array of shape (height, width, 3), RGB in [0, 1]: the input of the network.
        source: the file it was read from, `ARRAY` for an array in memory.
        sha256: the SHA-256 of that file, or of the shape, type and bytes of the array.
        label: index of the true class, or None where it is not known.
        sound: the sound behind a spectrogram, or None.
        gray: whether the picture has no color, as X-rays and MRI slices have none.
        warnings: what a person should know about how it was read, one sentence each.
        crop: (left, upper, right, lower), in pixels of the file, of the inside of a plot's axes
            where the picture was cropped to it; else None.
    """

    image: np.ndarray
    source: Path
    sha256: str
    label: int | None = None
    sound: Sound | None = None
    gray: bool = False
    warnings: tuple[str, ...] = ()
    crop: Box | None = None

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        notes = "".join(f" {text}" for text in self.warnings)
        return f"<Sample of {self.source.name}: {height}x{width} pixels.{notes}>"


def read_image(
    path: Path, image_size: tuple[int, int], options: ReadOptions = DEFAULT_OPTIONS
) -> list[Sample]:
    """Read a picture and resize it for a model: a list of one sample.

    Reads what Pillow reads (PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF, JPEG 2000), DICOM, arrays in
    .npy, and HEIC and NIfTI with their extras. Gray pictures become RGB, and gray of more than 8
    bits keeps its depth. What had to be guessed, converted or left out is in the warnings of the
    sample. By default the aspect ratio is not kept: the whole picture is resized, as in training.

    Args:
        path: the file; its content decides the format, not its name.
        image_size: (height, width) in pixels.
        options: the frame to read, how to resize, and whether to crop a plot to its axes.

    Raises:
        InputError: the file is missing or damaged, is no picture, has a side below 8 pixels or more
            than 100 megapixels, has fewer frames, has pixels that are NaN or infinite, or needs a
            decoder that is not installed.
    """
    check_file(path)
    pixels = _decode(path, options.frame)
    return [_sample(pixels, path, file_sha256(path), image_size, options)]


def read_picture_array(
    array: np.ndarray,
    image_size: tuple[int, int],
    options: ReadOptions = DEFAULT_OPTIONS,
    white: float | None = None,
) -> Sample:
    """Read a picture from an array in memory, as `read_image` does from a file.

    Args:
        array: (height, width) with 1, 3 or 4 channels last, or none; uint8 from 0 to 255, or floats
            from 0 to 1 or from 0 to 255.
        image_size: (height, width) in pixels.
        options: how to resize, and whether to crop a plot to its axes.
        white: the level of white where that is known; else guessed from the largest level.

    Raises:
        InputError: the array has another shape, type or range, or pixels that are NaN.
    """
    content = np.ascontiguousarray(array)
    told = f"{content.shape} {content.dtype} ".encode()
    digest = hashlib.sha256(told + content.tobytes()).hexdigest()
    return _sample(array_pixels(array, "the array", white), ARRAY, digest, image_size, options)


def read_full_size(sample: Sample, options: ReadOptions = DEFAULT_OPTIONS) -> np.ndarray | None:
    """The part of a picture file that a sample shows, at the resolution and aspect of the file.

    The longer side is at least that of the sample and at most 2,000 pixels.

    Args:
        sample: read from the file with `options`.
        options: the frame, and how it was resized.

    Returns:
        float32 array of shape (height, width, 3) in [0, 1]; None for sound and arrays in memory,
        and where the file is gone or no longer shows what the sample shows.
    """
    found = shown_levels(sample, options)
    if found is None:
        return None
    levels = crop(found, sample.crop)
    size, resizer = sample.image.shape[:2], options.resize or DEFAULT_RESIZER
    aspect = size if RESIZERS[resizer].keeps_aspect else levels.shape[:2]
    longest = min(max(*levels.shape[:2], *size), FULL_SIDE)
    full = tuple(max(1, round(side * longest / max(aspect))) for side in aspect)
    return _as_rgb(np.clip(resize(levels, full, resizer), 0, 1))


def shown_levels(sample: Sample, options: ReadOptions = DEFAULT_OPTIONS) -> np.ndarray | None:
    """The levels of the whole file that a sample was read from, turned as it is shown.

    Args:
        sample: read from the file with `options`.
        options: the frame, and how it was resized.

    Returns:
        float32 array of shape (height, width) or (height, width, 3) in [0, 1]; None for sound and
        arrays in memory, and where the file is gone or no longer gives the pixels of the sample.
    """
    if sample.sound is not None or not sample.source.is_file():
        return None
    try:
        levels = _decode(sample.source, options.frame).levels
    except InputError:
        return None
    part, resizer = crop(levels, sample.crop), options.resize or DEFAULT_RESIZER
    image = _as_rgb(np.clip(resize(part, sample.image.shape[:2], resizer), 0, 1))
    return levels if np.abs(image - sample.image).max() <= 1 / 255 else None


def _as_rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image


def _sample(
    pixels: Pixels, path: Path, digest: str, image_size: tuple[int, int], options: ReadOptions
) -> Sample:
    box, notes = crop_plot(pixels.levels, options.crop_plot)
    levels = crop(pixels.levels, box)
    height, width = levels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"{path} is too small: {width}x{height} pixels. "
            f"Give a picture of at least {MIN_SIDE}x{MIN_SIDE} pixels."
        )
    image = np.clip(resize(levels, image_size, options.resize or DEFAULT_RESIZER), 0, 1)
    gray = levels.ndim == 2 or bool((np.ptp(levels, axis=-1) < 2 / 255).all())
    return Sample(
        image=_as_rgb(image),
        source=path,
        sha256=digest,
        gray=gray,
        warnings=(*pixels.warnings, *notes),
        crop=box,
    )


def _decode(path: Path, frame: int | None) -> Pixels:
    if is_dicom(path):
        return read_dicom(path, frame)
    if is_nifti(path):
        return read_nifti(path, frame)
    if is_array(path):
        choose_frame(path, 1, frame, default=0)
        return read_array(path)
    return read_picture(path, frame)


def check_file(path: Path) -> None:
    """Raise an InputError unless a path is a file that is not empty."""
    if not path.exists():
        raise InputError(f"There is no file {path}. Check the name.")
    if not path.is_file():
        raise InputError(f"{path} is not a file. Give a single file, or a folder of files.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes). Copy or export it again.")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
