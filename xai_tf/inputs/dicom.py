"""DICOM: a radiograph or a slice as it is meant to be looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.errors import InputError


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark, or at least the ending .dcm."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"


def read_dicom(path: Path) -> np.ndarray:
    """Read the picture of a DICOM file: float32 array of shape (height, width) in [0, 1].

    The modality rescaling and the file's own window (VOI LUT) are applied; without a window the
    levels between the 0.5th and the 99.5th percentile are shown. MONOCHROME1 is turned round, so
    that bright is dense. Of several frames the middle one is read.

    Raises:
        InputError: the file is damaged, holds no picture, or is compressed in a way that needs a
            decoder that is not installed.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    try:
        dataset = pydicom.dcmread(path)
        for tag in [element.tag for element in dataset if element.VM == 0]:
            del dataset[tag]  # an empty window or rescaling is none
        pixels = dataset.pixel_array
        if int(dataset.get("NumberOfFrames", 1)) > 1:
            pixels = pixels[len(pixels) // 2]
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            return pixels[..., :3].astype(np.float32) / np.iinfo(pixels.dtype).max
        if dataset.get("SamplesPerPixel", 1) != 1:
            return pixels[..., :3].astype(np.float32) / (2**dataset.BitsStored - 1)
        levels = apply_modality_lut(pixels, dataset)
        if "VOILUTSequence" in dataset:
            levels = apply_voi_lut(levels, dataset)
    except (InvalidDicomError, EOFError) as error:
        raise InputError(f"{path} is no DICOM file. Give DICOM, PNG or JPEG.") from error
    except Exception as error:  # pydicom and its decoders raise what they like on a damaged file
        raise InputError(
            f"{path} holds no DICOM picture that can be decoded ({_first_line(error)}). "
            "Export it again, uncompressed."
        ) from error
    levels = np.asarray(levels, np.float32)
    low, high = _window(levels, dataset)
    level = np.clip((levels - low) / max(high - low, 1e-6), 0, 1)
    return 1 - level if dataset.PhotometricInterpretation == "MONOCHROME1" else level


def _window(levels: np.ndarray, dataset: Any) -> tuple[float, float]:
    """The levels shown as black and as white."""
    if "VOILUTSequence" in dataset:
        return 0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = (_first(dataset[key].value) for key in ("WindowCenter", "WindowWidth"))
        return centre - width / 2, centre + width / 2
    low, high = np.percentile(levels, (0.5, 99.5))
    return float(low), float(high)


def _first(value: Any) -> float:
    """A window may be given several times; the first is the default."""
    return float(value[0] if isinstance(value, Sequence) else value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
