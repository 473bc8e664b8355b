"""The folder of a search: one process at a time, whole files, and a memory of what was asked."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuning.trials import CURVES, STUDY, Epoch
from xai_tf.errors import InputError, OutputError, SettingError

MAX_TOLD = 8  # differences

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, one's share of it, or a file


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside its place, then move it there: it is whole or not there."""
    scratch = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        write(scratch)
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all."""
    write_whole(path, lambda scratch: _dump(scratch, data))


def add_epoch(folder: Path, trial: str, epoch: Epoch) -> None:
    """Add a line to the curves. A line that a kill cut off is ended first."""
    path = folder / CURVES
    line = json.dumps({"trial": trial} | asdict(epoch)) + "\n"
    # One write of a short line to a file opened for appending: workers do not mix theirs.
    with path.open("a+b", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it is free again when the process ends, however it ends.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(
            f"Another process works on {folder}. Wait for it, stop it, or give another name."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Give another --root."
        ) from error
    try:
        yield
    finally:
        lock.release()


def remember(folder: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Write down what a new search was asked, or make sure that an old one was asked the same.

    Returns:
        What stands in `study.json`.

    Raises:
        SettingError: something else was asked; the text names each difference.
    """
    path = folder / STUDY
    if not path.is_file():
        write_json(path, study)
        return study
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        changes = _changes(old["asked"], json.loads(json.dumps(study["asked"])))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}). Restore it, or give the search another name."
        ) from error
    if changes:
        raise SettingError(
            f"{folder} holds a search that was asked otherwise: {'; '.join(changes)}. Ask the "
            "same to go on with it, or give the new one another name."
        )
    return old


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs; of files only where nothing else does, for another seed moves them all."""
    settings = list(differences(old | {"files": None}, new | {"files": None}))
    was, now = ({k: v for part in a["files"].values() for k, v in part.items()} for a in (old, new))
    found = settings or list(differences(was, now)) or list(differences(old["files"], new["files"]))
    return found[:MAX_TOLD] + [f"and {len(found) - MAX_TOLD} more"] * (len(found) > MAX_TOLD)


def differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """Say what differs between two settings, by name: `seed: was 1, is 2`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            path = f"{name}.{key}" if name else str(key)
            yield from differences(old.get(key), new.get(key), path)
    elif old != new:
        yield f"{name}: was {_short(old)}, is {_short(new)}"


def check_space(folder: Path, needed: int) -> None:
    """Make sure that there is room before hours are spent.

    Raises:
        OutputError: there is not.
    """
    place = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise OutputError(
            f"{folder} needs about {needed / 1e6:,.0f} MB and has {free / 1e6:,.0f} MB left. Free "
            "some, or give another --root."
        )


@contextmanager
def disk_full_told(folder: Path) -> Iterator[None]:
    """Turn a full disk into an error that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL and "No space left" not in str(error):
            raise
        raise OutputError(
            f"No space is left for {folder}. What was done is kept: free some and run the same "
            "command again."
        ) from error


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def _short(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
