"""Labelled files, parted and read into arrays for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.inputs.sample import Sample, Sound

Read = Callable[[Path], list[Sample]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with their labels.

    A recording of several windows stands in several rows with one file number.

    Attributes:
        images: uint8 array of shape (rows, height, width, 3), RGB.
        labels: int array of shape (rows,), indices into classes.
        files: int array of shape (rows,), indices into paths.
        paths: the files.
        classes: the names of the classes.
        sounds: the sound behind each image, or None.
    """

    images: np.ndarray
    labels: np.ndarray
    files: np.ndarray
    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    sounds: tuple[Sound | None, ...]

    def rows(self, which: np.ndarray) -> Dataset:
        """The rows chosen by a boolean mask."""
        chosen = (self.images[which], self.labels[which], self.files[which])
        sounds = tuple(self.sounds[row] for row in np.flatnonzero(which))
        return Dataset(*chosen, self.paths, self.classes, sounds)

    def sample(self, row: int) -> Sample:
        """A row as a sample."""
        image, path = self.images[row].astype(np.float32) / 255, self.paths[self.files[row]]
        return Sample(image, path, "", int(self.labels[row]), self.sounds[row])

    @property
    def file_labels(self) -> np.ndarray:
        """Int array: the label of each file that has rows here, in the order of `file_means`."""
        _, first = np.unique(self.files, return_index=True)
        return self.labels[first]

    def file_means(self, rows: np.ndarray) -> np.ndarray:
        """Average values of shape (rows, ...) over the windows of each file."""
        numbers, position = np.unique(self.files, return_inverse=True)
        sums = np.zeros((len(numbers), *rows.shape[1:]))
        np.add.at(sums, position, rows)
        return sums / np.bincount(position).reshape(-1, *(1,) * (rows.ndim - 1))


@dataclass(frozen=True, eq=False)
class Splits:
    """What is trained on, what chooses the epoch, and what is only ever measured on.

    Attributes:
        notes: what a person should know of how they were made, a sentence each.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    notes: tuple[str, ...] = ()
