"""The same picture on two sides of a split, which makes a model look better than it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from xai_tf.datasets.listing import counted, some
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset, Splits

SIDE = 24
THRESHOLD = 0.98
CHUNK = 1024


@dataclass(frozen=True)
class Leak:
    """Two files on two sides that show the same.

    Attributes:
        files: the files.
        sides: the name of the set of each.
        correlation: of their thumbnails, in [-1, 1]; 1 where the pixels are equal.
    """

    files: tuple[Path, Path]
    sides: tuple[str, str]
    correlation: float

    def __str__(self) -> str:
        (file, other), (side, other_side) = self.files, self.sides
        return f"{file} ({side}) and {other} ({other_side})"


def find_leaks(splits: Splits) -> list[Leak]:
    """Find files that have the same, or nearly the same, image on two sides.

    Images are compared as grey thumbnails of 24x24 pixels, by correlation, so that a copy is known
    again when it was saved anew, resized or brightened. Of sound, the windows' spectrograms are
    compared. Images whose thumbnails are flat are the same only where all pixels are.

    The threshold of 0.98 was measured at 224, 96 and 32 pixels on five sets (brain, two of chest,
    dogs, speech): of files that are not the same, the most alike correlate at 0.974. Copies (JPEG
    of quality 60, half to one and a half times the size, 10% brighter, or all of these) stay above
    0.989. Of speech, copies in Ogg or MP3, or more quietly, stay above 0.991; one that starts 50 ms
    later is not found (0.82 at worst).

    Returns:
        For each pair of sets and each file of the second, the file of the first most like it, if
        they are the same; the most alike first.
    """
    sides = {side: getattr(splits, side) for side in ("train", "validation", "test")}
    thumbnails = {side: _thumbnails(data.images) for side, data in sides.items()}
    leaks = []
    for one, other in combinations(sides, 2):
        best: dict[int, Leak] = {}
        for row, twin, correlation in _twins(
            (sides[one].images, thumbnails[one]), (sides[other].images, thumbnails[other])
        ):
            number = sides[other].files[row]
            if number not in best or correlation > best[number].correlation:
                files = _path(sides[one], twin), _path(sides[other], row)
                best[number] = Leak(files, (one, other), correlation)
        leaks += best.values()
    return sorted(leaks, key=lambda leak: -leak.correlation)


def check_leaks(splits: Splits, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Refuse sets that share a picture, unless one of the two files is allowed by name.

    Args:
        splits: the sets.
        allowed: names of files, with as many of their folders as tell them apart; "all" for any.

    Returns:
        A note on the leaks that were allowed, if any.

    Raises:
        InputError: there are others; the text names the first.
    """
    leaks = find_leaks(splits)
    refused = [leak for leak in leaks if "all" not in allowed and not _is_allowed(leak, allowed)]
    if refused:
        raise InputError(
            f"{counted(len(refused), 'file')} of one set shown again in another: "
            f"{some(refused)}. Remove one of each pair, or allow it with --allow-leak "
            f"{refused[0].files[1].name} (or all)."
        )
    return (f"{counted(len(leaks), 'leak')} allowed: {some(leaks)}.",) if leaks else ()


def _is_allowed(leak: Leak, allowed: tuple[str, ...]) -> bool:
    return any(
        f"/{file.as_posix()}".endswith(f"/{name}") for file in leak.files for name in allowed
    )


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Grey thumbnails of mean 0 and length 1, or all 0 where flat: float32, (rows, 576)."""
    small = np.empty((len(images), SIDE * SIDE), np.float32)
    for row, image in enumerate(images):
        grey = Image.fromarray(image).convert("L")
        small[row] = np.asarray(grey.resize((SIDE, SIDE), Image.BOX)).ravel()
    flat = np.ptp(small, axis=1) <= 1  # a grey level may be rounding
    small -= small.mean(axis=1, keepdims=True)
    small[flat] = 0
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1)


def _twins(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> list[tuple[int, int, float]]:
    """Rows of the other set, the row of the first that is the same, and their correlation."""
    (images, thumbnails), (other_images, other_thumbnails) = one, other
    found = []
    for start in range(0, len(other_images), CHUNK):
        alike = other_thumbnails[start : start + CHUNK] @ thumbnails.T
        nearest = alike.argmax(axis=1)
        for place in np.flatnonzero(alike.max(axis=1) >= THRESHOLD):
            row, twin = int(start + place), int(nearest[place])
            equal = np.array_equal(other_images[row], images[twin])
            found.append((row, twin, 1.0 if equal else min(1.0, float(alike[place, twin]))))
    flat = {images[row].tobytes(): int(row) for row in np.flatnonzero(~thumbnails.any(axis=1))}
    for row in np.flatnonzero(~other_thumbnails.any(axis=1)):
        twin = flat.get(other_images[row].tobytes())
        if twin is not None:
            found.append((int(row), twin, 1.0))
    return found


def _path(data: Dataset, row: int) -> Path:
    return data.paths[data.files[row]]
