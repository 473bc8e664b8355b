"""Files and folders that are written whole, or not at all: the one place that knows how."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident

from xai_tf.errors import OutputError

SCRATCH = ".writing-"  # how the name of a file or folder begins while it is written


def replace_file(path: Path, write: Callable[[Path], object], durable: bool = False) -> None:
    """Let `write` make a file beside its place, then move it there: it is whole or not there.

    Args:
        path: its place; a file that is there is replaced.
        write: is given the path to write to; its suffix is that of the file.
        durable: whether the bytes are on the disk before the file takes its place, so that it
            survives a power failure.

    Raises:
        OSError: it cannot be written; nothing is left of the attempt.
    """
    # Two threads may write the same file at once.
    scratch = path.with_name(f"{SCRATCH}{os.getpid()}-{get_ident()}-{path.name}")
    try:
        write(scratch)
        if durable:
            with scratch.open("rb") as file:
                os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only this user can read, whole or not at all.

    Args:
        path: its place, in a folder that exists; a file that is there is replaced.
        data: its content.

    Raises:
        OSError: it cannot be written.
    """

    def write(scratch: Path) -> None:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)

    replace_file(path, write)


def write_file(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a result of ours whole or not at all; its folder is made where it is missing.

    Args:
        path: its place; a file that is there is replaced.
        content: text, bytes, or what writes the file to a path.

    Raises:
        OutputError: it cannot be written.
    """

    def write(scratch: Path) -> None:
        if isinstance(content, str):
            scratch.write_text(content, "utf-8")
        elif isinstance(content, bytes):
            scratch.write_bytes(content)
        else:
            content(scratch)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, write)
    except OSError as error:
        raise _cannot_write(path, error) from error


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
                folder.replace(old)
            try:
                new.replace(folder)
            except OSError:
                if old.exists():
                    old.replace(folder)
                raise
    except OSError as error:
        raise _cannot_write(folder, error) from error


def check_free(place: Path, overwrite: bool = False, instead: str = "use another --out") -> None:
    """The rule of every command that writes: an earlier result is replaced only where it is asked.

    Args:
        place: of a file or folder that will be written.
        overwrite: whether what is there may be replaced.
        instead: what else a person can do.

    Raises:
        OutputError: something is there already.
    """
    if place.exists() and not overwrite:
        raise earlier_result(str(place), instead)


def earlier_result(what: str, instead: str = "use another --out") -> OutputError:
    """The error of a command that would replace something.

    Args:
        what: the earlier result, such as a path.
        instead: what else a person can do.
    """
    return OutputError(
        f"There is an earlier result: {what}. Nothing was written. Add --overwrite to replace it, "
        f"or {instead}."
    )


def check_place(folder: Path, mark: str) -> None:
    """Raise an OutputError where a folder cannot go because something else is there."""
    if folder.parent.exists() and not folder.parent.is_dir():
        raise OutputError(
            f"Cannot write to {folder.parent}: it is not a folder. Use another --out."
        )
    if folder.exists() and not (folder / mark).is_file():
        raise OutputError(
            f"Cannot overwrite {folder}: it was not written by xai-tf (it has no {mark}). Use "
            "another --out."
        )


def check_page(page: Path, mark: str) -> None:
    """Raise an OutputError where a page would replace something that is not ours.

    Args:
        page: its place.
        mark: what stands near the top of a page of ours.
    """
    if page.is_dir():
        raise OutputError(f"Cannot write {page}: it is a folder. Give the name of a file.")
    if page.is_file() and mark not in page.read_text("utf-8", errors="replace")[:500]:
        raise OutputError(
            f"Cannot overwrite {page}: it was not written by xai-tf. Use another --out."
        )


def spreadsheet_cell(text: str) -> str:
    """Text that a spreadsheet does not run: what starts like a formula gets a quote before it.

    >>> spreadsheet_cell("=1+1.png"), spreadsheet_cell("1.png")
    ("'=1+1.png", '1.png')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write {path}: {error.strerror or error}. Free some disk space, or use another "
        "--out."
    )
