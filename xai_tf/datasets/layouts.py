"""The layouts of labeled data on disk, each turned into a listing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from xai_tf.datasets.csv_labels import read_label_table
from xai_tf.datasets.listing import DataOptions, Entry, Listing, counted, label_of, some
from xai_tf.errors import InputError, SettingError, pick
from xai_tf.inputs.task import Task

Layout = Callable[[Path, Task, DataOptions], Listing]

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}


def find_listing(source: Path, task: Task, options: DataOptions | None = None) -> Listing:
    """List the labeled files of a folder or of a CSV file.

    Raises:
        InputError: the source does not exist, a class is missing or empty, or a CSV file lacks a
            column or names files that do not exist.
        UnknownNameError: there is no such layout.
        SettingError: `group` is not a regular expression.
    """
    options = options or DataOptions()
    if not source.exists():
        raise InputError(f"There is no folder or file {source}. Check the name.")
    if source.is_dir() and (options.findings or options.frontal_only):
        raise InputError(
            f"{source} is a folder, but findings and views are columns of a CSV file. Give the CSV "
            "file."
        )
    layout = LAYOUTS["csv" if source.is_file() else "folder"]
    if options.layout != "auto":
        layout = pick(LAYOUTS, options.layout, "layout")
    elif source.is_dir() and _for_folders(source):
        layout = LAYOUTS["for"]
    listing = layout(source, task, options)
    if options.multi_label and not listing.multi_label:
        note = "Each file has the label of its folder; all other labels count as absent."
        listing = replace(listing, multi_label=True, notes=(*listing.notes, note))
    if not options.multi_label:  # where a model is tried on files, a label may have none
        _check_classes(listing, source)
    return _grouped(listing, source, options.group) if options.group else listing


def folder_listing(
    folder: Path, task: Task, classes: tuple[str, ...] | None = None, split: str = ""
) -> Listing:
    """List a folder of class folders.

    Args:
        folder: contains one folder per class.
        task: its `suffixes` are the files to look for.
        classes: the class folders in the order of the outputs. By default the classes of the task,
            or all folders in alphabetical order.
        split: the split of the files, if known.

    Raises:
        InputError: a class is missing or empty.
    """
    classes = classes or task.classes or class_folders(folder)
    entries = [
        Entry(path, (label,), split, str(path))
        for label in range(len(classes))
        for class_folder in _folders_of_class(folder, label, classes)
        for path in class_files(class_folder, task.suffixes)
    ]
    return Listing(tuple(entries), tuple(classes))


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the class folders in a folder, in alphabetical order.

    Raises:
        InputError: there are fewer than two.
    """
    folders = _folders(folder)
    if len(folders) < 2:
        raise InputError(
            f"{folder} contains {counted(len(folders), 'class folder')}; a classifier "
            "needs at least two. Make one folder per class, with its files in it."
        )
    return tuple(class_folder.name for class_folder in folders)


def class_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The readable files of a class folder, in alphabetical order.

    Raises:
        InputError: there are none.
    """
    files = readable_files(folder, suffixes)
    if not files:
        raise InputError(
            f"{folder} contains no file that can be read ({', '.join(suffixes)}). Add some, or "
            "remove the class."
        )
    return files


def readable_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The files below a folder with one of the suffixes, in order; hidden ones are skipped."""
    suffixes = tuple(suffixes)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(suffixes) and not path.name.startswith(".")
    )


def label_in_path(path: Path, folder: Path, classes: Iterable[str]) -> int | None:
    """The label by the nearest folder between `folder` and a file that is named as a class.

    None where no folder is.
    """
    classes = tuple(classes)
    labels = (label_of(name, classes) for name in path.relative_to(folder).parts[-2::-1])
    return next((label for label in labels if label is not None), None)


def split_in_path(path: Path, folder: Path) -> str:
    """The split that a folder between `folder` and a file is named as; empty where none is."""
    names = {name.lower() for name in path.relative_to(folder).parts[:-1]}
    return next(
        (split for split, split_names in SPLIT_FOLDERS.items() if names & set(split_names)), ""
    )


