"""The folders of searches, as a page follows them: found, looked at, read. No TensorFlow."""

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
RECENT = 60.0  # seconds; where locks cannot be looked up, what changed since then is running
# What the files of a search raise when they are JSON, but not of a search.
DAMAGE = (OSError, LookupError, TypeError, ValueError, AttributeError, BadZipFile)


@dataclass(frozen=True)
class Look:
    """What a folder shows without being read.

    Attributes:
        stamp: changes whenever a file of the search does.
        changed: when the last of them did, in seconds since 1970.
        live: whether a process works on it.
    """

    stamp: str
    changed: float
    live: bool


def find_searches(roots: Sequence[Path]) -> tuple[Path, ...]:
    """The folders of searches that are one of `roots` or directly in one, the newest first."""
    resume_from = {}
    for folder in (folder for root in roots for folder in _inside(root)):
        status = _status(folder / STUDY)
        if status is not None:
            resume_from[folder] = status.st_mtime
    return tuple(sorted(resume_from, key=lambda folder: (-resume_from[folder], folder.name)))


def look_at(folder: Path) -> Look | None:
    """See whether a search changed, by size and time of its files; None where there is none."""
    names = [STUDY, "oracle.json", CURVES, WINNER, ARRAYS]
    paths = [folder / name for name in names] + sorted(folder.glob("trial_*/trial.json"))
    seen = {path: status for path in paths if (status := _status(path)) is not None}
    if folder / STUDY not in seen:
        return None
    marks = [f"{path}:{status.st_mtime_ns}:{status.st_size}" for path, status in seen.items()]
    changed = max(status.st_mtime for status in seen.values())
    locked = _is_locked(folder / "lock")
    live = time.time() - changed < RECENT if locked is None else locked
    return Look(hashlib.sha256("\n".join(marks).encode()).hexdigest(), changed, live)


def read_whole(folder: Path) -> Search:
    """Read a search, and make sure that a page finds in it what it shows.

    Raises:
        InputError: a file is damaged, missing, or just being written.
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
            f"{folder} is damaged ({type(error).__name__}: {error}). Restore it, or start the "
            "search anew under another name."
        ) from error


def _inside(root: Path) -> Iterator[Path]:
    yield root
    try:
        yield from (folder for folder in root.iterdir() if folder.is_dir())
    except OSError:  # it is not there, or not ours to see
        return


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_locked(path: Path) -> bool | None:
    """Whether a process holds a lock, without touching it; None where that cannot be told.

    To try the lock would refuse it, for that moment, to a search that begins.
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
