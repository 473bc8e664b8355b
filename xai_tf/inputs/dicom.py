"""DICOM: read a radiograph or a slice with the gray levels it is meant to be viewed with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.pixels import (
    Pixels,
    check_finite,
    check_size,
    choose_frame,
    white_level,
    window_warning,
    windowed,
)
from xai_tf.packages import has_extra

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

PERCENTILES = (0.5, 99.5)
# The modules whose tags frames of an enhanced file hold in their functional groups.
FRAME_MODULES = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
# An element without a value does not count.
OPTIONAL = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "PresentationLUTShape", "NumberOfFrames"),
)
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM signature, or at least the suffix .dcm."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"


def read_dicom(path: Path, frame: int | None = None) -> Pixels:
    """Read one frame of a DICOM file as a viewer shows it (PS3.3 C.11, by pydicom).

    The chain is modality LUT or rescaling, VOI LUT or the first window by its function (linear,
    exact or sigmoid), then polarity: MONOCHROME1 and the presentation LUT shape INVERSE are
    inverted, so that bright means what the file means by white. Functional groups of enhanced files
    count for their frame. Without a valid window, black and white are the 0.5th and the 99.5th
    percentile of the levels, which a warning names. Padding counts in neither and is black. Color
    is converted to RGB.

    Args:
        path: the file, with or without the preamble of 128 bytes.
        frame: number of the frame, from 1; None reads the middle one.

    Raises:
        InputError: the file is damaged, contains no picture, has too many pixels or fewer frames,
            or needs a decoder that is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, about files that it reads nevertheless
        try:
            return _read_frame(path, frame)
        except InputError:
            raise
        except Exception as error:  # pydicom and its decoders raise many types on a damaged file
            raise InputError(
                f"Cannot decode the DICOM picture in {path} ({_first_line(error)}). "
                "Export it again, uncompressed."
            ) from error


