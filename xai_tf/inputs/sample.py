"""The record of one input, and reading a picture into it."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from xai_tf.errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm")
MIN_SIDE = 8  # pixels
MAX_PIXELS = 100_000_000

# Above this limit PIL itself refuses; the check here comes first and names the next step.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """One input, ready for a classifier.

    Attributes:
        image: float32 array of shape (height, width, 3), RGB in [0, 1]: the input of the network.
        source: the file it was read from.
        sha256: the SHA-256 of that file.
        label: index of the true class, or None where it is not known.
        sound: the sound behind a spectrogram, or None.
        gray: whether the picture has no color, as X-rays and MRI slices have none.
        warnings: what a person should know about how it was read, one sentence each.
    """

    image: np.ndarray
    source: Path
    sha256: str
    label: int | None = None
    sound: Sound | None = None
    gray: bool = False
    warnings: tuple[str, ...] = ()


def read_image(path: Path, image_size: tuple[int, int]) -> list[Sample]:
    """Read a picture and resize it for a model: a list of one sample.

    Reads PNG, JPEG, BMP, TIFF, WebP and DICOM. EXIF rotation is applied, transparency is composited
    on black, gray pictures become RGB, and 16-bit gray keeps its depth (white is the largest value
    of the smallest of 8, 10, 12, 14 or 16 bits that fits the brightest pixel). The aspect ratio is
    not kept: the whole picture is resized to `image_size`, as in training.

    Args:
        path: the file.
        image_size: (height, width) in pixels.

    Raises:
        InputError: the file is missing or damaged, is no picture, has a side below 8 pixels or more
            than 100 megapixels, or uses print colors (CMYK).
    """
    from xai_tf.inputs.dicom import is_dicom, read_dicom

    check_file(path)
    pixels = read_dicom(path) if is_dicom(path) else _read_picture(path)
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"{path} is too small: {width}x{height} pixels. "
            f"Give a picture of at least {MIN_SIDE}x{MIN_SIDE} pixels."
        )
    image = resize(pixels, image_size)
    gray = pixels.ndim == 2 or bool((np.ptp(pixels, axis=-1) < 2 / 255).all())
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=-1)
    return [Sample(image=image, source=path, sha256=file_sha256(path), gray=gray)]


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


def resize(pixels: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Resize pixels, bilinear, with antialiasing when shrinking.

    Args:
        pixels: float array of shape (height, width) or (height, width, channels).
        image_size: the new (height, width).

    Returns:
        float32 array with the same number of dimensions.
    """
    if pixels.shape[:2] == tuple(image_size):
        return pixels.astype(np.float32)
    height, width = image_size
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = [
        Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        for plane in np.moveaxis(planes, -1, 0)
    ]
    stacked = np.stack([np.asarray(plane, dtype=np.float32) for plane in resized], axis=-1)
    return stacked[..., 0] if pixels.ndim == 2 else stacked


def _read_picture(path: Path) -> np.ndarray:
    """Pixels of a picture file: float32 in [0, 1], (height, width) or (height, width, 3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened:
            _check_size(path, opened)
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError as error:
        raise InputError(
            f"Cannot read {path}: it is not a picture of a known format. Give PNG, JPEG, BMP, "
            "TIFF, WebP or DICOM."
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(
            f"Cannot read {path}: the picture is damaged or truncated ({error}). Copy or export it "
            "again."
        ) from error
    if picture.mode == "CMYK":
        raise InputError(
            f"Cannot read {path}: it uses print colors (CMYK), which image classifiers are not "
            "trained on. Convert it to RGB first."
        )
    return _to_float(picture)


def _check_size(path: Path, picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise InputError(_too_large(path, f" ({picture.width}x{picture.height})"))


def _too_large(path: Path, size: str = "") -> str:
    return (
        f"{path} is too large: more than {MAX_PIXELS // 1_000_000} megapixels{size}. "
        "Scale it down first."
    )


def _to_float(picture: Image.Image) -> np.ndarray:
    if picture.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(picture, dtype=np.float32), posinf=0, neginf=0)
        white = 1 if picture.mode == "F" and levels.max() <= 1 else white_level(levels)
        return np.clip(levels / white, 0, 1)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), dtype=np.float32) / 255
    return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255


def white_level(levels: np.ndarray) -> float:
    """The largest value of the smallest common depth (8 to 16 bits) that fits every level."""
    brightest = float(np.nanmax(levels, initial=0))
    return next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if brightest < 2**bits), brightest)
