"""The type of a file by its content; its name and declared type are not trusted."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from dashboards.language import mark, t
from xai_tf.errors import InputError
from xai_tf.inputs.sample import MAX_PIXELS, MIN_SIDE

ACCEPTED = mark("PNG, JPEG, BMP, TIFF, WebP, DICOM, WAV, FLAC, OGG or MP3")
DEFLATED = b"1.2.840.10008.1.2.1.99"  # transfer syntax of deflated DICOM


@dataclass(frozen=True)
class Content:
    """A file type.

    Attributes:
        title: the name shown to visitors.
        kind: "sound" or "picture", as in `Upload`.
        suffix: the suffix under which such files are stored.
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
    """The type of `data` by its first bytes, or None if it is not supported."""
    if data[128:132] == b"DICM":
        return DICOM
    if data[:4] == b"RIFF":
        return {b"WAVE": WAV, b"WEBP": WEBP}.get(data[8:12])
    for start, content in _STARTS.items():
        if data.startswith(start):
            return content
    return MP3 if _is_mpeg_frame(data) else None


def check_content(name: str, data: bytes) -> Content:
    """The type of `data`, after checking its header without unpacking pixels.

    Args:
        name: the name of the file in error messages.
        data: the content of the file.

    Raises:
        InputError: the file is empty, of an unsupported type, has a damaged header, or has fewer
            than 8 pixels on a side or more than 100 megapixels.
    """
    if not data:
        raise InputError(t("{name} is empty (0 bytes). Copy or export it again.", name=name))
    content = content_of(data)
    if content is None:
        raise InputError(
            t(
                "{name} does not contain a supported picture or sound. Expected {types}.",
                name=name,
                types=t(ACCEPTED),
            )
        )
    if content.kind == "picture":
        _check_size(name, *_picture_size(name, data, content))
    return content


def _is_mpeg_frame(data: bytes) -> bool:
    """Whether `data` starts with the header of an MPEG audio layer III frame."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    version, bit_rate, rate = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and bit_rate not in (0, 15) and rate != 3


def _picture_size(name: str, data: bytes, content: Content) -> tuple[int, int]:
    """Width and height in the header, with frames stacked vertically."""
    if content is DICOM:
        return _dicom_size(name, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged tags and sizes, which are handled here
            formats = [picture_type.title.upper() for picture_type in _FORMATS]
            with Image.open(io.BytesIO(data), formats=formats) as picture:
                return picture.size
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name)) from error
    except Exception as error:  # PIL's readers raise various errors on a damaged header
        raise InputError(
            t(
                "Cannot read {name}: the header of this {type} file is damaged. Copy or export it "
                "again.",
                name=name,
                type=content.title,
            )
        ) from error


def _dicom_size(name: str, data: bytes) -> tuple[int, int]:
    import pydicom

    if DEFLATED in data:  # reading the header would unpack the whole file, however large
        raise InputError(
            t(
                "Cannot read {name}: its size cannot be checked because it is a deflated DICOM "
                "file. Export it without deflate compression.",
                name=name,
            )
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
            frames = int(header.get("NumberOfFrames") or 1)
            return int(header.Columns), int(header.Rows) * frames
    except Exception as error:  # pydicom raises various errors; without Rows there is no picture
        raise InputError(
            t(
                "Cannot read {name}: this DICOM file has no readable picture. Export it again.",
                name=name,
            )
        ) from error


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(f"{name} ({width}x{height})"))
    if min(width, height) < MIN_SIDE:
        raise InputError(
            t(
                "{name} is too small ({width}x{height} pixels). Expected a picture of at least "
                "{side}x{side} pixels.",
                name=name,
                width=width,
                height=height,
                side=MIN_SIDE,
            )
        )


def _too_large(name: str) -> str:
    return t(
        "{name} is too large: more than {count} megapixels. Scale it down first.",
        name=name,
        count=MAX_PIXELS // 1_000_000,
    )
