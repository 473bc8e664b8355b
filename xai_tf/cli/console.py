"""What the command prints: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar

from xai_tf.errors import InputError, XaiTfError
from xai_tf.progress import Progress

NOTES = Console(stderr=True)

# The loggers of this project, set up by `--verbose`; those of other packages stay as they are.
LOGGERS = ("weights_keras", "xai_tf", "tuning", "dashboards")
LOG_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass
class Verbosity:
    """How much the command prints beside its answer.

    Attributes:
        verbose: 0 prints warnings, 1 logs at INFO, 2 or more at DEBUG. From 1 on, errors are
            printed with their traceback.
        quiet: print the answer and errors only: no notes, no progress bars.
    """

    verbose: int = 0
    quiet: bool = False


VERBOSITY = Verbosity()


def set_verbose(count: int) -> None:
    """Log to standard error at WARNING (0), INFO (1) or DEBUG (2 and more)."""
    VERBOSITY.verbose = count
    level = LOG_LEVELS[min(count, len(LOG_LEVELS) - 1)]
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level if count else logging.NOTSET)
        logger.handlers = [handler] if count else []
        logger.propagate = not count


def note(text: str, style: str | None = None) -> None:
    """Print a remark that is not part of the answer; nothing with `--quiet`."""
    if not VERBOSITY.quiet:
        NOTES.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning."""
    note(text, style="yellow")


def answer(as_json: bool, data: Any, table: RenderableType) -> None:
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
    """Report an unreadable file and go on, or end the command if it is the only file.

    Args:
        count: the number of files.
    """
    outcome = Outcome()
    try:
        yield outcome
    except InputError as error:
        if count == 1:
            raise
        complain(error)
        outcome.failed = 1


def complain(error: XaiTfError) -> None:
    """Print an error in one line, with its traceback before it if `--verbose` is given."""
    if VERBOSITY.verbose:
        traceback.print_exception(error)
    typer.echo(f"xai-tf: {' '.join(str(error).split())}", err=True)


def progress_bar() -> ProgressBar:
    """A progress bar with times; shown on a terminal only and removed at the end."""
    return ProgressBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=NOTES,
        transient=True,
        disable=VERBOSITY.quiet or not NOTES.is_terminal,
    )


@contextmanager
def progress_of(title: str) -> Iterator[Progress]:
    """Show a progress bar for one piece of work; yields the callback that moves it.

    Args:
        title: shown beside the bar, until the work says what it does.
    """
    with progress_bar() as bar:
        line = bar.add_task(title, total=None)

        def progress(done: int, total: int, what: str = "") -> None:
            bar.update(line, description=what or title, completed=done, total=total)

        yield progress


def with_progress(files: list[Path], what: str) -> Iterator[Path]:
    """Iterate over files with a progress bar."""
    with progress_bar() as bar:
        line = bar.add_task(what, total=len(files))
        for file in files:
            yield file
            bar.advance(line)
