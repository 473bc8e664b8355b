"""The folders of searches that the page follows; without TensorFlow."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from tuning.trials import ARRAYS, CURVES, STUDY, WINNER, Search, read_search
from xai_tf.errors import InputError

LOCKS = Path("/proc/locks")  # Linux only
RECENT = 60.0  # seconds; without information on locks, a search that changed since then is running
# Errors that the files of a search raise if they are valid JSON with unexpected content.
DAMAGE = (OSError, LookupError, TypeError, ValueError, AttributeError, BadZipFile)


@dataclass(frozen=True)
class FolderStatus:
    """The state of a search folder, without reading its files.

    Attributes:
        stamp: a hash that changes whenever a file of the search changes.
        changed: time of the last change, in seconds since 1970.
        live: whether a process is working on the search.
    """

    stamp: str
    changed: float
    live: bool


def find_searches(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The search folders among `roots` and directly below them, the newest first."""
    created = {}
    for folder in (folder for root in roots for folder in _candidates(root)):
        status = _status(folder / STUDY)
        if status is not None:
            created[folder] = status.st_mtime
    return tuple(sorted(created, key=lambda folder: (-created[folder], folder.name)))


def folder_status(folder: Path) -> FolderStatus | None:
    """The state of a search by size and time of its files; None if there is no search."""
    names = [STUDY, "oracle.json", CURVES, WINNER, ARRAYS]
    paths = [folder / name for name in names] + sorted(folder.glob("trial_*/trial.json"))
    files = {path: status for path in paths if (status := _status(path)) is not None}
    if folder / STUDY not in files:
        return None
    marks = [f"{path}:{status.st_mtime_ns}:{status.st_size}" for path, status in files.items()]
    changed = max(status.st_mtime for status in files.values())
    locked = _is_locked(folder / "lock")
    live = time.time() - changed < RECENT if locked is None else locked
    return FolderStatus(hashlib.sha256("\n".join(marks).encode()).hexdigest(), changed, live)


def read_whole(folder: Path) -> Search:
    """Read a search, and check that it has everything the page shows.

    Raises:
        InputError: a file is damaged, missing, or being written.
    """
    try:
        search = read_search(folder)
        study = search.study
        _ = search.objective, study["name"], study["plan"]["trials"], study["plan"]["epochs"]
        _ = [rung["trials"] for bracket in study["plan"]["brackets"] for rung in bracket["rounds"]]
        _ = [search.lineage(trial) for trial in search.trials]
        _ = search.winner and (search.by_id[search.winner["trial"]], search.winner["metrics"])
        return search
    except DAMAGE as error:
        raise InputError(
            f"Cannot read the search {folder} ({type(error).__name__}: {error}). Restore its "
            "files, or start a new search under another name."
        ) from error


def _candidates(root: Path) -> Iterator[Path]:
    yield root
    try:
        yield from (folder for folder in root.iterdir() if folder.is_dir())
    except OSError:  # missing or not readable
        return


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_locked(path: Path) -> bool | None:
    """Whether a process holds a lock, without touching the lock; None if unknown.

    Acquiring the lock as a test could keep a starting search from getting it.
    """
    status = _status(path)
    if status is None:
        return False
    try:
        held = LOCKS.read_text(encoding="ascii")
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    return f" {device}:{status.st_ino} " in held
