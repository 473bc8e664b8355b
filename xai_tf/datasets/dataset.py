"""Labeled images as arrays, and the splits for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.inputs.sample import Sample, Sound

Read = Callable[[Path], list[Sample]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Images with their labels.

    A recording of several windows has one row per window, all with the same file number.

    Attributes:
        images: uint8 array of shape (rows, height, width, 3), RGB.
        labels: int array of shape (rows,), indices into `classes`; where a file may have several
            labels or none, of shape (rows, classes): 1 for each that is true, else 0.
        files: int array of shape (rows,), indices into `paths`.
        paths: the files.
        classes: the names of the classes.
        sounds: for each row the sound its spectrogram was made from, or None.
    """

    images: np.ndarray
    labels: np.ndarray
    files: np.ndarray
    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    sounds: tuple[Sound | None, ...]

    def rows(self, mask: np.ndarray) -> Dataset:
        """The rows that a bool mask of shape (rows,) selects."""
        return replace(
            self,
            images=self.images[mask],
            labels=self.labels[mask],
            files=self.files[mask],
            sounds=tuple(self.sounds[row] for row in np.flatnonzero(mask)),
        )

    def sample(self, row: int) -> Sample:
        """One row as a sample, its image in [0, 1]."""
        image, path = self.images[row].astype(np.float32) / 255, self.paths[self.files[row]]
        label = None if self.multi_label else int(self.labels[row])
        return Sample(image=image, source=path, sha256="", label=label, sound=self.sounds[row])

    @property
    def multi_label(self) -> bool:
        """Whether a file may have several labels or none."""
        return self.labels.ndim == 2

    @property
    def file_labels(self) -> np.ndarray:
        """The label, or the labels, of each file that has rows, as `file_means`.

        An int array of shape (files,), or with several labels (files, classes).
        """
        _, first = np.unique(self.files, return_index=True)
        return self.labels[first]

    def file_means(self, values: np.ndarray) -> np.ndarray:
        """Average values of shape (rows, ...) over the windows of each file: (files, ...)."""
        numbers, position = np.unique(self.files, return_inverse=True)
        sums = np.zeros((len(numbers), *values.shape[1:]))
        np.add.at(sums, position, values)
        return sums / np.bincount(position).reshape(-1, *(1,) * (values.ndim - 1))


@dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test set of one source.

    Attributes:
        train: what a model is trained on.
        validation: what the epoch and the settings are chosen by.
        test: what a model is only ever measured on.
        notes: what a person should know about how they were made, one sentence each.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    notes: tuple[str, ...] = ()
