"""What a file is by its content; its name and its declared type are never asked."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from xai_tf.errors import InputError
from xai_tf.inputs.sample import MAX_PIXELS, MIN_SIDE

ACCEPTED = "PNG, JPEG, BMP, TIFF, WebP, DICOM, WAV, FLAC, OGG or MP3"
DEFLATED = b"1.2.840.10008.1.2.1.99"  # a DICOM data set that is one zip stream


@dataclass(frozen=True)
class Content:
    """A kind of file.

    Attributes:
        title: for people.
        kind: "sound" or "picture", as in `Upload`.
        suffix: the ending such files are stored under.
    """

    title: str
    kind: str
    suffix: str


PNG = Content("PNG", "picture", ".png")
JPEG = Content("JPEG", "picture", ".jpg")
BMP = Content("BMP", "picture", ".bmp")
TIFF = Content("TIFF", "picture", ".tif")
WEBP = Content("WebP", "picture", ".webp")
DICOM = Content("DICOM", "picture", ".dcm")
WAV = Content("WAV", "sound", ".wav")
FLAC = Content("FLAC", "sound", ".flac")
OGG = Content("OGG", "sound", ".ogg")
MP3 = Content("MP3", "sound", ".mp3")

_STARTS = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"BM": BMP,
    b"II*\0": TIFF,
    b"MM\0*": TIFF,
    b"fLaC": FLAC,
    b"OggS": OGG,
    b"ID3": MP3,
}
_FORMATS = (PNG, JPEG, BMP, TIFF, WEBP)


def content_of(data: bytes) -> Content | None:
    """What `data` is by its first bytes, or None where it is nothing we read."""
    if data[128:132] == b"DICM":
        return DICOM
    if data[:4] == b"RIFF":
        return {b"WAVE": WAV, b"WEBP": WEBP}.get(data[8:12])
    for start, content in _STARTS.items():
        if data.startswith(start):
            return content
    return MP3 if _is_mpeg_frame(data) else None


def check_content(name: str, data: bytes) -> Content:
    """What `data` is, once its header has been looked at; no pixel is unpacked.

    Args:
        name: how the visitor is told of it.
        data: of the file.

    Raises:
        InputError: it is empty, of no kind we read, has a damaged header, or unpacks to fewer than
            8 pixels a side or to more than 100 megapixels.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes). Copy or export it again.")
    content = content_of(data)
    if content is None:
        raise InputError(f"{name} is no picture or sound, whatever its name says. Give {ACCEPTED}.")
    if content.kind == "picture":
        _check_size(name, *_picture_size(name, data, content))
    return content


def _is_mpeg_frame(data: bytes) -> bool:
    """Whether `data` starts with the header of an MPEG layer III frame."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    version, bit_rate, rate = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and bit_rate not in (0, 15) and rate != 3


def _picture_size(name: str, data: bytes, content: Content) -> tuple[int, int]:
    """Width and height that the header announces, frames stacked."""
    if content is DICOM:
        return _dicom_size(name, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged tags and of size: both are answered here
            formats = [known.title.upper() for known in _FORMATS]
            with Image.open(io.BytesIO(data), formats=formats) as picture:
                return picture.size
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name)) from error
    except Exception as error:  # PIL's readers raise what they like on a damaged header
        raise InputError(
            f"{name} starts like a {content.title} file, but its header is damaged. "
            "Copy or export it again."
        ) from error


def _dicom_size(name: str, data: bytes) -> tuple[int, int]:
    import pydicom

    if DEFLATED in data:  # reading its header would unpack all of it, however large
        raise InputError(
            f"{name} is a deflated DICOM file, which cannot be checked before it is unpacked. "
            "Export it without deflation."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
            frames = int(header.get("NumberOfFrames") or 1)
            return int(header.Columns), int(header.Rows) * frames
    except Exception as error:  # as above, and a file without Rows holds no picture
        raise InputError(
            f"{name} is a DICOM file without a readable picture. Export the picture again."
        ) from error


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(name, f" ({width}x{height})"))
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name} is {width}x{height} pixels: nothing to see. "
            f"Give a picture of at least {MIN_SIDE}x{MIN_SIDE}."
        )


def _too_large(name: str, size: str = "") -> str:
    return (
        f"{name} unpacks to more than {MAX_PIXELS // 1_000_000} megapixels{size}. "
        "Scale it down first."
    )
