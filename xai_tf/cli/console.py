"""What the command says: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from xai_tf.errors import InputError, XaiTfError

NOTES = Console(stderr=True)


def note(text: str, style: str | None = None) -> None:
    """Tell a person something that is not the answer."""
    NOTES.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def answer(as_json: bool, data: Any, table: Table) -> None:
    """Print the answer, for a program or for a person."""
    if as_json:
        typer.echo(json.dumps(data, indent=1))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table)


class Outcome:
    """How a file went: `failed` is 1 where it could not be read."""

    failed = 0


@contextmanager
def reported(count: int) -> Iterator[Outcome]:
    """With one file a problem ends the command; among several it is told and the rest goes on."""
    outcome = Outcome()
    try:
        yield outcome
    except InputError as error:
        if count == 1:
            raise
        complain(error)
        outcome.failed = 1


def complain(error: XaiTfError) -> None:
    """Tell a problem in one line."""
    typer.echo(f"xai-tf: {' '.join(str(error).split())}", err=True)


def progress_bar() -> Progress:
    """A bar with times, on a terminal only, gone when it is done."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=NOTES,
        transient=True,
        disable=not NOTES.is_terminal,
    )


def with_progress(files: list[Path], what: str) -> Iterator[Path]:
    """Go through files under a bar."""
    with progress_bar() as bar:
        line = bar.add_task(what, total=len(files))
        for file in files:
            yield file
            bar.advance(line)


@contextmanager
def passes_bar() -> Iterator[Callable[..., None]]:
    """A progress of passes under a bar, which starts over with each thing that is done."""
    with progress_bar() as bar:
        line = bar.add_task("", total=1)

        def report(done: int, total: int, what: str = "", /) -> None:
            bar.update(line, description=what, completed=done, total=total)

        yield report
