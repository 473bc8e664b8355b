"""Read labeled files into arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from xai_tf.datasets.dataset import Dataset, Read, Splits
from xai_tf.datasets.layouts import find_listing, folder_listing
from xai_tf.datasets.leakage import check_leakage
from xai_tf.datasets.listing import DataOptions, Listing, some
from xai_tf.datasets.splits import SPLITS, make_splits
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.inputs.task import Task
from xai_tf.progress import Progress, silent


def read_folder(
    folder: Path,
    task: Task,
    image_size: tuple[int, int] = (224, 224),
    classes: tuple[str, ...] | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Read a folder of class folders.

    Args:
        folder: contains one folder per class.
        task: how files are read.
        image_size: (height, width) in pixels.
        classes: the class folders in the order of the outputs. By default the classes of the task,
            or all folders in alphabetical order.
        progress: called with (files read, files in all, the file read now).

    Raises:
        InputError: a class is missing or empty, or a file cannot be read; the text names it.
    """
    listing = folder_listing(folder, task, classes)
    return _dataset(listing, _reader(task, image_size, progress, len(listing.entries)))


def read_test_set(
    source: Path,
    task: Task,
    image_size: tuple[int, int],
    like: Dataset,
    options: DataOptions | None = None,
    *,
    progress: Progress = silent,
    notify: Callable[[str], None] = lambda text: None,
) -> Dataset:
    """Read a further test set for a model, of the classes or labels that it is trained on.

    Args:
        source: a folder with one folder per class, or a CSV file. Of a CSV file with splits the
            test split is read.
        task: how files are read.
        image_size: (height, width) in pixels.
        like: a set that the model is trained on.
        options: how that was read; its findings and views are those of the CSV file, too.
        progress: called with (files read, files in all, the file read now).
        notify: called with each remark on the files, such as labels that are ignored.

    Raises:
        InputError: as `read_folder` or `find_listing`; or the model has several labels, and the
            source is a folder, which says one of each file.
    """
    if source.is_dir() and not like.multi_label:
        return read_folder(source, task, image_size, like.classes, progress)
    if source.is_dir():
        raise InputError(
            f"{source} is a folder of one class per file, and the model has several labels, of "
            "which a file may have any number. Give a CSV file that lists the labels."
        )
    options = options or DataOptions()
    options = DataOptions(
        findings=options.findings,
        uncertain=options.uncertain,
        frontal_only=options.frontal_only,
        multi_label=like.multi_label,
    )
    listing = find_listing(source, replace(task, classes=like.classes), options)
    for text in listing.notes:
        notify(f"{source.name}: {text}")
    listing = listing.of_split("test") if listing.of_split("test").entries else listing
    return _dataset(listing, _reader(task, image_size, progress, len(listing.entries)))


def read_splits(
    folder: Path,
    task: Task,
    image_size: tuple[int, int] = (224, 224),
    seed: int = 0,
    progress: Progress = silent,
    options: DataOptions | None = None,
) -> Splits:
    """Read training, validation and test set.

    Splits that the source brings (as folders, or in a column of a CSV file) are used as they are.
    Missing ones are drawn by class and by group: first 15% for testing, then 15% of the rest for
    validation.

    Args:
        folder: the source: a folder or a CSV file.
        task: how files are read.
        image_size: (height, width) in pixels.
        seed: random seed of the split.
        progress: called with (files read, files in all, the file read now).
        options: how the source is found, split and read.

    Raises:
        InputError: as `find_listing`; a class has too few files or groups to be split; a file
            cannot be read; a picture or a group is in two splits.
        SettingError: a share is not between 0 and 1.
    """
    options = options or DataOptions()
    listing = find_listing(folder, task, options)
    listings, group_notes = make_splits(listing, options, seed)
    notes = [*listing.notes, *group_notes]
    read = _reader(task, image_size, progress, len(listing.entries))
    read = _skipping(read, notes) if options.skip_bad else _offering_to_skip(read)
    train, validation, test = (_dataset(listings[name], read) for name in SPLITS)
    splits = Splits(train, validation, test)
    return replace(splits, notes=(*notes, *check_leakage(splits, options.allow_leak)))


def _reader(task: Task, image_size: tuple[int, int], progress: Progress, total: int) -> Read:
    """A function that reads one file after the other and reports the progress."""
    numbers = count()

    def read(path: Path) -> list[Sample]:
        progress(next(numbers), total, f"reading {path.name}")
        return task.windows(path, image_size)

    return read


def _skipping(read: Read, notes: list[str]) -> Read:
    """A reader that skips files that cannot be read, with a note."""

    def reading(path: Path) -> list[Sample]:
        try:
            return read(path)
        except InputError as error:
            notes.append(f"Skipped: {error}")
            return []

    return reading


def _offering_to_skip(read: Read) -> Read:
    """A reader whose errors say how to continue without the file."""

    def reading(path: Path) -> list[Sample]:
        try:
            return read(path)
        except InputError as error:
            raise InputError(f"{error} Or skip such files with --skip-bad.") from error

    return reading


def _dataset(listing: Listing, read: Read) -> Dataset:
    # A byte array grows in place; a list of images would be copied into an array.
    pixels = bytearray()
    shape: tuple[int, ...] = ()
    labels: list[tuple[int, ...]] = []
    files: list[int] = []
    sounds: list[Sound | None] = []
    for number, entry in enumerate(listing.entries):
        for sample in read(entry.path):
            pixels += np.rint(sample.image * 255).astype(np.uint8).tobytes()
            shape = sample.image.shape
            labels.append(entry.labels)
            files.append(number)
            sounds.append(sample.sound)
    paths = tuple(entry.path for entry in listing.entries)
    listed = {label for entry in listing.entries for label in entry.labels}
    for label in listed - {label for read_labels in labels for label in read_labels}:
        unread = some(entry.path for entry in listing.entries if label in entry.labels)
        raise InputError(
            f"Class {listing.classes[label]!r} has no readable file in one of the splits: cannot "
            f"read {unread}. Add files that can be read."
        )
    images = np.frombuffer(pixels, np.uint8).reshape(-1, *shape)
    return Dataset(
        images=images,
        labels=_label_array(labels, listing),
        files=np.array(files),
        paths=paths,
        classes=listing.classes,
        sounds=tuple(sounds),
    )


def _label_array(labels: list[tuple[int, ...]], listing: Listing) -> np.ndarray:
    if not listing.multi_label:
        return np.array([label for (label,) in labels])
    array = np.zeros((len(labels), len(listing.classes)), int)
    for row, true in zip(array, labels, strict=True):
        row[list(true)] = 1
    return array
