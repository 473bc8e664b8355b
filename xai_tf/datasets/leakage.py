"""Leakage: the same picture in two splits, which makes a model look better than it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from xai_tf.datasets.listing import counted, some
from xai_tf.datasets.splits import SPLITS
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset, Splits

SIDE = 24  # of a thumbnail, in pixels
THRESHOLD = 0.98  # the correlation of thumbnails from which two pictures are the same
CHUNK = 1024  # rows compared at once


@dataclass(frozen=True)
class DuplicatePair:
    """Two files in two splits that show the same.

    Attributes:
        files: the two files.
        splits: the name of the split of each.
        correlation: of their thumbnails, in [-1, 1]; 1 where the pixels are equal.
    """

    files: tuple[Path, Path]
    splits: tuple[str, str]
    correlation: float

    def __str__(self) -> str:
        (file, other), (split, other_split) = self.files, self.splits
        return f"{file} ({split}) and {other} ({other_split})"


def find_leakage(splits: Splits) -> list[DuplicatePair]:
    """Find files that have the same, or nearly the same, image in two splits.

    Images are compared by the correlation of gray thumbnails of 24x24 pixels, so that a copy is
    recognized even if it was compressed again, resized or brightened. For sound, the spectrograms
    of the windows are compared. Images whose thumbnails are flat match only if all pixels match.

    The threshold of 0.98 was measured at 224, 96 and 32 pixels on five sets (brain, two of chest,
    dogs, speech): among different files, the most similar correlate at 0.974. Copies (JPEG of
    quality 60, half to one and a half times the size, 10% brighter, or all of these) stay above
    0.989. Copies of speech in Ogg or MP3, or at a lower volume, stay above 0.991; one that starts
    50 ms later is not found (0.82 at worst).

    Returns:
        For each two splits and each file of the second, the most similar file of the first, if the
        two show the same; the most similar pairs first.
    """
    sets: dict[str, Dataset] = {name: getattr(splits, name) for name in SPLITS}
    thumbnails = {name: _thumbnails(data.images) for name, data in sets.items()}
    pairs: list[DuplicatePair] = []
    for one, other in combinations(sets, 2):
        best: dict[int, DuplicatePair] = {}
        for row, twin, correlation in _matching_rows(
            (sets[one].images, thumbnails[one]), (sets[other].images, thumbnails[other])
        ):
            number = int(sets[other].files[row])
            if number not in best or correlation > best[number].correlation:
                files = _path(sets[one], twin), _path(sets[other], row)
                best[number] = DuplicatePair(files, (one, other), correlation)
        pairs += best.values()
    return sorted(pairs, key=lambda pair: -pair.correlation)


def check_leakage(splits: Splits, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Refuse splits that share a picture, unless one of the two files is allowed by name.

    Args:
        splits: the splits.
        allowed: names of files, with as many parent folders as needed to tell them apart; "all"
            for any.

    Returns:
        A note on the pairs that were allowed, if any.

    Raises:
        InputError: there are others; the text names the first ones.
    """
    pairs = find_leakage(splits)
    refused = [pair for pair in pairs if "all" not in allowed and not _is_allowed(pair, allowed)]
    if refused:
        raise InputError(
            f"Data leakage: {counted(len(refused), 'file')} of one split also in another: "
            f"{some(refused)}. Remove one file of each pair, or allow it with --allow-leak "
            f"{refused[0].files[1].name} (or all)."
        )
    return (f"Data leakage allowed: {some(pairs)}.",) if pairs else ()


def _is_allowed(pair: DuplicatePair, allowed: tuple[str, ...]) -> bool:
    return any(
        f"/{file.as_posix()}".endswith(f"/{name}") for file in pair.files for name in allowed
    )


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Gray thumbnails of mean 0 and length 1, or all 0 where flat: float32, (rows, 576)."""
    small = np.empty((len(images), SIDE * SIDE), np.float32)
    for row, image in enumerate(images):
        gray = Image.fromarray(image).convert("L")
        small[row] = np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    flat = np.ptp(small, axis=1) <= 1  # one gray level may be due to rounding
    small -= small.mean(axis=1, keepdims=True)
    small[flat] = 0
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1)


def _matching_rows(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> list[tuple[int, int, float]]:
    """(row of the other set, row of the first that shows the same, correlation) of each match."""
    (images, thumbnails), (other_images, other_thumbnails) = one, other
    matches = []
    for start in range(0, len(other_images), CHUNK):
        correlations = other_thumbnails[start : start + CHUNK] @ thumbnails.T
        nearest = correlations.argmax(axis=1)
        for index in np.flatnonzero(correlations.max(axis=1) >= THRESHOLD):
            row, twin = int(start + index), int(nearest[index])
            equal = np.array_equal(other_images[row], images[twin])
            matches.append(
                (row, twin, 1.0 if equal else min(1.0, float(correlations[index, twin])))
            )
    flat = {images[row].tobytes(): int(row) for row in np.flatnonzero(~thumbnails.any(axis=1))}
    for flat_row in np.flatnonzero(~other_thumbnails.any(axis=1)):
        content = other_images[flat_row].tobytes()
        if content in flat:
            matches.append((int(flat_row), flat[content], 1.0))
    return matches


def _path(data: Dataset, row: int) -> Path:
    return data.paths[data.files[row]]
