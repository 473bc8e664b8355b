"""List the files of a CSV file with labels, such as that of CheXpert."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from xai_tf.datasets.listing import DataOptions, Entry, Listing, counted, label_of, some
from xai_tf.errors import InputError, nearest, pick
from xai_tf.inputs.task import Task

# Names of columns; case, spaces and underscores are ignored.
FILE_COLUMNS = ("path", "file")
GROUP_COLUMNS = ("patient", "patientid", "group")
SPLIT_NAMES = {
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
    """One line of the file; `value` is the text of the label or finding column."""

    line: int
    file: str
    value: str
    group: str
    split: str


def read_label_table(source: Path, task: Task, options: DataOptions) -> Listing:
    """List the files that a CSV file names.

    A column `path` or `file` names the files, relative to the folder of the CSV file; leading
    folders that do not exist there (`CheXpert-v1.0-small/`) are ignored. Either a column `label`
    names the classes, or `options.finding` names the column of a finding: 1 is the second class of
    the task, 0 the first, and -1 is uncertain. A blank is a finding that the report does not
    mention and counts as negative: the labeler of CheXpert (Irvin et al. 2019) only gives positive,
    uncertain and negative, and of its 223,414 training images 105,636 are blank for Lung Opacity.
    The group is in a column `patient`, `patient_id` or `group`, or is `patient00001` in the path. A
    column `split` may contain train, validation or test.

    Raises:
        InputError: a column or a file is missing, or a label is invalid; the text names it.
    """
    rows, notes = _rows(source, options)
    labels, classes = (
        _finding_labels(source, rows, task, options)
        if options.finding
        else _class_labels(source, rows, task)
    )
    num_uncertain = sum(label is None for label in labels)
    if num_uncertain:
        notes.append(
            f"{counted(num_uncertain, 'file')} with uncertain {options.finding!r} skipped."
        )
    labeled = [(row, label) for row, label in zip(rows, labels, strict=True) if label is not None]
    paths = _paths(source, [row.file for row, _ in labeled])
    missing = [path for path in paths if not path.is_file()]
    if missing:
        problem = f"{len(missing)} of {len(paths)} files named in {source} are missing"
        if not options.skip_bad or len(missing) == len(paths):
            raise InputError(
                f"{problem}: {some(missing)}. Put the CSV file into the folder of the files, or "
                "skip missing files with --skip-bad."
            )
        notes.append(f"{problem} and were skipped: {some(missing)}.")
    skipped = set(missing)
    entries = [
        Entry(path, label, row.split, row.group or str(path))
        for path, (row, label) in zip(paths, labeled, strict=True)
        if path not in skipped
    ]
    return Listing(tuple(entries), classes, tuple(notes))


def _rows(source: Path, options: DataOptions) -> tuple[list[_Row], list[str]]:
    """The lines that are used, and notes on those that are skipped."""
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            rows, num_lateral = _used_rows(source, reader, options)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Cannot read {source} as CSV ({error}). Export it as CSV, in UTF-8."
        ) from error
    if not rows:
        raise InputError(f"{source} names no file. Expected a CSV file with one line per file.")
    duplicate = _first_duplicate(rows)
    if duplicate:
        raise InputError(
            f"{source} names {duplicate.file} a second time in line {duplicate.line}. Keep one "
            "line."
        )
    return rows, [f"{counted(num_lateral, 'lateral view')} skipped."] if num_lateral else []


def _used_rows(
    source: Path, reader: csv.DictReader[str], options: DataOptions
) -> tuple[list[_Row], int]:
    """The lines that are used, and the number of lateral views that are skipped."""
    columns = list(reader.fieldnames or [])
    file = _column(columns, FILE_COLUMNS)
    if file is None:
        raise InputError(
            f"{source} has no column 'path' or 'file'. {nearest('path', columns)} Rename the "
            "column that contains the file names."
        )
    label = options.finding or _column(columns, ("label",))
    if label is None:
        raise InputError(
            f"{source} has no column 'label'. {nearest('label', columns)} Add it, or give the "
            "column of a finding with --finding."
        )
    if label not in columns:
        raise InputError(f"{source} has no finding {label!r}. {nearest(label, columns)}")
    view = _column(columns, ("frontal/lateral",)) if options.frontal_only else None
    if options.frontal_only and view is None:
        raise InputError(f"{source} has no column 'Frontal/Lateral'. Remove --frontal-only.")
    group, split = _column(columns, GROUP_COLUMNS), _column(columns, ("split",))
    rows, num_lateral = [], 0
    for cells in reader:
        if view and _cell(cells, view).lower() != "frontal":
            num_lateral += 1
            continue
        path = _cell(cells, file)
        patient = re.search(r"patient\d+", path)
        group_name = _cell(cells, group) or (patient[0] if patient else "")
        split_name = SPLIT_NAMES.get(_cell(cells, split).lower())
        if split_name is None:
            raise InputError(
                f"Invalid split in {source}, line {reader.line_num}: {_cell(cells, split)!r}. "
                "Expected train, validation or test."
            )
        rows.append(_Row(reader.line_num, path, _cell(cells, label), group_name, split_name))
    return rows, num_lateral


def _column(columns: list[str], names: tuple[str, ...]) -> str | None:
    folded = {column.lower().replace("_", "").replace(" ", ""): column for column in columns}
    return next((folded[name] for name in names if name in folded), None)


def _cell(cells: dict[str, str | None], column: str | None) -> str:
    return (cells[column] or "").strip() if column else ""


def _first_duplicate(rows: list[_Row]) -> _Row | None:
    seen: set[str] = set()
    for row in rows:
        if row.file in seen:
            return row
        seen.add(row.file)
    return None


def _finding_labels(
    source: Path, rows: list[_Row], task: Task, options: DataOptions
) -> tuple[list[int | None], tuple[str, ...]]:
    """The label of each finding, None for one to skip; and the classes."""
    if len(task.classes) != 2:
        raise InputError(
            f"A finding in {source} is present or absent, but task {task.name!r} has "
            f"{len(task.classes) or 'no'} classes. Use a task with two (see `xai-tf tasks`)."
        )
    uncertain = pick(UNCERTAIN, options.uncertain, "policy for uncertain findings")
    meaning = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1, "-1": uncertain, "-1.0": uncertain}
    for row in rows:
        if row.value not in meaning:
            raise InputError(
                f"Invalid finding in {source}, line {row.line}, column {options.finding!r}: "
                f"{row.value!r}. Expected 1, 0, -1 or blank. Fix it, or choose another column."
            )
    return [meaning[row.value] for row in rows], task.classes


def _class_labels(
    source: Path, rows: list[_Row], task: Task
) -> tuple[list[int | None], tuple[str, ...]]:
    classes = task.classes or tuple(sorted({row.value for row in rows}))
    labels = [label_of(row.value, classes) for row in rows]
    for row, label in zip(rows, labels, strict=True):
        if label is None or not row.value:
            raise InputError(
                f"Invalid label in {source}, line {row.line}: {row.value!r} is not a class of task "
                f"{task.name!r}. {nearest(row.value, list(filter(None, classes)))}"
            )
    if len(classes) < 2:
        raise InputError(
            f"{source} has only one class, {classes[0]!r}; a classifier needs at least two. Add "
            "files of another class."
        )
    return labels, classes


def _paths(source: Path, files: list[str]) -> list[Path]:
    """The paths of the files; leading folders are dropped as the first file that exists needs."""
    paths = [Path(file).parts for file in files]
    num_dropped = next(
        (n for p in paths for n in range(len(p)) if source.parent.joinpath(*p[n:]).is_file()), 0
    )
    return [source.parent.joinpath(*p[num_dropped:]) for p in paths]
