"""Labeled files on this server: the folders that visitors may read, and the sets in them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dashboards.service.requests import Evaluate, ModelEntry, Upload
from xai_tf.datasets.csv_labels import FILE_COLUMNS
from xai_tf.datasets.layouts import SPLIT_FOLDERS
from xai_tf.datasets.listing import label_of, some
from xai_tf.errors import InputError
from xai_tf.evaluation.predictions import (
    PICTURES,
    LabeledFiles,
    Predictions,
    find_labeled,
    training_files,
)
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.geometry import geometry_of
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.resizing import RESIZERS
from xai_tf.inputs.sample import PICTURE_SUFFIXES, Sample, file_sha256
from xai_tf.regions.mark_files import read_marks
from xai_tf.regions.marks import match_marks, place_marks
from xai_tf.rendering.heatmaps import image_bytes
from xai_tf.tasks import known_task

MARKS = ("marks.csv", "marks.json", "masks")  # in the folder of a set, or in that above it
MAX_DEPTH = 3
MAX_ENTRIES = 500  # entries that are inspected to decide what a folder is
MAX_SETS = 200
MOST_NAMES = 12  # of folders or classes in a message
SIDE = 96  # width and height of a thumbnail in pixels
_SPLIT_NAMES = {name for names in SPLIT_FOLDERS.values() for name in names}


def inside(path: str | Path, roots: Sequence[Path]) -> Path:
    """Resolve a path, following links, if it is in or below one of the roots.

    A relative path is looked up below each root and beside it: `set/test` is found in the root
    `set`.

    Raises:
        InputError: it is outside the roots or does not exist; the error does not reveal which.
    """
    allowed = [root.resolve() for root in roots]
    # Joining an absolute path to a base gives the absolute path.
    for base in (base for root in allowed for base in (root, root.parent)):
        try:
            resolved = (base / path).resolve()
            if any(resolved.is_relative_to(root) for root in allowed) and resolved.exists():
                return resolved
        except (OSError, RuntimeError, ValueError):  # too long, a link loop, a null byte
            continue
    if not allowed:
        raise InputError(
            "This server gives access to no labeled files. Restart it with --data FOLDER."
        )
    raise InputError(
        f"There is no folder {path} below {some(root.name for root in roots)}. Choose a set from "
        "the list, or restart the server with --data FOLDER."
    )


def find_sets(roots: Sequence[Path]) -> dict[str, Path]:
    """The labeled sets in and below the roots, by title.

    A set is a folder with at least two subfolders of readable files, or a CSV file with a column of
    files and one of labels. At most 200 sets per root, up to three folders deep.
    """
    sets: dict[str, Path] = {}
    for root in roots:
        for path in islice(_sets(root.resolve(), MAX_DEPTH), MAX_SETS):
            title = path.relative_to(root.resolve().parent).as_posix()
            sets[title if title not in sets else str(path)] = path
    return dict(sorted(sets.items()))


def find_files(
    request: Evaluate, classes: Sequence[str], multi_label: bool = False
) -> LabeledFiles:
    """The labeled files of a request, matched by class names and their synonyms.

    Args:
        request: the folder or CSV file, its split, and the model.
        classes: the classes of the model.
        multi_label: whether a file may have several of them, or none.

    Raises:
        InputError: there are none, or the folders or labels do not match the classes.
    """
    model, task = request.model, known_task(request.model.task)
    try:
        return find_labeled(request.folder, model.name, classes, task, request.split, multi_label)
    except InputError as error:
        if problem := _mismatch(request.folder, model.name, classes):
            raise InputError(problem) from error
        raise


def matching_model(folder: Path, split: str, models: Iterable[ModelEntry]) -> ModelEntry | None:
    """The model whose classes are those of a labeled set, the most accurate of several."""
    matching = []
    for model in models:
        try:
            if model.classes:
                find_files(Evaluate(model, folder, split), model.classes)
                matching.append(model)
        except InputError:
            continue
    return max(matching, key=lambda model: model.accuracy, default=None)


@dataclass(frozen=True)
class TrainingFiles:
    """A set of training files.

    Attributes:
        source: the folder or CSV file.
        count: number of files.
    """

    source: Path
    count: int


def find_training(
    folder: Path, model: ModelEntry, classes: Sequence[str], roots: Sequence[Path]
) -> TrainingFiles | None:
    """The training files of a labeled set: its training split, or a training folder beside it.

    Args:
        folder: the folder or CSV file of the set.
        model: the model whose task reads the files.
        classes: the class names of the model.
        roots: the folders that visitors may read.

    Returns:
        The training files, or None if there are none.
    """
    task = known_task(model.task)
    for path in (folder, *(folder.parent / name for name in SPLIT_FOLDERS["train"])):
        try:
            source = inside(path, roots)
            labeled = find_labeled(source, model.name, classes, task)
        except InputError:
            continue
        training = training_files(labeled)
        if path != folder or any(entry.split == "train" for entry in labeled.entries):
            return TrainingFiles(source, len(training.entries))
    return None


@dataclass(frozen=True, eq=False)
class PeoplesMarks:
    """What people marked in a file of a set.

    Attributes:
        pixels: bool array of the size of the sample.
        notes: how the marks were read and what to know about them, a sentence each.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]


