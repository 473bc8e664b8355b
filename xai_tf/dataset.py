"""A folder of class folders, read into arrays for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.errors import InputError
from xai_tf.sample import Sample, Sound
from xai_tf.task import Task

Progress = Callable[[int, int, str], None]


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
    """What is trained on, what chooses the epoch, and what is only ever measured on."""

    train: Dataset
    validation: Dataset
    test: Dataset


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the class folders in a folder, in alphabetical order.

    Raises:
        InputError: there are fewer than two.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the name.")
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(found) < 2:
        raise InputError(
            f"{folder} holds {len(found)} class folder{'s' * (len(found) != 1)}; a classifier "
            "needs at least two. Make one folder a class, with its files in it."
        )
    return tuple(found)


def read_folder(
    folder: Path,
    task: Task,
    image_size: tuple[int, int] = (224, 224),
    classes: tuple[str, ...] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a folder of class folders.

    Args:
        folder: holds one folder a class.
        task: how files are read.
        image_size: (height, width).
        classes: the class folders in the order of the outputs; those of the task, or all that
            are there in alphabetical order.
        progress: called with (files read, files in all, file name).

    Raises:
        InputError: a class is missing or empty, or a file cannot be read; the text names it.
    """
    classes = classes or task.classes or class_folders(folder)
    labelled = [
        (path, label)
        for label, name in enumerate(classes)
        for path in class_files(folder / name, task.suffixes)
    ]
    images, labels, files, sounds = [], [], [], []
    for number, (path, label) in enumerate(labelled):
        if progress:
            progress(number, len(labelled), path.name)
        for sample in task.windows(path, image_size):
            images.append(np.rint(sample.image * 255).astype(np.uint8))
            labels.append(label)
            files.append(number)
            sounds.append(sample.sound)
    paths = tuple(path for path, _ in labelled)
    return Dataset(
        np.stack(images), np.array(labels), np.array(files), paths, tuple(classes), tuple(sounds)
    )


def class_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The readable files of a class folder, in alphabetical order.

    Raises:
        InputError: there are none.
    """
    if not folder.is_dir():
        raise InputError(f"There is no class folder {folder}. Name the folders as the classes.")
    found = readable_files(folder, suffixes)
    if not found:
        raise InputError(
            f"{folder} holds no file that can be read ({', '.join(suffixes)}). Add some, or leave "
            "the class out."
        )
    return found


def readable_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The files below a folder with one of the endings, without hidden ones, in order."""
    endings = tuple(suffixes)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and not path.name.startswith(".")
    )


def read_splits(
    folder: Path,
    task: Task,
    image_size: tuple[int, int] = (224, 224),
    seed: int = 0,
    progress: Progress | None = None,
) -> Splits:
    """Read train, validation and test sets.

    Where the folder has a `train` and a `test` folder, the test set is that one and 15% of the
    files of each class of `train` validate; else 15% validate and 15% test.

    Raises:
        InputError: as `read_folder`.
    """
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        rest = read_folder(folder / "train", task, image_size, progress=progress)
        test = read_folder(folder / "test", task, image_size, rest.classes, progress)
    else:
        rest, test = split(read_folder(folder, task, image_size, progress=progress), 0.15, seed)
    train, validation = split(rest, 0.15, seed)
    return Splits(train, validation, test)


def split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Part a data set in two, by file and by class: (the rest, `share` of each class).

    Raises:
        InputError: a class has fewer than two files.
    """
    rng = np.random.default_rng(seed)
    taken = np.zeros(len(dataset.labels), dtype=bool)
    for label, name in enumerate(dataset.classes):
        numbers = np.unique(dataset.files[dataset.labels == label])
        if len(numbers) < 2:
            raise InputError(
                f"Class {name!r} has {len(numbers)} file{'s' * (len(numbers) != 1)}: too few to "
                "train and to validate. Add some."
            )
        count = max(1, round(share * len(numbers)))
        taken |= np.isin(dataset.files, rng.permutation(numbers)[:count])
    return dataset.rows(~taken), dataset.rows(taken)
