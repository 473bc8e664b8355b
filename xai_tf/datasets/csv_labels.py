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
FILE_COLUMNS = ("path", "file", "imageindex")
LABEL_COLUMNS = ("label", "labels", "findinglabels")
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
MEANING = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1, "-1": -1, "-1.0": -1}  # of a finding
SEPARATORS = re.compile(r"[|;]")  # between the labels in a cell
NO_LABEL = ("", "no finding", "none")  # in a cell of labels: none of them is true

_Cells = dict[str, str | None]  # one line, by column
Labels = list[tuple[int, ...] | None]  # of each file; None for one to skip


@dataclass(frozen=True)
class _Row:
    """One line of the file; `values` are the texts of the label or finding columns."""

    line: int
    file: str
    values: tuple[str, ...]
    group: str
    split: str


def read_label_table(source: Path, task: Task, options: DataOptions) -> Listing:
    """List the files that a CSV file names.

    A column `path` or `file` names the files, relative to the folder of the CSV file; leading
    folders that do not exist there (`CheXpert-v1.0-small/`) are ignored. Either a column `label`
    names the classes, or `options.findings` names the column of a finding: 1 is the second class of
    the task, 0 the first, and -1 is uncertain. A blank is a finding that the report does not
    mention and counts as negative: the labeler of CheXpert (Irvin et al. 2019) only gives positive,
    uncertain and negative, and of its 223,414 training images 105,636 are blank for Lung Opacity.

    Files have several labels or none if `options.findings` names several columns; if there is no
    column `label` but several columns of findings; or if a cell of `label` lists them, as in
    `Edema|Mass` or `Edema;Mass` ("No Finding" or a blank for none).

    The group is in a column `patient`, `patient_id` or `group`, or is `patient00001` in the path. A
    column `split` may contain train, validation or test.

    Raises:
        InputError: a column or a file is missing, or a label is invalid; the text names it.
    """
    rows, findings, notes = _rows(source, task, options)
    lists = not findings and _lists_labels(rows, task, options)
    labels: Labels
    if len(findings) == 1 and not options.multi_label:
        labels, classes = _finding_labels(source, rows, task, findings[0], options)
    elif findings:
        labels, classes = _labels_of_findings(source, rows, findings, task, options)
    elif lists:
        labels, classes = _listed_labels(source, rows, task, notes)
    else:
        labels, classes = _class_labels(source, rows, task)
    num_uncertain = sum(label is None for label in labels)
    if num_uncertain:
        notes.append(
            f"{counted(num_uncertain, 'file')} with uncertain "
            f"{', '.join(map(repr, findings))} skipped."
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
        Entry(path, true, row.split, row.group or str(path))
        for path, (row, true) in zip(paths, labeled, strict=True)
        if path not in skipped
    ]
    several = lists or len(findings) > 1 or bool(findings and options.multi_label)
    return Listing(tuple(entries), classes, tuple(notes), several)


def _rows(
    source: Path, task: Task, options: DataOptions
) -> tuple[list[_Row], tuple[str, ...], list[str]]:
    """The lines that are used, the columns of findings, and notes.

    Without columns of findings, the values of the rows are those of the label column.
    """
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            columns, cells = list(reader.fieldnames or []), []
            for row in reader:
                cells.append((reader.line_num, row))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Cannot read {source} as CSV ({error}). Export it as CSV, in UTF-8."
        ) from error
    labels, findings, notes = _label_columns(
        source, columns, [row for _, row in cells], task, options
    )
    rows, num_lateral = _used_rows(source, columns, cells, labels, options)
    if not rows:
        raise InputError(f"{source} names no file. Expected a CSV file with one line per file.")
    duplicate = _first_duplicate(rows)
    if duplicate:
        raise InputError(
            f"{source} names {duplicate.file} a second time in line {duplicate.line}. Keep one "
            "line."
        )
    if num_lateral:
        notes.append(f"{counted(num_lateral, 'lateral view')} skipped.")
    return rows, findings, notes


