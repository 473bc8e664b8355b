"""The ways labelled data lies on a disk, each turned into a listing."""

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
    """List the labelled files of a folder or of a CSV file.

    Raises:
        InputError: there is no such data, a class is missing or empty, or a CSV file lacks a column
            or names files that are not there.
        UnknownNameError: there is no such layout.
        SettingError: `group` is no regular expression.
    """
    options = options or DataOptions()
    if not source.exists():
        raise InputError(f"There is no folder or file {source}. Check the name.")
    if source.is_dir() and (options.finding or options.frontal_only):
        raise InputError(f"{source} is a folder; findings and views stand in a CSV file. Give it.")
    layout = LAYOUTS["csv" if source.is_file() else "folder"]
    if options.layout != "auto":
        layout = pick(LAYOUTS, options.layout, "layout")
    elif source.is_dir() and _for_folders(source):
        layout = LAYOUTS["for"]
    listing = layout(source, task, options)
    _check_classes(listing, source)
    return _grouped(listing, source, options.group) if options.group else listing


def folder_listing(
    folder: Path, task: Task, classes: tuple[str, ...] | None = None, split: str = ""
) -> Listing:
    """List a folder of class folders.

    Args:
        folder: holds one folder a class.
        task: which files are looked for.
        classes: the class folders in the order of the outputs; those of the task, or all that
            are there in alphabetical order.
        split: what the files are for.

    Raises:
        InputError: a class is missing or empty.
    """
    classes = classes or task.classes or class_folders(folder)
    entries = [
        Entry(path, label, split, str(path))
        for label, name in enumerate(classes)
        for place in _places(folder, name)
        for path in class_files(place, task.suffixes)
    ]
    return Listing(tuple(entries), tuple(classes))


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the class folders in a folder, in alphabetical order.

    Raises:
        InputError: there are fewer than two.
    """
    found = _folders(folder)
    if len(found) < 2:
        raise InputError(
            f"{folder} holds {counted(len(found), 'class folder')}; a classifier "
            "needs at least two. Make one folder a class, with its files in it."
        )
    return tuple(place.name for place in found)


def class_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The readable files of a class folder, in alphabetical order.

    Raises:
        InputError: there are none.
    """
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


def label_in_path(path: Path, folder: Path, classes: Iterable[str]) -> int | None:
    """The label that the nearest folder above a file and below `folder` is named as, or None."""
    known = tuple(classes)
    labels = (label_of(name, known) for name in path.relative_to(folder).parts[-2::-1])
    return next((label for label in labels if label is not None), None)


def split_in_path(path: Path, folder: Path) -> str:
    """The split that a folder above a file and below `folder` is named as; empty if none is."""
    names = {name.lower() for name in path.relative_to(folder).parts[:-1]}
    return next((split for split, known in SPLIT_FOLDERS.items() if names & set(known)), "")


def _folder_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """A folder a class, or such folders within folders for training, validation and test."""
    sides = {
        split: place
        for split, names in SPLIT_FOLDERS.items()
        for place in _folders(source)
        if place.name.lower() in names
    }
    if "train" not in sides or len(sides) == 1:
        return folder_listing(source, task)
    classes = task.classes or class_folders(sides["train"])
    parts = [folder_listing(place, task, classes, split) for split, place in sides.items()]
    return Listing(tuple(chain(*(part.entries for part in parts))), tuple(classes))


def _for_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """The Fake-or-Real set (FoR, Reimao and Tzerpos 2019), or the folder that holds one of it."""
    found = _for_folders(source)
    if len(found) != 1:
        held = f"holds several versions ({some(found)}). Give one of them."
        none = "holds no folders training/ and testing/. Give the folder that does."
        raise InputError(f"{source} as Fake-or-Real: it {held if found else none}")
    return _folder_layout(found[0], task, options)


def _csv_layout(source: Path, task: Task, options: DataOptions) -> Listing:
    """A CSV file that names files and their labels, such as CheXpert's."""
    if source.is_dir():
        tables = some(path.name for path in sorted(source.glob("*.csv")))
        raise InputError(f"{source} is a folder. Give the CSV file{f': {tables}' * bool(tables)}.")
    if source.suffix.lower() not in (".csv", ".tsv"):
        raise InputError(f"{source} is no CSV file. Give one, or a folder of class folders.")
    return read_label_table(source, task, options)


LAYOUTS: dict[str, Layout] = {"folder": _folder_layout, "csv": _csv_layout, "for": _for_layout}


def _for_folders(source: Path) -> list[Path]:
    """The folders with training/ and testing/ nearest to the top: the source, or up to two below.

    The copies in circulation are nested: for-2sec/for-2seconds/training.
    """
    places = [source]
    for _ in range(3):
        found = [p for p in places if (p / "training").is_dir() and (p / "testing").is_dir()]
        if found:
            return found
        places = [below for place in places for below in _folders(place)]
    return []


def _folders(folder: Path) -> list[Path]:
    if folder.is_file():
        raise InputError(f"{folder} is a file. Give the folder that holds the class folders.")
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check the name.")
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _places(folder: Path, name: str) -> list[Path]:
    """The folders of a class: of its name, or of a synonym."""
    there = _folders(folder)
    found = [place for place in there if label_of(place.name, (name,)) == 0]
    if found:
        return found
    tables = some(path.name for path in sorted(folder.glob("*.csv")))
    raise InputError(
        f"There is no class folder {folder / name}; "
        f"there {'are' if len(there) > 1 else 'is'} {some(p.name for p in there) or 'none'}. "
        f"Name the folders as the classes{f', or give a CSV file ({tables})' * bool(tables)}."
    )


def _check_classes(listing: Listing, source: Path) -> None:
    """Refuse a source that has no file of a class, in all or for a split it brings."""
    for split in {entry.split: "" for entry in listing.entries}:
        for name in listing.where(lambda entry, split=split: entry.split == split).missing():
            where = f" for {split}" * bool(split)
            raise InputError(
                f"{source} has no file of class {name!r}{where}. Add some, or check the labels."
            )


def _grouped(listing: Listing, source: Path, pattern: str) -> Listing:
    """Name the groups by what a regular expression finds in the paths."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise SettingError(
            f"--group {pattern!r} is no regular expression ({error}), as '(patient\\d+)' is."
        ) from error
    base = source if source.is_dir() else source.parent
    entries, lonely = [], []
    for entry in listing.entries:
        text = entry.path.relative_to(base) if entry.path.is_relative_to(base) else entry.path
        match = wanted.search(text.as_posix())
        if match is None:
            lonely.append(text)
        group = match[min(1, wanted.groups)] if match else entry.group
        entries.append(replace(entry, group=group or entry.group))
    if len(lonely) == len(entries):
        raise InputError(
            f"--group {pattern!r} is found in none of the paths in {source}, such as {lonely[0]}. "
            "Mend the expression."
        )
    said = (f"No group in the names of {some(lonely)}.",) if lonely else ()
    return replace(listing, entries=tuple(entries), notes=(*listing.notes, *said))
