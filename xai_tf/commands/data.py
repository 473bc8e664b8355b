"""The options that say how labelled data is found, parted and read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xai_tf.label_table import UNCERTAIN
from xai_tf.layouts import LAYOUTS
from xai_tf.listing import DataOptions

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
        layout, finding, uncertain, frontal_only, group, validation, test, skip_bad,
        tuple(allow_leak or ()),
    )  # fmt: skip
