"""The group of each file, such as its patient, speaker, engine or acquisition."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xai_tf.datasets.csv_labels import FILE_COLUMNS, GROUP_COLUMNS
from xai_tf.datasets.listing import counted, label_of, some
from xai_tf.errors import InputError, SettingError

FOLDER = "folder"  # the rule: the folder inside the class folder
TABLES = (".csv", ".tsv")
FORMS = (
    "Expected 'folder' (the folder inside the class folder), a CSV file of files and their groups "
    "(FILE.csv or FILE.csv:COLUMN), or a regular expression on the file name with one group in "
    "parentheses, such as '(patient\\d+)'."
)


@dataclass(frozen=True)
class Groups:
    """The groups of files.

    Attributes:
        rule: how they were found, as it was given.
        names: for each file the name of its group, or None where the rule names none.
        notes: what a person should know about how they were found, one sentence each.
    """

    rule: str
    names: tuple[str | None, ...]
    notes: tuple[str, ...] = ()


def check_rule(rule: str) -> None:
    """Check what can be checked of a rule before any file is found.

    Raises:
        SettingError: it is no regular expression with one group.
        InputError: it names a CSV file that does not exist.
    """
    if rule == FOLDER:
        return
    if table := _table_of(rule):
        if not table[0].is_file():
            raise InputError(f"There is no file {table[0]} with groups. Check the name.")
        return
    try:
        num_groups = re.compile(rule).groups
    except re.error as error:
        raise SettingError(f"Invalid value for --groups: {rule!r} ({error}). {FORMS}") from error
    if num_groups != 1:
        raise SettingError(
            f"Invalid value for --groups: {rule!r} has {counted(num_groups, 'group')} in "
            f"parentheses. {FORMS}"
        )


def find_groups(files: Sequence[Path], source: Path, classes: Sequence[str], rule: str) -> Groups:
    """Find the group of each file.

    Args:
        files: the labeled files.
        source: the folder or CSV file they were found in.
        classes: the names of the classes, by which class folders are known.
        rule: "folder" for the folders between the class folder and the file; a CSV file with a
            column of files and one of groups (`FILE.csv`, or `FILE.csv:COLUMN` to name it); or a
            regular expression that is searched in the names of the files, whose one group in
            parentheses is the name.

    Raises:
        SettingError, InputError: as `check_rule`; a column is missing; no file has a group, or all
            files have the same.
    """
    check_rule(rule)
    if rule == FOLDER:
        base = source if source.is_dir() else source.parent
        names = [_folder_group(path, base, classes) for path in files]
    elif table := _table_of(rule):
        names = _table_groups(files, *table)
    else:
        found = [re.search(rule, path.name) for path in files]
        names = [match[1] or None if match else None for match in found]
    without = [path.name for path, name in zip(files, names, strict=True) if name is None]
    told = dict.fromkeys(name for name in names if name is not None)
    if not told:
        raise InputError(
            f"--groups {rule} names no group of the {counted(len(files), 'file')} in {source}, "
            f"such as {without[0]}. {FORMS}"
        )
    if len(told) == 1:
        raise InputError(
            f"--groups {rule} puts all files of {source} into one group, {next(iter(told))!r}, so "
            "nothing can be said of others. Give a rule that tells two or more apart, or "
            "leave out --groups."
        )
    num = counted(len(without), "file")
    notes = (f"No group of {num}, left out of the groups: {some(without)}.",) if without else ()
    return Groups(rule, tuple(names), notes)


def _folder_group(path: Path, base: Path, classes: Sequence[str]) -> str | None:
    """The folders between the class folder and a file; None where there are none."""
    parts = path.relative_to(base).parts[:-1] if path.is_relative_to(base) else path.parts[-2:-1]
    first = next((n for n, part in enumerate(parts) if label_of(part, classes) is not None), -1)
    return "/".join(parts[first + 1 :]) or None


def _table_of(rule: str) -> tuple[Path, str] | None:
    """The CSV file that a rule names, and its column of groups; None where it names no file."""
    for file, column in ((rule, ""), rule.rpartition(":")[::2]):
        if file.lower().endswith(TABLES):
            return Path(file), column
    return None


def _table_groups(files: Sequence[Path], table: Path, column: str) -> list[str | None]:
    by_path = _read_table(table, column)
    by_name: dict[str, set[str]] = {}
    for path, group in by_path.items():
        by_name.setdefault(path.rpartition("/")[2], set()).add(group)
    return [_listed_group(path.absolute().parts, by_path, by_name) for path in files]


def _listed_group(
    parts: Sequence[str], by_path: Mapping[str, str], by_name: Mapping[str, set[str]]
) -> str | None:
    """The group of a file by the longest end of its path, or else by its name alone."""
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    group = next((by_path[end] for end in ends if end in by_path), None)
    alone = by_name.get(parts[-1], set())
    return group or (next(iter(alone)) if len(alone) == 1 else None)


def _read_table(table: Path, column: str) -> dict[str, str]:
    """The group of each path in a CSV file; lines without one are left out."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            columns, lines = list(reader.fieldnames or []), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Cannot read {table} as CSV ({error}). Export it as CSV, in UTF-8."
        ) from error
    of_file, of_group = _columns(table, columns, column)
    groups: dict[str, str] = {}
    for line in lines:
        path = (line[of_file] or "").strip().replace("\\", "/").removeprefix("./")
        group = (line[of_group] or "").strip()
        if not path or not group:
            continue
        if groups.setdefault(path, group) != group:
            raise InputError(
                f"{table} names two groups of {path}: {groups[path]!r} and {group!r}. Leave one."
            )
    return groups


def _columns(table: Path, columns: Sequence[str], wanted: str) -> tuple[str, str]:
    """The columns of files and of groups; of two columns, the other one is that of the groups."""
    plain = {re.sub(r"[ _]", "", name.lower()): name for name in columns}
    of_file = next((plain[name] for name in FILE_COLUMNS if name in plain), None)
    if of_file is None:
        raise InputError(
            f"{table} has no column 'file' or 'path'; it has {some(columns, 8)}. Name the column "
            "of the files so."
        )
    others = [name for name in columns if name != of_file]
    if wanted:
        group = next((name for name in others if name.lower() == wanted.lower()), None)
    else:
        known = (plain[name] for name in GROUP_COLUMNS if name in plain)
        group = next(known, others[0] if len(others) == 1 else None)
    if group is None:
        what = f"column {wanted!r}" if wanted else "column 'group' or 'patient'"
        raise InputError(
            f"{table} has no {what}; it has {some(columns, 8)}. Name the column of the groups: "
            f"{table.name}:COLUMN."
        )
    return of_file, group
