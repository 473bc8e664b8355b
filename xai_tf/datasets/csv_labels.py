"""A CSV file that names files and their labels, such as CheXpert's, turned into a listing."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from xai_tf.datasets.listing import DataOptions, Entry, Listing, counted, label_of, some
from xai_tf.errors import InputError, nearest, pick
from xai_tf.inputs.task import Task

# Columns, without case, blanks and underscores.
FILE_COLUMNS = ("path", "file")
GROUP_COLUMNS = ("patient", "patientid", "group")
SPLITS = {
    "": "",
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
UNCERTAIN = {"ignore": None, "positive": 1, "negative": 0}


@dataclass(frozen=True)
class _Row:
    line: int
    file: str
    answer: str
    group: str
    split: str


def read_label_table(source: Path, task: Task, options: DataOptions) -> Listing:
    """List the files that a CSV file names.

    A column `path` or `file` names the files, relative to the CSV file's folder; leading parts
    that do not lie there (`CheXpert-v1.0-small/`) are passed over. Then either a column `label`
    names the classes, or `options.finding` the column of a finding: 1 is the second class of the
    task and 0 the first, -1 is uncertain. A blank, which is a finding the report does not mention,
    counts as negative: the labeler of CheXpert (Irvin et al. 2019) knows positive, uncertain and
    negative only, and of its 223,414 training images 105,636 are blank for Lung Opacity. The group
    is a column `patient`, `patient_id` or `group`, or `patient00001` in the path. A column `split`
    may say train, validation or test.

    Raises:
        InputError: a column, a file or a label is not what it should be; the text names it.
    """
    rows, notes = _rows(source, options)
    labels, classes = (
        _finding_labels(source, rows, task, options)
        if options.finding
        else _class_labels(source, rows, task)
    )
    left_out = sum(label is None for label in labels)
    if left_out:
        notes.append(f"{counted(left_out, 'file')} with uncertain {options.finding!r} left out.")
    known = [(row, label) for row, label in zip(rows, labels, strict=True) if label is not None]
    paths = _paths(source, [row.file for row, _ in known])
    missing = [path for path in paths if not path.is_file()]
    if missing:
        said = f"{len(missing)} of {len(paths)} files that {source} names are not there"
        if not options.skip_bad or len(missing) == len(paths):
            raise InputError(
                f"{said}: {some(missing)}. Put the CSV file beside them, or leave missing ones out "
                "with --skip-bad."
            )
        notes.append(f"{said}, and left out: {some(missing)}.")
    gone = set(missing)
    entries = [
        Entry(path, label, row.split, row.group or str(path))
        for path, (row, label) in zip(paths, known, strict=True)
        if path not in gone
    ]
    return Listing(tuple(entries), classes, tuple(notes))


def _rows(source: Path, options: DataOptions) -> tuple[list[_Row], list[str]]:
    """The lines of interest, and notes on those left out."""
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            rows, lateral = _wanted(source, reader, options)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{source} is no CSV file ({error}). Export it as CSV, in UTF-8."
        ) from error
    if not rows:
        raise InputError(f"{source} names no file. Give a CSV file with a line for each.")
    twice = _twice(rows)
    if twice:
        raise InputError(
            f"{source} names {twice.file} a second time in line {twice.line}. Keep one line."
        )
    return rows, [f"{counted(lateral, 'lateral view')} left out."] if lateral else []


def _wanted(source: Path, reader: csv.DictReader, options: DataOptions) -> tuple[list[_Row], int]:
    columns = list(reader.fieldnames or [])
    file = _column(columns, FILE_COLUMNS)
    if file is None:
        raise InputError(
            f"{source} has no column 'path' or 'file'. {nearest('path', columns)} Name the column "
            "of the files so."
        )
    answer = options.finding or _column(columns, ("label",))
    if answer is None:
        raise InputError(
            f"{source} has no column 'label'. {nearest('label', columns)} Add it, or name the "
            "column of a finding with --finding."
        )
    if answer not in columns:
        raise InputError(f"{source} has no finding {answer!r}. {nearest(answer, columns)}")
    view = _column(columns, ("frontal/lateral",)) if options.frontal_only else None
    if options.frontal_only and view is None:
        raise InputError(f"{source} has no column 'Frontal/Lateral'. Leave --frontal-only out.")
    group, split = _column(columns, GROUP_COLUMNS), _column(columns, ("split",))
    rows, lateral = [], 0
    for cells in reader:
        if view and _cell(cells, view).lower() != "frontal":
            lateral += 1
            continue
        path = _cell(cells, file)
        patient = re.search(r"patient\d+", path)
        named = _cell(cells, group) or (patient[0] if patient else "")
        side = SPLITS.get(_cell(cells, split).lower())
        if side is None:
            raise InputError(
                f"{source}, line {reader.line_num}: there is no split {_cell(cells, split)!r}. "
                "Write train, validation or test."
            )
        rows.append(_Row(reader.line_num, path, _cell(cells, answer), named, side))
    return rows, lateral


def _column(columns: list[str], names: tuple[str, ...]) -> str | None:
    folded = {column.lower().replace("_", "").replace(" ", ""): column for column in columns}
    return next((folded[name] for name in names if name in folded), None)


def _cell(cells: dict[str, str | None], column: str | None) -> str:
    return (cells[column] or "").strip() if column else ""


def _twice(rows: list[_Row]) -> _Row | None:
    seen: set[str] = set()
    for row in rows:
        if row.file in seen:
            return row
        seen.add(row.file)
    return None


def _finding_labels(
    source: Path, rows: list[_Row], task: Task, options: DataOptions
) -> tuple[list[int | None], tuple[str, ...]]:
    """The label each finding means, None for one to leave out; and the classes."""
    if len(task.classes) != 2:
        raise InputError(
            f"A finding of {source} is there or not, but task {task.name!r} has "
            f"{len(task.classes) or 'no'} classes of its own. Take a task of two (see `tasks`)."
        )
    uncertain = pick(UNCERTAIN, options.uncertain, "way to count the uncertain")
    meaning = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1, "-1": uncertain, "-1.0": uncertain}
    for row in rows:
        if row.answer not in meaning:
            raise InputError(
                f"{source}, line {row.line}: {row.answer!r} in column {options.finding!r} is no "
                "finding (1, 0, -1 or blank). Mend it, or name another column."
            )
    return [meaning[row.answer] for row in rows], task.classes


def _class_labels(
    source: Path, rows: list[_Row], task: Task
) -> tuple[list[int | None], tuple[str, ...]]:
    classes = task.classes or tuple(sorted({row.answer for row in rows}))
    labels = [label_of(row.answer, classes) for row in rows]
    for row, label in zip(rows, labels, strict=True):
        if label is None or not row.answer:
            raise InputError(
                f"{source}, line {row.line}: label {row.answer!r} is no class of task "
                f"{task.name!r}. {nearest(row.answer, list(filter(None, classes)))}"
            )
    if len(classes) < 2:
        raise InputError(
            f"{source} has only one class, {classes[0]!r}; a classifier needs at least two. Add "
            "files of another."
        )
    return labels, classes


def _paths(source: Path, files: list[str]) -> list[Path]:
    """Where the files lie: the leading parts that the first file found does without are dropped."""
    parts = [Path(file).parts for file in files]
    drop = next(
        (n for p in parts for n in range(len(p)) if source.parent.joinpath(*p[n:]).is_file()), 0
    )
    return [source.parent.joinpath(*p[drop:]) for p in parts]
