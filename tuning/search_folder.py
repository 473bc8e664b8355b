"""The folder of a search: one process at a time, complete files, and a record of the settings."""

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

from tuning.settings import readable_settings
from tuning.trials import CURVES, STUDY, Epoch
from xai_tf.errors import InputError, OutputError, SettingError
from xai_tf.files import replace_file

MAX_DIFFERENCES = 8  # named in an error

# The disk, a user's quota, or one file is full.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_durably(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file of a search, which then survives a killed process and a power failure.

    Args:
        path: the file; an existing one is replaced.
        write: is given the path to write to.
    """
    replace_file(path, write, durable=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON, completely or not at all."""
    text = json.dumps(data, indent=1)
    write_durably(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def add_epoch(folder: Path, trial: str, epoch: Epoch) -> None:
    """Append an epoch to the learning curves of a search.

    A line that a killed process left incomplete is ended first.
    """
    path = folder / CURVES
    line = json.dumps({"trial": trial} | asdict(epoch)) + "\n"
    # One write of a short line to a file opened for appending: lines of workers stay separate.
    with path.open("a+b", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a search folder; it is released when the process ends, however it ends.

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
            f"Another process is using {folder}. Wait until it ends, stop it, or give another name."
        ) from error
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder}: {error.strerror or error}. Give another --root."
        ) from error
    try:
        yield
    finally:
        lock.release()


def store_or_check_settings(folder: Path, study: dict[str, Any]) -> dict[str, Any]:
    """Store the settings of a new search; of a resumed one, check that they are the same.

    Args:
        folder: the search folder.
        study: the content of a new `study.json`, with the settings under "asked".

    Returns:
        The content of `study.json`.

    Raises:
        SettingError: the settings differ; the text names each difference.
        InputError: `study.json` is damaged.
    """
    path = folder / STUDY
    if not path.is_file():
        write_json(path, study)
        return study
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        changes = _changes(stored["asked"], json.loads(json.dumps(study["asked"])))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"Cannot read {path}: it is damaged ({error}). Restore it, or give the search another "
            "name."
        ) from error
    if changes:
        raise SettingError(
            f"{folder} holds a search with other settings: {'; '.join(changes)}. Use the same "
            "settings to resume it, or give the new search another name."
        )
    return stored


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs, at most `MAX_DIFFERENCES` named.

    Files are named only where nothing else differs, for another seed moves them all between splits.
    """
    without_files = list(
        differences(
            readable_settings(old | {"files": None}), readable_settings(new | {"files": None})
        )
    )
    before, after = (
        {name: digest for split in settings["files"].values() for name, digest in split.items()}
        for settings in (old, new)
    )
    all_changes = (
        without_files
        or list(differences(before, after))
        or list(differences(old["files"], new["files"]))
    )
    more = len(all_changes) - MAX_DIFFERENCES
    return all_changes[:MAX_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])


def differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """What differs between two nested settings, by name: `seed: was 1, is 2`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            path = f"{name}.{key}" if name else str(key)
            yield from differences(old.get(key), new.get(key), path)
    elif old != new:
        yield f"{name}: was {_shortened(old)}, is {_shortened(new)}"


def check_space(folder: Path, needed: int) -> None:
    """Make sure that there is enough disk space before hours are spent.

    Args:
        folder: the search folder; it need not exist yet.
        needed: bytes.

    Raises:
        OutputError: there is not enough.
    """
    existing = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise OutputError(
            f"{folder} needs about {needed / 1e6:,.0f} MB, but only {free / 1e6:,.0f} MB are free. "
            "Free some disk space, or give another --root."
        )


@contextmanager
def disk_full_as_output_error(folder: Path) -> Iterator[None]:
    """Turn a full disk into an error that says how to resume.

    Raises:
        OutputError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL and "No space left" not in str(error):
            raise
        raise OutputError(
            f"The disk is full: {folder} cannot be written. All finished work is stored. Free some "
            "disk space, and run the same command again to resume."
        ) from error


def _shortened(value: Any) -> str:
    text = "unset" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
