"""The options that say how labeled data is found, split and read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xai_tf.cli import completion
from xai_tf.cli.app import DATA
from xai_tf.datasets.csv_labels import UNCERTAIN
from xai_tf.datasets.layouts import LAYOUTS
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import InputError, SettingError

if TYPE_CHECKING:
    pass

Source = Annotated[
    Path,
    typer.Argument(
        help="Labeled files: one folder per class, train/ and test/ with such folders, or a CSV "
        "file."
    ),
]
AlsoTest = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FOLDER|FILE",
        help="Additional test set to report, a folder or a CSV file. Repeat for several.",
        rich_help_panel=DATA,
    ),
]
GroupRule = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="RULE",
        help="Also measure by group: 'folder' (inside the class folder), a CSV file of files and "
        "groups (FILE.csv or FILE.csv:COLUMN), or a regular expression on the file name with one "
        "group in parentheses, such as '(patient\\d+)'.",
        rich_help_panel=DATA,
    ),
]
LeftOutGroups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        metavar="RULE",
        help="Also estimate how well groups are predicted that a model never saw, first in the "
        "card: 'folder' (inside the class folder), a CSV file of files and groups (FILE.csv or "
        "FILE.csv:COLUMN), or a regular expression on the file name with one group in parentheses.",
        rich_help_panel=DATA,
    ),
]


@dataclass(frozen=True)
class DataFlags:
    """`DataOptions` as options of a command; see `records.takes_records`."""

    layout: Annotated[
        str,
        typer.Option(
            help=f"Layout of the data: auto, {', '.join(LAYOUTS)}.",
            rich_help_panel=DATA,
            autocompletion=completion.layouts,
        ),
    ] = DataOptions.layout
    finding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the CSV file to predict, with values 1, 0, -1 (uncertain) or blank "
            "(negative). Repeat the option for a model of several labels.",
            rich_help_panel=DATA,
        ),
    ] = None
    uncertain: Annotated[
        str,
        typer.Option(
            help=f"How to count a finding of -1: {', '.join(UNCERTAIN)}.",
            rich_help_panel=DATA,
            autocompletion=completion.uncertain,
        ),
    ] = DataOptions.uncertain
    frontal_only: Annotated[
        bool,
        typer.Option(
            "--frontal-only",
            help="Leave out the lateral views that a CSV file lists.",
            rich_help_panel=DATA,
        ),
    ] = DataOptions.frontal_only
    group: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Regular expression whose first group, such as '(patient\\d+)', names files that "
            "must stay in one split.",
            rich_help_panel=DATA,
        ),
    ] = DataOptions.group
    validation: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Share of the files for validation, if the data has no such split.",
            rich_help_panel=DATA,
        ),
    ] = DataOptions.validation
    test: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Share of the files for testing, if the data has no such split.",
            rich_help_panel=DATA,
        ),
    ] = DataOptions.test
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Skip files that are missing or unreadable.",
            rich_help_panel=DATA,
        ),
    ] = DataOptions.skip_bad
    allow_leak: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="File or group that may be in two splits, or 'all'. Repeat the option for "
            "several.",
            rich_help_panel=DATA,
        ),
    ] = None

    @property
    def options(self) -> DataOptions:
        """The record that the library takes."""
        given = {name: value for name, value in vars(self).items() if name != "finding"}
        given |= {
            "findings": tuple(self.finding or ()),
            "allow_leak": tuple(self.allow_leak or ()),
        }
        return DataOptions(**given)


def named_folders(
    given: list[str] | None, option: str, taken: tuple[str, ...], *, or_files: bool = False
) -> dict[str, Path]:
    """The folders of an option that is given as NAME=FOLDER, by name.

    Args:
        given: the values of the option.
        option: its name, for messages.
        taken: names that cannot be used.
        or_files: whether a file will do, too.

    Raises:
        SettingError: a value has another form, or its name is taken.
        InputError: there is no such folder.
    """
    kind = "folder or file" if or_files else "folder"
    folders: dict[str, Path] = {}
    for text in given or []:
        name, _, place = text.partition("=")
        if not name or not place:
            raise SettingError(f"Invalid value for {option}: {text!r}. Expected NAME=FOLDER.")
        if name in (*taken, *folders):
            raise SettingError(
                f"Invalid value for {option}: the name {name!r} is taken. Choose another name."
            )
        if not (Path(place).is_dir() or (or_files and Path(place).is_file())):
            raise InputError(
                f"There is no {kind} {place}. Give {option} {name} an existing {kind}."
            )
        folders[name] = Path(place)
    return folders


def further_sources(given: list[str] | None) -> dict[str, Path]:
    """The folders and CSV files of `--also-test NAME=FOLDER|FILE`, by name.

    Raises:
        SettingError: one has another form, or its name is taken.
        InputError: one does not exist.
    """
    return named_folders(given, "--also-test", taken=("validation", "test"), or_files=True)
