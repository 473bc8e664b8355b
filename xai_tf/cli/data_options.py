"""The options that say how labelled data is found, parted and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xai_tf.datasets.csv_labels import UNCERTAIN
from xai_tf.datasets.layouts import LAYOUTS
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import SettingError
from xai_tf.inputs.task import Task

if TYPE_CHECKING:
    from xai_tf.datasets.dataset import Dataset

Source = Annotated[
    Path, typer.Argument(help="A folder a class, train/ and test/ of those, or a CSV file.")
]
Layout = Annotated[str, typer.Option(help=f"How the data lies: auto, {', '.join(LAYOUTS)}.")]
Finding = Annotated[
    str | None, typer.Option(help="The column of a CSV file with 1, 0, -1 or blank (negative).")
]
Uncertain = Annotated[
    str, typer.Option(help=f"What a finding of -1 counts as: {', '.join(UNCERTAIN)}.")
]
FrontalOnly = Annotated[
    bool, typer.Option("--frontal-only", help="Leave lateral views of a CSV file out.")
]
Group = Annotated[
    str | None,
    typer.Option(help="What stays on one side: a regular expression, as '(patient\\d+)'."),
]
Validation = Annotated[float, typer.Option(help="Share of files that validate, if not given.")]
Test = Annotated[float, typer.Option(help="Share of files that test, if not given.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out files that are missing or unreadable.")
]
AllowLeak = Annotated[
    list[str] | None, typer.Option(help="A file (or group) that may be on two sides, or 'all'.")
]


def data_options(
    *,
    layout: str = "auto",
    finding: str | None = None,
    uncertain: str = "ignore",
    frontal_only: bool = False,
    group: str | None = None,
    validation: float = 0.15,
    test: float = 0.15,
    skip_bad: bool = False,
    allow_leak: list[str] | None = None,
) -> DataOptions:
    """The options as a record."""
    return DataOptions(
        layout,
        finding,
        uncertain,
        frontal_only,
        group,
        validation,
        test,
        skip_bad,
        tuple(allow_leak or ()),
    )


def further_sets(
    given: list[str] | None, task: Task, image_size: tuple[int, int], classes: tuple[str, ...]
) -> dict[str, Dataset]:
    """Read the sets of `--also-test NAME=FOLDER`.

    Raises:
        SettingError: one is written otherwise, or has a name that is taken.
    """
    from xai_tf.datasets.reading import read_folder

    found: dict[str, Dataset] = {}
    for text in given or []:
        name, _, place = text.partition("=")
        if not name or not place:
            raise SettingError(f"--also-test {text!r} names no set. Write NAME=FOLDER.")
        if name in ("validation", "test", *found):
            raise SettingError(f"--also-test {name!r} is taken. Give the set another name.")
        found[name] = read_folder(Path(place), task, image_size, classes)
    return found
