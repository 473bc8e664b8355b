"""The files of all splits with their groups, and the parts of them that are left out at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_FOLDS = 20  # with more groups, several are left out at a time


@dataclass(frozen=True, eq=False)
class FileTable:
    """All files of all splits.

    Attributes:
        features: float array of shape (rows, channels).
        labels: int array of shape (files,), or of several labels (files, labels).
        files: int array of shape (rows,), the number of the file of each row.
        groups: int array of shape (files,), the number of its group.
        num_classes: of the classes.
    """

    features: np.ndarray
    labels: np.ndarray
    files: np.ndarray
    groups: np.ndarray
    num_classes: int


def parts_of_groups(table: FileTable, seed: int) -> list[np.ndarray]:
    """The file numbers to leave out at a time: those of a group, or of several.

    Args:
        table: the files.
        seed: random seed by which more than `MOST_FOLDS` groups are put together.
    """
    numbers, sizes = np.unique(table.groups[table.groups >= 0], return_counts=True)
    if len(numbers) <= MOST_FOLDS:
        return [np.flatnonzero(table.groups == number) for number in numbers]
    loads, part_of = np.zeros(MOST_FOLDS), {}
    shuffled = np.random.default_rng(seed).permutation(len(numbers))
    for place in sorted(shuffled, key=lambda place: -sizes[place]):  # the largest groups first
        part = int(loads.argmin())
        part_of[numbers[place]] = part
        loads[part] += sizes[place]
    parts = np.array([part_of.get(group, -1) for group in table.groups])
    return [np.flatnonzero(parts == part) for part in range(MOST_FOLDS)]


def usable_parts(table: FileTable, parts: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """The parts without which every class still has files; and the files of the others."""
    used = np.flatnonzero(table.groups >= 0)
    kept, lost = [], list[int]()
    for part in parts:
        rest = np.setdiff1d(used, part)
        counts = one_hot(table)[rest].sum(axis=0)
        varied = counts.all() and (table.labels.ndim == 1 or (counts < len(rest)).all())
        if varied:
            kept.append(part)
        else:
            lost.extend(part.tolist())
    return kept, lost


def random_parts(
    table: FileTable, numbers: np.ndarray, num_parts: int, seed: int
) -> list[np.ndarray]:
    """Parts of files drawn at random, each with its share of every class.

    Args:
        table: the files.
        numbers: int array, the files to draw from.
        num_parts: the number of parts, at least two of which are made.
        seed: random seed of the draw.
    """
    num_parts = max(2, num_parts)
    shuffled = np.random.default_rng(seed).permutation(numbers)
    keys = one_hot(table)[shuffled] @ (2.0 ** np.arange(table.num_classes))
    ordered = shuffled[np.argsort(keys, kind="stable")]
    return [ordered[part::num_parts] for part in range(num_parts) if len(ordered[part::num_parts])]


def one_hot(table: FileTable) -> np.ndarray:
    """Which classes or labels each file has: bool array of shape (files, classes)."""
    if table.labels.ndim == 2:
        return table.labels == 1
    return np.eye(table.num_classes, dtype=bool)[table.labels]
