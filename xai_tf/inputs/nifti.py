"""NIfTI: read one slice of a volume, as radiologists look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.errors import InputError
from xai_tf.inputs.pixels import (
    Pixels,
    check_finite,
    check_size,
    choose_frame,
    window_warning,
    windowed,
)
from xai_tf.packages import has_extra

NIFTI_SUFFIXES = (".nii", ".nii.gz")
PERCENTILES = (0.5, 99.5)
# Where down and right point in the picture, by where the slices are stacked: axial, coronal and
# sagittal. The patient's right is on the left (the radiological convention).
PLANES = {"S": ("P", "L"), "I": ("P", "L"), "A": ("I", "L"), "P": ("I", "L")}
PLANES |= {"R": ("I", "P"), "L": ("I", "P")}


def is_nifti(path: Path) -> bool:
    """Whether a file is named as NIfTI or has its signature."""
    with path.open("rb") as file:
        magic = file.read(348)[344:]
    return path.name.lower().endswith(NIFTI_SUFFIXES) or magic in (b"n+1\0", b"ni1\0")


def read_nifti(path: Path, frame: int | None = None) -> Pixels:
    """Read one slice of a volume along its third axis, from the first volume of a series.

    The slice is turned to the usual view by the affine of the file: axial slices with anterior
    above, coronal and sagittal ones with superior above, the patient's right on the left of axial
    and coronal slices, and anterior on the left of sagittal ones. Black and white are the 0.5th
    and the 99.5th percentile of the slice, which a warning names. The voxel size is ignored.

    Args:
        path: a .nii or .nii.gz file.
        frame: number of the slice, from 1, in the order of the file; None reads the middle one.

    Raises:
        InputError: nibabel is missing, the file is damaged or is no gray picture, it has fewer
            slices, or a pixel is NaN or infinite.
    """
    if not has_extra("nifti"):
        raise InputError(
            f"Cannot read {path}: it is a NIfTI volume, which needs one more package. "
            "Run: pip install 'xai-tf[nifti]', or export the slice as PNG."
        )
    try:
        return _read_slice(path, frame)
    except InputError:
        raise
    except Exception as error:  # nibabel and gzip raise many types on a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"Cannot read {path}: it is not a NIfTI file, or damaged ({reason}). Copy or export it "
            "again."
        ) from error


def _read_slice(path: Path, frame: int | None) -> Pixels:
    import nibabel

    volume: Any = nibabel.load(path)
    shape = volume.shape
    if len(shape) < 2 or 0 in shape or volume.get_data_dtype().kind not in "uif":
        raise InputError(
            f"Cannot read {path}: a NIfTI file of shape {shape} and type "
            f"{volume.get_data_dtype()} is no gray picture. Export the slice as PNG."
        )
    check_size(path, *shape[:2])
    num_slices = shape[2] if len(shape) > 2 else 1
    index, notes = choose_frame(path, num_slices, frame, default=num_slices // 2)
    num_volumes = int(np.prod(shape[3:]))
    if num_volumes > 1:
        notes += (f"Volume 1 of {num_volumes} was read.",)
    first = (slice(None), slice(None), index, *(0,) * (len(shape) - 3))
    levels = np.asarray(volume.dataobj[first[: len(shape)]], np.float64)
    levels = _as_viewed(levels, volume.affine)
    check_finite(path, levels)
    low, high = (float(level) for level in np.percentile(levels, PERCENTILES))
    reason = ", the 0.5th and the 99.5th percentile"
    return Pixels(windowed(levels, low, high), (*notes, window_warning(low, high, reason)))


def _as_viewed(levels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a slice of shape (first axis, second axis) into rows from above, columns from left."""
    import nibabel

    orientations: Any = nibabel.orientations
    stored = orientations.io_orientation(affine)
    codes = orientations.ornt2axcodes(stored)
    if None in codes:  # a degenerate affine: as if the axes pointed right, anterior and superior
        codes = ("R", "A", "S")
    view = orientations.axcodes2ornt((*PLANES[codes[2]], codes[2]))
    turn = orientations.ornt_transform(orientations.axcodes2ornt(codes), view)
    return orientations.apply_orientation(levels[..., None], turn)[..., 0]