def _read_frame(path: Path, frame: int | None) -> Pixels:
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    dataset = _open(path)
    check_size(path, dataset.Rows, dataset.Columns)
    num_frames = max(1, int(dataset.get("NumberOfFrames", 1)))
    index, notes = choose_frame(path, num_frames, frame, default=num_frames // 2)
    _take_functional_groups(dataset, index)
    stored = _decode(path, dataset, index)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colors = apply_color_lut(stored, dataset)[..., :3]
        return Pixels(colors.astype(np.float32) / np.iinfo(colors.dtype).max, notes)
    if dataset.get("SamplesPerPixel", 1) != 1:
        white = 2.0**dataset.BitsStored - 1
        return Pixels(windowed(stored[..., :3], 0, white), notes)
    check_finite(path, stored)
    padding = _padding(stored, dataset)
    levels, warning = _gray(apply_modality_lut(stored, dataset), padding, dataset)
    if _is_inverted(dataset):
        levels = 1 - levels
    levels[padding] = 0
    return Pixels(levels, notes + warning)


def _open(path: Path) -> FileDataset:
    """Read the file; refuse one that holds no picture or needs a decoder that is missing."""
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    not_dicom = f"Cannot read {path}: it is not a DICOM file. Give DICOM, PNG or JPEG."
    try:
        dataset = pydicom.dcmread(path)
    except InvalidDicomError as error:
        without = _without_preamble(path)
        if without is None:
            raise InputError(not_dicom) from error
        dataset = without
    except EOFError as error:
        raise InputError(not_dicom) from error
    if "Rows" not in dataset or not any(name in dataset for name in PIXELS):
        kind = dataset.file_meta.get("MediaStorageSOPClassUID")
        name = f" (it is of the class {kind.name})" if kind else ""
        raise InputError(
            f"Cannot read {path}: this DICOM file contains no picture{name}. Export it again with "
            "its pixels, or give another file of the study."
        )
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    for name in OPTIONAL:
        if name in dataset and dataset[name].VM == 0:
            del dataset[name]
    _check_decoder(path, dataset)
    return dataset


def _without_preamble(path: Path) -> FileDataset | None:
    """Read a file that starts with its elements, or None where it holds nothing of a picture."""
    import pydicom

    try:
        dataset = pydicom.dcmread(path, force=True)
        return dataset if "Rows" in dataset and "PixelData" in dataset else None
    except Exception:  # any bytes may come here
        return None


def _check_decoder(path: Path, dataset: Dataset) -> None:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise InputError(
            f"Cannot read {path}: its picture is compressed as {syntax.name}, which has no "
            "decoder here. Export it again, uncompressed."
        ) from error
    if not decoder.is_available:
        raise InputError(
            f"Cannot read {path}: its picture is compressed as {syntax.name}, which needs another "
            "decoder. Run: pip install 'xai-tf[dicom]', or export it again, uncompressed."
        )


def _decode(path: Path, dataset: Dataset, index: int) -> np.ndarray:
    """The stored numbers of a frame, or its colors as RGB."""
    from pydicom.pixels import pixel_array

    try:
        return pixel_array(dataset, index=index)
    except RuntimeError as error:
        syntax = dataset.file_meta.TransferSyntaxUID
        reasons = [line.strip() for line in str(error).splitlines()[1:]]
        if not syntax.is_encapsulated or not reasons:
            raise
        install = "" if has_extra("dicom") else "Run: pip install 'xai-tf[dicom]', or "
        step = f"{install}export it again, uncompressed."
        raise InputError(
            f"Cannot decode the DICOM picture in {path}: it is compressed as {syntax.name} "
            f"({'; '.join(reasons)}). {step[0].upper()}{step[1:]}"
        ) from error


def _take_functional_groups(dataset: Dataset, index: int) -> None:
    """Copy the rescaling and the window of a frame to where files of one frame have them."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared[:1], *per_frame[index : index + 1]):
        for module in FRAME_MODULES:
            for element in (group.get(module) or [[]])[0]:
                if element.VM:
                    dataset[element.tag] = element


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where a frame is padding and shows nothing: a boolean array."""
    if "PixelPaddingValue" not in dataset:
        return np.zeros(stored.shape, bool)
    ends = (dataset.PixelPaddingValue, dataset.get("PixelPaddingRangeLimit"))
    limits = [int(end) for end in ends if end is not None]
    return (stored >= min(limits)) & (stored <= max(limits))


def _gray(
    levels: np.ndarray, padding: np.ndarray, dataset: Dataset
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Levels after the modality LUT as 0 (the file's black) to 1, and the warning of a guess."""
    from pydicom.pixels import apply_windowing

    if "VOILUTSequence" in dataset:
        return _by_voi_lut(levels, dataset), ()
    if _has_window(dataset):
        dataset.setdefault("BitsStored", 32)  # floats have none; the ends below make it irrelevant
        dataset.setdefault("PixelRepresentation", 0)
        ends = np.append(levels.astype(np.float64), [-np.inf, np.inf])
        with np.errstate(over="ignore"):
            shown = apply_windowing(ends, dataset)
        black, white = shown[-2:]
        scaled = (shown[:-2] - black) / (white - black or 1)
        return np.clip(scaled, 0, 1).astype(np.float32).reshape(levels.shape), ()
    visible = levels[~padding] if not padding.all() else levels
    low, high = (float(level) for level in np.percentile(visible, PERCENTILES))
    reason = ", the 0.5th and the 99.5th percentile, as the file has no valid window"
    return windowed(levels, low, high), (window_warning(low, high, reason),)


def _by_voi_lut(levels: np.ndarray, dataset: Dataset) -> np.ndarray:
    from pydicom.pixels import apply_voi

    table = dataset.VOILUTSequence[0]
    entries, first, bits = table.LUTDescriptor
    if first >= 2**15 and levels.min() < 0:  # a negative number, stored as an unsigned one
        first -= 2**16
        table.LUTDescriptor = [entries, first, bits]
    inputs = np.arange(first, first + (entries or 2**16))
    # Some files declare 16 bits and fill 12 of them.
    white = white_level(apply_voi(inputs, dataset))
    return windowed(apply_voi(np.rint(levels).astype(np.int64), dataset), 0, white)


def _has_window(dataset: Dataset) -> bool:
    if "WindowCenter" not in dataset or "WindowWidth" not in dataset:
        return False
    width = dataset["WindowWidth"]
    first = width.value[0] if width.VM > 1 else width.value
    linear = str(dataset.get("VOILUTFunction", "LINEAR")).upper() == "LINEAR"
    return first >= 1 if linear else first > 0


def _is_inverted(dataset: Dataset) -> bool:
    """Whether low levels are bright.

    A file of MONOCHROME1 says INVERSE too where it has a presentation LUT shape (PS3.3 C.8.11.1),
    so that the two are one inversion.
    """
    shape = dataset.get("PresentationLUTShape", "IDENTITY")
    return dataset.PhotometricInterpretation == "MONOCHROME1" or shape == "INVERSE"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