def _folder_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """One folder per class, or such folders within folders for training, validation and test."""
    split_folders = {
        split: folder
        for split, names in SPLIT_FOLDERS.items()
        for folder in _folders(source)
        if folder.name.lower() in names
    }
    if "train" not in split_folders or len(split_folders) == 1:
        return folder_listing(source, task)
    classes = task.classes or class_folders(split_folders["train"])
    listings = [folder_listing(folder, task, classes, s) for s, folder in split_folders.items()]
    return Listing(tuple(chain(*(listing.entries for listing in listings))), tuple(classes))


def _for_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """The Fake-or-Real data set (FoR, Reimao and Tzerpos 2019), or a folder that contains it."""
    folders = _for_folders(source)
    if len(folders) != 1:
        several = f"contains several versions ({some(folders)}). Give one of them."
        none = "contains no folders training/ and testing/. Give the folder that does."
        raise InputError(f"Cannot read {source} as Fake-or-Real: it {several if folders else none}")
    return _folder_layout(folders[0], task, options)


def _csv_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """A CSV file of files and their labels, such as that of CheXpert."""
    if source.is_dir():
        tables = some(path.name for path in sorted(source.glob("*.csv")))
        raise InputError(f"{source} is a folder. Give the CSV file{f': {tables}' * bool(tables)}.")
    if source.suffix.lower() not in (".csv", ".tsv"):
        raise InputError(f"{source} is not a CSV file. Give one, or a folder of class folders.")
    return read_label_table(source, task, options)


LAYOUTS: dict[str, Layout] = {"folder": _folder_layout, "csv": _csv_layout, "for": _for_layout}


def _for_folders(source: Path) -> list[Path]:
    """The topmost folders with training/ and testing/: the source, or up to two levels below.

    The published copies are nested: for-2sec/for-2seconds/training.
    """
    level = [source]
    for _ in range(3):
        matches = [p for p in level if (p / "training").is_dir() and (p / "testing").is_dir()]
        if matches:
            return matches
        level = [child for folder in level for child in _folders(folder)]
    return []


def _folders(folder: Path) -> list[Path]:
    if folder.is_file():
        raise InputError(f"{folder} is a file. Give the folder that contains the class folders.")
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the name.")
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _folders_of_class(folder: Path, label: int, classes: tuple[str, ...]) -> list[Path]:
    """The folders with the name of a class or a synonym of it."""
    folders, name = _folders(folder), classes[label]
    matches = [candidate for candidate in folders if label_of(candidate.name, classes) == label]
    if matches:
        return matches
    tables = some(path.name for path in sorted(folder.glob("*.csv")))
    raise InputError(
        f"There is no class folder {folder / name}; "
        f"there {'are' if len(folders) > 1 else 'is'} {some(p.name for p in folders) or 'none'}. "
        f"Name the folders after the classes{f', or give a CSV file ({tables})' * bool(tables)}."
    )


def _check_classes(listing: Listing, source: Path) -> None:
    """Refuse a source that has no file of a class, in all or in a split it brings."""
    for split in dict.fromkeys(entry.split for entry in listing.entries):
        for name in listing.of_split(split).missing_classes():
            where = f" for {split}" * bool(split)
            raise InputError(
                f"{source} has no file of class {name!r}{where}. Add some, or check the labels."
            )


def _grouped(listing: Listing, source: Path, pattern: str) -> Listing:
    """Name the groups by what a regular expression matches in the paths."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise SettingError(
            f"Invalid value for --group: {pattern!r} ({error}). Expected a regular expression such "
            "as '(patient\\d+)'."
        ) from error
    base = source if source.is_dir() else source.parent
    entries, without_group = [], []
    for entry in listing.entries:
        text = entry.path.relative_to(base) if entry.path.is_relative_to(base) else entry.path
        match = expression.search(text.as_posix())
        if match is None:
            without_group.append(text)
        group = match[min(1, expression.groups)] if match else entry.group
        entries.append(replace(entry, group=group or entry.group))
    if len(without_group) == len(entries):
        raise InputError(
            f"--group {pattern!r} matches none of the paths in {source}, such as "
            f"{without_group[0]}. Fix the expression."
        )
    notes = (f"No group in the names of {some(without_group)}.",) if without_group else ()
    return replace(listing, entries=tuple(entries), notes=(*listing.notes, *notes))
