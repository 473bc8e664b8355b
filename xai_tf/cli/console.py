"""What the command prints on standard error: remarks, warnings, errors and progress."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar

from xai_tf.errors import XaiTfError
from xai_tf.progress import Progress

NOTES = Console(stderr=True)

# The loggers of this project, set up by `--verbose`; those of other packages stay as they are.
# "py.warnings" has the warnings of Python, theirs included.
LOGGERS = ("weights_keras", "xai_tf", "tuning", "dashboards", "py.warnings")
LOG_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass
class Interruption:
    """Whether Ctrl-C was pressed.

    Python raises KeyboardInterrupt wherever it happens to be, and where that is a finalizer or a
    callback from C it is printed and lost. So it is noted too, and raised again with the next
    report of progress.
    """

    requested: bool = False

    def on_signal(self, number: int, frame: object) -> None:
        """Handle SIGINT."""
        self.requested = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was lost, if there was one."""
        if self.requested:
            raise KeyboardInterrupt


INTERRUPTION = Interruption()


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
    quiet_others(logging.WARNING if count else logging.ERROR)
    level = LOG_LEVELS[min(count, len(LOG_LEVELS) - 1)]
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level if count else logging.NOTSET)
        logger.handlers = [handler] if count else []
        logger.propagate = not count


def quiet_others(level: int = logging.ERROR) -> None:
    """Print what other packages log from a level on.

    TensorFlow and absl add a handler of their own where the root logger has none, which prints
    remarks on their own workings among ours.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _OthersHandler):
            root.removeHandler(handler)
    root.addHandler(_OthersHandler(level))
    logging.getLogger("tensorflow").setLevel(level)  # where it is imported already


class _OthersHandler(logging.StreamHandler[TextIO]):
    def __init__(self, level: int) -> None:
        super().__init__()
        self.setLevel(level)
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))


def note(text: str, style: str | None = None) -> None:
    """Print a remark that is not part of the answer; nothing with `--quiet`."""
    if not VERBOSITY.quiet:
        NOTES.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning."""
    note(text, style="yellow")


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
            INTERRUPTION.check()
            bar.update(line, description=what or title, completed=done, total=total)

        yield progress


def with_progress(files: list[Path], what: str) -> Iterator[Path]:
    """Iterate over files with a progress bar."""
    with progress_bar() as bar:
        line = bar.add_task(what, total=len(files))
        for file in files:
            INTERRUPTION.check()
            yield file
            bar.advance(line)
