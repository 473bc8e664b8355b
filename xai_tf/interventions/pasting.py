"""Lay the region of one input into the surroundings of another."""

from __future__ import annotations

import numpy as np

FEATHER = 1 / 112  # standard deviation of the blurred seam, as a share of the shorter side
SMALL = 0.1  # share of a region from which a piece of it counts


def paste(
    values: np.ndarray, mask: np.ndarray, onto: np.ndarray, onto_mask: np.ndarray
) -> np.ndarray:
    """The surroundings of one input with the region of another in the place of its own.

    The region is moved and stretched so that the boxes around both regions agree, each piece to the
    box of its counterpart where both regions have as many (two lungs). It takes the outline of the
    region that it replaces: where it would be too small, its nearest pixels go on, so that no pixel
    of its own surroundings comes along. Regions that are whole columns, such as the times of
    speech, are joined and stretched to the columns that they replace. The seam is blurred by 2 of
    224 pixels.

    Args:
        values: float array of shape (height, width, 3) with the region.
        mask: bool array of shape (height, width), true in the region; neither empty nor full.
        onto: float array of the same shape with the surroundings.
        onto_mask: its own region, likewise.

    Returns:
        float32 array of the same shape.
    """
    from scipy import ndimage

    moved = _moved(values, mask, onto_mask)
    sigma = FEATHER * min(mask.shape)
    inside = ndimage.gaussian_filter(onto_mask.astype(np.float32), sigma, mode="nearest")[..., None]
    return np.asarray(inside * moved + (1 - inside) * onto, np.float32)


def _moved(values: np.ndarray, mask: np.ndarray, onto_mask: np.ndarray) -> np.ndarray:
    """The region where the other region is, continued by its nearest pixels everywhere else."""
    from scipy import ndimage

    if np.array_equal(mask, onto_mask):
        return _continued(values, mask)
    if _is_columns(mask) and _is_columns(onto_mask):
        return _moved_columns(values, mask[0], onto_mask[0])
    pieces, places = _pieces(mask), _pieces(onto_mask)
    if len(pieces) != len(places):
        pieces, places = [mask], [onto_mask]
    moved = [_moved_piece(values, *pair) for pair in zip(pieces, places, strict=True)]
    nearest = np.argmin([ndimage.distance_transform_edt(~place) for place in places], axis=0)
    chosen: np.ndarray = np.take_along_axis(np.stack(moved), nearest[None, ..., None], axis=0)[0]
    return chosen


def _continued(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values in a region, and everywhere else those of its nearest pixel."""
    from scipy import ndimage

    rows, columns = ndimage.distance_transform_edt(
        ~mask, return_distances=False, return_indices=True
    )
    return values[rows, columns]


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    """The connected pieces of at least a tenth of the area, from left to right."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    pieces = [labels == number for number in range(1, count + 1)]
    large = [piece for piece in pieces if piece.sum() >= SMALL * mask.sum()]
    return sorted(large, key=lambda piece: float(np.flatnonzero(piece.any(axis=0)).mean()))


def _moved_piece(values: np.ndarray, mask: np.ndarray, onto_mask: np.ndarray) -> np.ndarray:
    """The values of one piece, stretched so that its box is that of the other."""
    from scipy import ndimage

    continued = _continued(values, mask)
    rows = _stretched(np.any(mask, axis=1), np.any(onto_mask, axis=1))
    columns = _stretched(np.any(mask, axis=0), np.any(onto_mask, axis=0))
    place = np.broadcast_arrays(rows[:, None], columns)
    channels = [
        ndimage.map_coordinates(continued[..., channel], place, order=1, mode="nearest")
        for channel in range(values.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def _is_columns(mask: np.ndarray) -> bool:
    return bool((mask == mask[:1]).all())


def _moved_columns(values: np.ndarray, times: np.ndarray, onto_times: np.ndarray) -> np.ndarray:
    """The columns of one side by side, stretched to those of the other; all others repeat them."""
    source, wanted = np.flatnonzero(times), np.flatnonzero(onto_times)
    place = np.interp(np.arange(len(times)), wanted, np.linspace(0, len(source) - 1, len(wanted)))
    return values[:, source[np.rint(place).astype(int)]]


def _stretched(covered: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """For each row (or column) of the other input the position in this one, as a float."""
    first, last = np.flatnonzero(covered)[[0, -1]]
    start, end = np.flatnonzero(onto)[[0, -1]]
    scale = (last - first + 1) / (end - start + 1)
    place: np.ndarray = (np.arange(len(onto)) - start + 0.5) * scale + first - 0.5
    return place
