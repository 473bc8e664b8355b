"""Folders that are written as a whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xai_tf.errors import OutputError

SCRATCH = ".writing-"  # how a folder is named while it is written


@contextmanager
def whole_folder(folder: Path, mark: str) -> Iterator[Path]:
    """A new folder to write into, which takes its place when all is written, or leaves no trace.

    Args:
        folder: its place; one of ours that is there is replaced.
        mark: the file that says a folder is one of ours.

    Raises:
        OutputError: something else is there, or it cannot be written.
    """
    check_place(folder, mark)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=SCRATCH) as scratch:
            new, old = Path(scratch, "new"), Path(scratch, "old")
            new.mkdir()
            yield new
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(new, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Free some space, or give "
            "another --out."
        ) from error


def check_place(folder: Path, mark: str) -> None:
    """Raise an OutputError where a folder cannot go because something else is there."""
    if folder.parent.exists() and not folder.parent.is_dir():
        raise OutputError(f"{folder.parent} is no folder. Give another --out.")
    if folder.exists() and not (folder / mark).is_file():
        raise OutputError(
            f"{folder} is there and is not ours: it has no {mark}. Give another --out."
        )
