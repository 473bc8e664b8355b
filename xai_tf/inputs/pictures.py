"""Decode the picture formats of Pillow, HEIC, and the TIFFs that only tifffile reads."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, features

from xai_tf.errors import InputError
from xai_tf.inputs.formats import AVIF_BRANDS, HEIF_BRANDS, START, brands, format_of
from xai_tf.inputs.pixels import (
    MAX_PIXELS,
    Pixels,
    check_size,
    choose_frame,
    scale_levels,
    too_large,
    transparency_warning,
)
from xai_tf.packages import has_extra

# Above this limit PIL itself refuses; `check_size` comes first and names the next step.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Files whose further frames are previews or layers, of which the first is the picture.
SINGLE_PICTURES = ("MPO", "PSD")
PHOTOMETRIC, SAMPLE_FORMAT, BITS = 262, 339, 258  # tags of TIFF
ORIENTATION, UPRIGHT = 274, 1  # a tag of EXIF, and its usual value
# What else people give as a picture: the first bytes, what it is, and the next step.
OTHER_FILES = (
    (b"%PDF", "a PDF document", "Export the page as PNG."),
    (b"<svg", "an SVG drawing", "Export it as PNG."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it first."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"\x89HDF", "an HDF5 file", "Save the picture as PNG or .npy."),
    (b"MATLAB", "a MATLAB file", "Save the picture as PNG."),
    (b"fLaC", "a sound", "Choose a model for sound."),
    (b"OggS", "a sound", "Choose a model for sound."),
    (b"ID3", "a sound", "Choose a model for sound."),
    (b"WAVE", "a sound", "Choose a model for sound."),  # after RIFF and a size
)
FORMATS = "PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF, JPEG 2000, HEIC, DICOM, NIfTI or .npy"


def read_picture(path: Path, frame: int | None = None) -> Pixels:
    """Read a picture file.

    Colors are those of `keras.utils.load_img`: alpha is dropped, and the color below it is kept.
    CMYK and LAB are converted by their embedded ICC profile, or as Pillow does without one. EXIF
    rotation is applied, which Keras does not do, so a warning says it. See `scale_levels` for gray
    of 16 bits, signed numbers and floats.

    Args:
        path: the file.
        frame: number of the frame or page, from 1; None reads the first.

    Raises:
        InputError: the file is damaged, is no picture, has too many pixels or fewer frames, has
            pixels that are NaN or infinite, or needs a decoder that is not installed.
    """
    found = brands(_start(path))
    if found & set(HEIF_BRANDS) and not found & set(AVIF_BRANDS):
        register_heif(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = Image.open(path)
        with opened:
            notes = _seek(path, opened, frame)
            check_size(path, opened.height, opened.width)
            opened.load()
            stored = _stored_numbers(opened)
            notes += _turned(opened)
            picture = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError as error:
        if _start(path)[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _read_other_tiff(path, frame)
        raise InputError(_unknown(path, found)) from error
    except Image.DecompressionBombError as error:
        raise InputError(too_large(path)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(
            f"Cannot read {path}: the picture is damaged or truncated ({error}). Copy or export it "
            "again."
        ) from error
    pixels = _to_pixels(path, picture, stored)
    return Pixels(pixels.levels, (*notes, *pixels.warnings))


def _start(path: Path, length: int = START) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def register_heif(path: str | Path) -> None:
    """Let Pillow read HEIC.

    Raises:
        InputError: the extra for it is not installed.
    """
    if not has_extra("heic"):
        raise InputError(
            f"Cannot read {path}: it is a HEIC picture, which needs one more package. "
            "Run: pip install 'xai-tf[heic]', or convert it to JPEG."
        )
    import pi_heif

    pi_heif.register_heif_opener()


def _unknown(path: Path, found: set[bytes]) -> str:
    """The text of the error for a file that Pillow does not identify."""
    if found & set(AVIF_BRANDS) and not features.check("avif"):
        return (
            f"Cannot read {path}: it is an AVIF picture, and the installed Pillow was built "
            "without AVIF. Run: pip install --upgrade pillow, or convert it to JPEG."
        )
    start = _start(path)
    known = format_of(start)
    if known is not None and known.kind == "picture":
        return (
            f"Cannot read {path}: the {known.title} picture is damaged or truncated. Copy or "
            "export it again."
        )
    text = start.lstrip()
    if text.startswith(b"<?xml") and b"<svg" in text:
        text = b"<svg"
    riff = text[8:12] if text.startswith(b"RIFF") else b""
    for magic, what, next_step in OTHER_FILES:
        if text.startswith(magic) or riff == magic:
            return f"Cannot read {path}: it is not a picture but {what}. {next_step}"
    if found:
        return (
            f"Cannot read {path}: it is not a picture but a video or sound (MP4). Export a frame "
            "as PNG, or choose a model for sound."
        )
    return f"Cannot read {path}: it is not a picture of a known format. Give {FORMATS}."


def _seek(path: Path, picture: Image.Image, frame: int | None) -> tuple[str, ...]:
    """Go to a frame; the warning that names it where there are several."""
    several = frame is not None or picture.format not in SINGLE_PICTURES
    num_frames = getattr(picture, "n_frames", 1) if several else 1
    index, notes = choose_frame(path, num_frames, frame, default=0)
    if num_frames > 1:
        picture.seek(index)
    return notes


def _turned(picture: Image.Image) -> tuple[str, ...]:
    """The warning of a picture that is turned or mirrored by its EXIF orientation.

    Of TIFF it is empty: Pillow turns these by itself, for Keras too.
    """
    orientation = picture.getexif().get(ORIENTATION, UPRIGHT)
    if orientation not in range(2, 9):
        return ()
    return (
        f"The picture was turned upright by its EXIF orientation ({orientation}), as viewers and "
        "OpenCV do; Keras, TensorFlow and Pillow read it as it is stored. If the model was trained "
        "by those on such files, save the picture without the orientation.",
    )


def _stored_numbers(picture: Image.Image) -> tuple[str, bool]:
    """The NumPy type in which a file stores gray, and whether its zero is white.

    Pillow reads signed bytes and unsigned 32-bit numbers of TIFF by the wrong type, and does not
    invert 16-bit TIFF whose zero is white.
    """
    kind = {"F": "f4", "I": "i4", "L": "u1"}.get(picture.mode, "u2")
    tags = getattr(picture, "tag_v2", None)
    if tags is None:
        return kind, False
    sample_format, bits = tags.get(SAMPLE_FORMAT, (1,))[0], tags.get(BITS, (1,))[0]
    if picture.mode == "L" and sample_format == 2 and bits == 8:
        kind = "i1"
    if picture.mode == "I" and sample_format == 1 and bits == 32:
        kind = "u4"
    inverted = tags.get(PHOTOMETRIC) == 0 and picture.mode not in ("1", "L", "P")
    return kind, inverted


def _to_pixels(path: Path, picture: Image.Image, stored: tuple[str, bool]) -> Pixels:
    kind, inverted = stored
    if picture.mode.startswith(("I", "F")) or kind == "i1":
        numbers = np.array(picture)
        if kind in ("i1", "u4"):
            numbers = numbers.view(kind)
        pixels = scale_levels(path, numbers, 16 if kind == "u2" else None)
        return Pixels(1 - pixels.levels, pixels.warnings) if inverted else pixels
    if picture.mode in ("CMYK", "LAB"):
        return _converted(path, picture)
    notes: tuple[str, ...] = ()
    if picture.has_transparency_data:
        picture = picture.convert("RGBA") if picture.mode in ("RGBa", "La") else picture.copy()
        notes = transparency_warning(np.asarray(picture.convert("RGBA").getchannel("A")) / 255)
        picture.info.pop("transparency", None)
    mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
    return Pixels(np.asarray(picture.convert(mode), np.float32) / 255, notes)


def _converted(path: Path, picture: Image.Image) -> Pixels:
    """Print colors (CMYK) or LAB as RGB."""
    profile = picture.info.get("icc_profile")
    name = "print colors (CMYK)" if picture.mode == "CMYK" else "LAB colors"
    by = "without a color profile, so hues may differ"
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            by = "by the color profile in the file"
        else:
            converted = picture.convert("RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise InputError(
            f"Cannot read {path}: its {name} cannot be converted ({error}). Convert it to RGB."
        ) from error
    assert converted is not None  # only a conversion in place returns None
    warning = f"The {name} were converted to RGB {by}."
    return Pixels(np.asarray(converted, np.float32) / 255, (warning,))


def _read_other_tiff(path: Path, frame: int | None) -> Pixels:
    """Read a TIFF that Pillow does not know: colors as floats or signed numbers, half floats."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            index, notes = choose_frame(path, max(1, len(file.pages)), frame, default=0)
            page = file.pages[index].aspage()
            check_size(path, page.imagelength, page.imagewidth)
            numbers = np.moveaxis(page.asarray(), 0, -1) if page.axes == "SYX" else page.asarray()
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except InputError:
        raise
    except Exception as error:  # tifffile and its codecs raise many types on a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"Cannot read {path}: the TIFF is damaged, or of an unusual kind ({reason}). Export it "
            "again as an uncompressed TIFF or as PNG."
        ) from error
    channels = numbers.shape[2:]
    if numbers.ndim not in (2, 3) or channels not in ((), (1,), (3,), (4,)):
        raise InputError(
            f"Cannot read {path}: its pixels have shape {numbers.shape}. Export it as a gray or "
            "RGB picture."
        )
    if numbers.dtype.kind not in "uif":
        raise InputError(
            f"Cannot read {path}: its pixels are of type {numbers.dtype}. Export it with whole "
            "numbers or floats."
        )
    numbers = numbers[..., 0] if channels == (1,) else numbers[..., :3] if channels else numbers
    depth = 8 * numbers.dtype.itemsize if numbers.dtype.kind == "u" else None
    pixels = scale_levels(path, numbers, depth)
    return Pixels(1 - pixels.levels if inverted else pixels.levels, (*notes, *pixels.warnings))