def peoples_marks(
    sample: Sample, path: Path, predictions: Predictions, roots: Sequence[Path]
) -> PeoplesMarks | None:
    """What people marked in a file of a set, where the set brings marks (`MARKS`).

    Args:
        sample: read from the file.
        path: the file.
        predictions: those of the set, for its folder, files and classes.
        roots: the folders that visitors may read.

    Returns:
        The marks; None where the set or the file has none.

    Raises:
        InputError: the marks are invalid, ambiguous, or cannot be placed on the sample.
    """
    folder = predictions.folder if predictions.folder.is_dir() else predictions.folder.parent
    source = _source_of_marks((folder, folder.parent), roots)
    if source is None or sample.sound is not None:
        return None
    marks = read_marks(source).of_classes(predictions.classes)
    of_file = match_marks(marks, predictions.files).by_file.get(path)
    if of_file is None:
        return None
    at_path = replace(sample, source=path)
    # Which resizing the card of a model asks for is not known here; the pixels tell.
    options = [ReadOptions(resize=resizer) for resizer in RESIZERS]
    fitting = (each for each in options if geometry_of(at_path, each) is not None)
    pixels, warnings = place_marks(at_path, of_file, next(fitting, None))
    return PeoplesMarks(pixels, (*marks.notes, *warnings))


def _source_of_marks(folders: Iterable[Path], roots: Sequence[Path]) -> Path | None:
    for folder in folders:
        for name in MARKS:
            try:
                return inside(folder / name, roots)
            except InputError:
                continue
    return None


def file_record(path: Path, public: bool = True) -> Upload:
    """The record of a file of a labeled set, for requests.

    Args:
        path: the file.
        public: whether it lies on this server anyway, and is not a visitor's.
    """
    return Upload(
        name=path.name,
        path=path,
        sha256=file_sha256(path),
        size=path.stat().st_size,
        kind="sound" if path.suffix.lower() in SOUND_SUFFIXES else "picture",
        public=public,
    )


def thumbnail(path: Path, task: str | None) -> bytes:
    """A JPEG of 96 x 96 pixels of a file as the task reads it; for a sound, an icon.

    Raises:
        InputError: the file cannot be read.
    """
    if path.suffix.lower() in SOUND_SUFFIXES:  # a spectrogram would block the server for too long
        return _sound_icon()
    sample = (known_task(task) or PICTURES).read(path, (SIDE, SIDE))
    return _jpeg(Image.fromarray(image_bytes(sample)))


@lru_cache(maxsize=1)
def _sound_icon() -> bytes:
    """The bars of a level meter, the same for every sound."""
    picture = Image.new("RGB", (SIDE, SIDE), "#27363f")
    draw = ImageDraw.Draw(picture)
    for at, height in enumerate((14, 30, 52, 66, 40, 24, 46, 18)):
        left, top = 12 + 9 * at, (SIDE - height) // 2
        draw.rectangle((left, top, left + 5, top + height), "#82cfff")
    return _jpeg(picture)


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, format="jpeg", quality=80)
    return file.getvalue()


def _mismatch(folder: Path, model: str, classes: Sequence[str]) -> str:
    """Why no folder can be a class of a model; empty where the cause is another one."""
    if not folder.is_dir():
        return ""
    folders = [path for path in _entries(folder) if path.is_dir()]
    splits = [path for path in folders if path.name.lower() in _SPLIT_NAMES]
    names = [p.name for split in splits for p in _entries(split) if p.is_dir()] or [
        path.name for path in folders
    ]
    if not names:
        return (
            f"{folder.name} holds no folders. Put the files of each class into a folder that is "
            f"named after it: {some(classes, MOST_NAMES)}."
        )
    if any(label_of(name, classes) is not None for name in names):
        return ""
    return (
        f"No folder of {folder.name} is named after a class of {model}. "
        f"Folders: {some(dict.fromkeys(names), MOST_NAMES)}. "
        f"Classes: {some(classes, MOST_NAMES)}. Rename the folders, or choose another model."
    )


def _sets(folder: Path, depth: int) -> Iterator[Path]:
    entries = _entries(folder)
    subfolders = [path for path in entries if path.is_dir()]
    if sum(_holds_files(path) for path in subfolders) >= 2:
        yield folder
    yield from (path for path in entries if path.suffix == ".csv" and _is_label_table(path))
    if depth:
        for path in subfolders:
            # A link may form a loop or lead out of the root.
            if not path.is_symlink():
                yield from _sets(path, depth - 1)


def _entries(folder: Path) -> list[Path]:
    """The first visible entries of a folder; none if it cannot be read."""
    try:
        return sorted(p for p in islice(folder.iterdir(), MAX_ENTRIES) if p.name[0] != ".")
    except OSError:
        return []


def _holds_files(folder: Path) -> bool:
    suffixes = (*PICTURE_SUFFIXES, *SOUND_SUFFIXES)
    return any(path.suffix.lower() in suffixes for path in _entries(folder))


def _is_label_table(path: Path) -> bool:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = next(csv.reader([file.readline(10_000)]), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    columns = {column.lower().strip() for column in head}
    return "label" in columns and not columns.isdisjoint(FILE_COLUMNS)
