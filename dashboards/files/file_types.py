"""The type of a file by its content; its name and declared type are not trusted."""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Callable

from PIL import Image

from dashboards.language import t
from xai_tf.errors import InputError
from xai_tf.inputs.formats import FORMATS, START, Format, format_of
from xai_tf.inputs.pictures import register_heif
from xai_tf.inputs.sample import MAX_PIXELS, MIN_SIDE

DEFLATED = b"1.2.840.10008.1.2.1.99"  # transfer syntax of deflated DICOM
MAX_VALUES = 5 * MAX_PIXELS  # of all slices of a volume
PILLOW_NAMES = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000")


def accepted() -> str:
    """The formats of pictures and sounds that can be read."""
    *first, last = (known.title for known in FORMATS)
    return t("{first} or {last}", first=", ".join(first), last=last)


def check_content(name: str, data: bytes) -> Format:
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
    content = format_of(data[:START])
    if content is None:
        raise InputError(
            t(
                "{name} does not contain a supported picture or sound. Expected {types}.",
                name=name,
                types=accepted(),
            )
        )
    if content.kind == "picture":
        _check_size(name, *_picture_size(name, data, content))
    return content


def suffix_of(content: Format, data: bytes) -> str:
    """The suffix under which a file is stored; that of gzip is how a volume is known as one."""
    return f"{content.suffix}.gz" if data[:2] == b"\x1f\x8b" else content.suffix


def _picture_size(name: str, data: bytes, content: Format) -> tuple[int, int]:
    """Width and height in the header, with frames stacked vertically."""
    if content.title == "DICOM":
        return _dicom_size(name, data)
    read = SIZES.get(content.title, _pillow_size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged tags and sizes, which are handled here
            return read(name, data)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name)) from error
    except Exception as error:  # the readers raise various errors on a damaged header
        raise InputError(
            t(
                "Cannot read {name}: the header of this {type} file is damaged. Copy or export it "
                "again.",
                name=name,
                type=content.title,
            )
        ) from error


def _pillow_size(
    name: str, data: bytes, formats: tuple[str, ...] = PILLOW_NAMES
) -> tuple[int, int]:
    with Image.open(io.BytesIO(data), formats=formats) as picture:
        return picture.size


def _heic_size(name: str, data: bytes) -> tuple[int, int]:
    register_heif(name)
    return _pillow_size(name, data, ("HEIF",))


def _tiff_size(name: str, data: bytes) -> tuple[int, int]:
    try:
        return _pillow_size(name, data)
    except Image.UnidentifiedImageError:  # colors as floats, which Pillow does not know
        import tifffile

        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0].aspage()
            return page.imagewidth, page.imagelength


def _nifti_size(name: str, data: bytes) -> tuple[int, int]:
    """The size of a slice, from the header: nothing else is unpacked."""
    import numpy as np

    if data[:2] == b"\x1f\x8b":
        data = zlib.decompressobj(31).decompress(data, 348)
    order = "<" if data[:4] == (348).to_bytes(4, "little") else ">"
    count, *sides = (int(side) for side in np.frombuffer(data[40:56], f"{order}i2"))
    if not 2 <= count <= 7 or min(sides[:count]) < 1:
        raise ValueError("the header names no volume")
    if math.prod(sides[:count]) > MAX_VALUES:
        raise InputError(
            t(
                "{name} is too large: more than {count} million voxels. Export the slice as PNG.",
                name=name,
                count=MAX_VALUES // 1_000_000,
            )
        )
    return sides[0], sides[1]


def _array_size(name: str, data: bytes) -> tuple[int, int]:
    from numpy.lib import format as npy

    file = io.BytesIO(data)
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject or len(shape) not in (2, 3):
        raise ValueError("it is no picture")
    return shape[1], shape[0]


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


SIZES: dict[str, Callable[[str, bytes], tuple[int, int]]] = {
    "TIFF": _tiff_size,
    "HEIC": _heic_size,
    "NIfTI": _nifti_size,
    "NumPy array": _array_size,
}


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
