"""DICOM: read a radiograph or a slice with the gray levels it is meant to be viewed with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.errors import InputError


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM signature, or at least the suffix .dcm."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"


def read_dicom(path: Path) -> np.ndarray:
    """Read the picture of a DICOM file.

    The modality rescaling and the file's own window (VOI LUT) are applied; without a window, black
    and white are the 0.5th and the 99.5th percentile of the levels. MONOCHROME1 is inverted, so
    that bright means dense. From several frames the middle one is read.

    Returns:
        float32 array of shape (height, width), or (height, width, 3) in color, in [0, 1].

    Raises:
        InputError: the file is damaged, contains no picture, or needs a decoder that is not
            installed.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    try:
        dataset = pydicom.dcmread(path)
        for tag in [element.tag for element in dataset if element.VM == 0]:
            del dataset[tag]  # an empty window or rescaling does not count
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
        raise InputError(
            f"Cannot read {path}: it is not a DICOM file. Give DICOM, PNG or JPEG."
        ) from error
    except Exception as error:  # pydicom and its decoders raise many types on a damaged file
        raise InputError(
            f"Cannot decode the DICOM picture in {path} ({_first_line(error)}). "
            "Export it again, uncompressed."
        ) from error
    levels = np.asarray(levels, np.float32)
    low, high = _window(levels, dataset)
    level = np.clip((levels - low) / max(high - low, 1e-6), 0, 1)
    return 1 - level if dataset.PhotometricInterpretation == "MONOCHROME1" else level


def _window(levels: np.ndarray, dataset: Any) -> tuple[float, float]:
    """The levels of black and of white."""
    if "VOILUTSequence" in dataset:
        return 0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        center, width = (_first(dataset[key].value) for key in ("WindowCenter", "WindowWidth"))
        return center - width / 2, center + width / 2
    low, high = np.percentile(levels, (0.5, 99.5))
    return float(low), float(high)


def _first(value: Any) -> float:
    """The first of several windows, which is the default one."""
    return float(value[0] if isinstance(value, Sequence) else value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
