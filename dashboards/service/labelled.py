"""Labelled files on this server: which folders may be looked at, and what lies in them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw

from dashboards.service.requests import Evaluate, ModelEntry, Upload
from xai_tf.datasets.csv_labels import FILE_COLUMNS
from xai_tf.datasets.layouts import SPLIT_FOLDERS
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError
from xai_tf.evaluation.predictions import PICTURES, LabelledFiles, find_labelled, training_files
from xai_tf.inputs.audio import SOUND_SUFFIXES
from xai_tf.inputs.sample import PICTURE_SUFFIXES, file_sha256
from xai_tf.rendering.heatmaps import image_bytes
from xai_tf.tasks import TASKS

MAX_DEPTH = 3
MAX_LOOK = 500  # entries of a folder that are looked at to tell what it is
MAX_SETS = 200
SIDE = 96  # pixels of a thumbnail


def inside(path: str | Path, roots: Sequence[Path]) -> Path:
    """The place a path leads to, links followed, if it is in or below one of the roots.

    A relative path is looked for below each root, by its name too: `set/test` in the root `set`.

    Raises:
        InputError: it is elsewhere, or not there at all. Which of the two is not told.
    """
    allowed = [root.resolve() for root in roots]
    # An absolute path stays itself, whatever it is joined to.
    for base in (base for root in allowed for base in (root, root.parent)):
        try:
            place = (base / path).resolve()
            if any(place.is_relative_to(root) for root in allowed) and place.exists():
                return place
        except (OSError, RuntimeError, ValueError):  # too long, a circle of links, a zero byte
            continue
    if not allowed:
        raise InputError("No folder may be looked at. Start the server with --data FOLDER.")
    raise InputError(
        f"There is no folder {path} below {some(root.name for root in roots)}. Choose one from the "
        "list, or start the server with --data FOLDER."
    )


def find_sets(roots: Sequence[Path]) -> dict[str, Path]:
    """The labelled sets in and below the roots, by what to call them.

    A set is a folder of at least two folders with readable files in them, or a CSV file with a
    column of files and one of labels. At most 200, no deeper than three folders down.
    """
    found: dict[str, Path] = {}
    for root in roots:
        for place in islice(_sets(root.resolve(), MAX_DEPTH), MAX_SETS):
            title = place.relative_to(root.resolve().parent).as_posix()
            found[title if title not in found else str(place)] = place
    return dict(sorted(found.items()))


def find_files(request: Evaluate, classes: Sequence[str]) -> LabelledFiles:
    """The labelled files of a request, by the names of a classifier's classes or their synonyms.

    Raises:
        InputError: there are none, or the folders or labels are not those of the classes.
    """
    model = request.model
    return find_labelled(
        request.folder, model.name, classes, TASKS.get(model.task or ""), request.split
    )


@dataclass(frozen=True)
class TrainingFiles:
    """Where training files lie, and how many."""

    source: Path
    count: int


def find_training(
    folder: Path, model: ModelEntry, classes: Sequence[str], roots: Sequence[Path]
) -> TrainingFiles | None:
    """The training files of a labelled set: its own, or those in the folder beside it.

    Args:
        folder: of the set, or its CSV file.
        model, classes: whose files they are.
        roots: the folders that may be looked at.
    """
    task = TASKS.get(model.task or "")
    for place in (folder, *(folder.parent / name for name in SPLIT_FOLDERS["train"])):
        try:
            source = inside(place, roots)
            found = find_labelled(source, model.name, classes, task)
        except InputError:
            continue
        training = training_files(found)
        if place != folder or any(entry.split == "train" for entry in found.entries):
            return TrainingFiles(source, len(training.entries))
    return None


def file_record(path: Path) -> Upload:
    """A file of a labelled set as a record that can be predicted and explained."""
    kind = "sound" if path.suffix.lower() in SOUND_SUFFIXES else "picture"
    return Upload(path.name, path, file_sha256(path), path.stat().st_size, kind, public=True)


def thumbnail(path: Path, task: str | None) -> bytes:
    """A JPEG of 96 x 96 pixels of what a model sees of a file; of a sound, a sign for one.

    Raises:
        InputError: the file cannot be read.
    """
    if path.suffix.lower() in SOUND_SUFFIXES:  # a spectrogram takes the page's process too long
        return _sound_sign()
    sample = TASKS.get(task or "", PICTURES).read(path, (SIDE, SIDE))
    return _jpeg(Image.fromarray(image_bytes(sample)))


@lru_cache(maxsize=1)
def _sound_sign() -> bytes:
    """The bars of a loudness meter, whatever the sound."""
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


def _sets(folder: Path, depth: int) -> Iterator[Path]:
    places = _look(folder)
    folders = [place for place in places if place.is_dir()]
    if sum(_holds_files(place) for place in folders) >= 2:
        yield folder
    yield from (place for place in places if place.suffix == ".csv" and _is_label_table(place))
    if depth:
        for place in folders:
            # A link may lead in a circle, or out of the root.
            if not place.is_symlink():
                yield from _sets(place, depth - 1)


def _look(folder: Path) -> list[Path]:
    """The first entries of a folder, without hidden ones; none where it may not be read."""
    try:
        return sorted(p for p in islice(folder.iterdir(), MAX_LOOK) if p.name[0] != ".")
    except OSError:
        return []


def _holds_files(folder: Path) -> bool:
    suffixes = (*PICTURE_SUFFIXES, *SOUND_SUFFIXES)
    return any(place.suffix.lower() in suffixes for place in _look(folder))


def _is_label_table(path: Path) -> bool:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = next(csv.reader([file.readline(10_000)]), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    columns = {column.lower().strip() for column in head}
    return "label" in columns and not columns.isdisjoint(FILE_COLUMNS)