def _label_columns(
    source: Path, columns: list[str], cells: list[_Cells], task: Task, options: DataOptions
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """The columns that hold the labels, those of them that are findings, and notes."""
    for name in options.findings:
        if name not in columns:
            raise InputError(f"{source} has no finding {name!r}. {nearest(name, columns)}")
    if options.findings:
        return options.findings, options.findings, []
    classes = task.classes if options.multi_label else ()
    if classes and set(classes) <= set(columns):
        return classes, classes, []
    label = _column(columns, LABEL_COLUMNS)
    if label is not None:
        return (label,), (), []
    if classes:
        missing = [name for name in classes if name not in columns]
        raise InputError(
            f"{source} has neither a column 'label' nor one for each label of the model: "
            f"{some(missing)} {'is' if len(missing) == 1 else 'are'} missing. Add them."
        )
    others = {_column(columns, names) for names in (FILE_COLUMNS, GROUP_COLUMNS, ("split",))}
    found = tuple(
        name
        for name in columns
        if name not in others
        and name.lower() not in NO_LABEL
        and {_cell(row, name) for row in cells} <= set(MEANING)
        and any(_cell(row, name) in ("1", "1.0") for row in cells)
    )
    if options.multi_label is None and not task.classes and len(found) > 1:
        note = f"The columns of 1 and 0 are the labels: {', '.join(found)}. Choose with --finding."
        return found, found, [note]
    raise InputError(
        f"{source} has no column 'label'. {nearest('label', columns)} Add it, or give the "
        "column of a finding with --finding."
    )


def _used_rows(
    source: Path,
    columns: list[str],
    numbered: list[tuple[int, _Cells]],
    labels: tuple[str, ...],
    options: DataOptions,
) -> tuple[list[_Row], int]:
    """The lines that are used, and the number of lateral views that are skipped."""
    file = _column(columns, FILE_COLUMNS)
    if file is None:
        raise InputError(
            f"{source} has no column 'path' or 'file'. {nearest('path', columns)} Rename the "
            "column that contains the file names."
        )
    view = _column(columns, ("frontal/lateral",)) if options.frontal_only else None
    if options.frontal_only and view is None:
        raise InputError(f"{source} has no column 'Frontal/Lateral'. Remove --frontal-only.")
    group, split = _column(columns, GROUP_COLUMNS), _column(columns, ("split",))
    rows, num_lateral = [], 0
    for line, cells in numbered:
        if view and _cell(cells, view).lower() != "frontal":
            num_lateral += 1
            continue
        path = _cell(cells, file)
        patient = re.search(r"patient\d+", path)
        group_name = _cell(cells, group) or (patient[0] if patient else "")
        split_name = SPLIT_NAMES.get(_cell(cells, split).lower())
        if split_name is None:
            raise InputError(
                f"Invalid split in {source}, line {line}: {_cell(cells, split)!r}. "
                "Expected train, validation or test."
            )
        values = tuple(_cell(cells, label) for label in labels)
        rows.append(_Row(line, path, values, group_name, split_name))
    return rows, num_lateral


def _column(columns: list[str], names: tuple[str, ...]) -> str | None:
    folded = {column.lower().replace("_", "").replace(" ", ""): column for column in columns}
    return next((folded[name] for name in names if name in folded), None)


def _cell(cells: _Cells, column: str | None) -> str:
    return (cells[column] or "").strip() if column else ""


def _first_duplicate(rows: list[_Row]) -> _Row | None:
    seen: set[str] = set()
    for row in rows:
        if row.file in seen:
            return row
        seen.add(row.file)
    return None


def _finding_labels(
    source: Path, rows: list[_Row], task: Task, finding: str, options: DataOptions
) -> tuple[Labels, tuple[str, ...]]:
    """The class of each file by one finding, and the classes."""
    if len(task.classes) != 2:
        raise InputError(
            f"A finding in {source} is present or absent, but task {task.name!r} has "
            f"{len(task.classes) or 'no'} classes. Use a task with two (see `xai-tf tasks`)."
        )
    present = _presence(source, rows, (finding,), options)
    return [None if row is None else (row[0],) for row in present], task.classes


def _labels_of_findings(
    source: Path, rows: list[_Row], findings: tuple[str, ...], task: Task, options: DataOptions
) -> tuple[Labels, tuple[str, ...]]:
    """All labels of each file by the columns of several findings, and the labels there are."""
    classes = task.classes or findings
    if set(classes) != set(findings):
        raise InputError(
            f"The findings {', '.join(findings)} in {source} are not the classes of task "
            f"{task.name!r}: {', '.join(classes)}. Use a task without classes, such as "
            "medical_image."
        )
    present = _presence(source, rows, findings, options)
    numbers = [classes.index(name) for name in findings]
    return [
        None if row is None else tuple(k for k, true in zip(numbers, row, strict=True) if true)
        for row in present
    ], classes


def _presence(
    source: Path, rows: list[_Row], findings: tuple[str, ...], options: DataOptions
) -> list[list[int] | None]:
    """For each file 1 or 0 for each finding; None where one is uncertain and is to be skipped."""
    uncertain = pick(UNCERTAIN, options.uncertain, "policy for uncertain findings")
    found: list[list[int] | None] = []
    for row in rows:
        present: list[int | None] = []
        for name, value in zip(findings, row.values, strict=True):
            if value not in MEANING:
                raise InputError(
                    f"Invalid finding in {source}, line {row.line}, column {name!r}: {value!r}. "
                    "Expected 1, 0, -1 or blank. Fix it, or choose another column."
                )
            present.append(uncertain if MEANING[value] < 0 else MEANING[value])
        known = [one for one in present if one is not None]
        found.append(known if len(known) == len(present) else None)
    return found


def _lists_labels(rows: list[_Row], task: Task, options: DataOptions) -> bool:
    """Whether the cells of the label column list any number of labels."""
    if options.multi_label is not None:
        return options.multi_label
    return not task.classes and any(SEPARATORS.search(row.values[0]) for row in rows)


def _listed_labels(
    source: Path, rows: list[_Row], task: Task, notes: list[str]
) -> tuple[Labels, tuple[str, ...]]:
    """All labels of each file by the cells that list them, and the labels there are."""
    cells = [
        [
            name
            for name in map(str.strip, SEPARATORS.split(row.values[0]))
            if name.lower() not in NO_LABEL
        ]
        for row in rows
    ]
    names = sorted({name for cell in cells for name in cell})
    classes = task.classes or tuple(names)
    unknown = [name for name in names if label_of(name, classes) is None]
    if len(unknown) == len(names):
        raise InputError(
            f"{source} has no file with one of the labels {', '.join(classes)}; its labels are "
            f"{some(names) or 'all blank'}. Check the labels."
        )
    if unknown:
        notes.append(f"Labels that the model does not have are ignored: {', '.join(unknown)}.")
    found = [[label_of(name, classes) for name in cell] for cell in cells]
    return [tuple(sorted({k for k in labels if k is not None})) for labels in found], classes


def _class_labels(source: Path, rows: list[_Row], task: Task) -> tuple[Labels, tuple[str, ...]]:
    classes = task.classes or tuple(sorted({row.values[0] for row in rows}))
    labels: Labels = []
    for row in rows:
        label, value = label_of(row.values[0], classes), row.values[0]
        if label is None or not value:
            raise InputError(
                f"Invalid label in {source}, line {row.line}: {value!r} is not a class of task "
                f"{task.name!r}. {nearest(value, list(filter(None, classes)))}"
            )
        labels.append((label,))
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
