"""The uploads of a visitor: checked, stored in their own folder, and kept as long as agreed.

A visitor who can come back, as after a reload, finds their files for a while: the time of the last
change of their folder says when it was last in use. Other visitors' files end with their session.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from uuid import uuid4

from dashboards.files.file_types import accepted, check_content, suffix_of
from dashboards.language import mark, number, t
from dashboards.service.requests import VISITOR, Upload
from xai_tf.errors import InputError, OutputError
from xai_tf.files import write_private
from xai_tf.inputs.formats import START, format_of
from xai_tf.inputs.sample import check_file, file_sha256

MEGABYTE = 1_000_000
LONGEST_NAME = 120
INDEX = "files.json"  # lists the files of a visitor who can come back


@dataclass(frozen=True)
class Limits:
    """The upload limits of one visitor.

    Attributes:
        sound_bytes: largest sound file; 200 MB hold an hour of mono sound.
        picture_bytes: largest picture file.
        total_bytes: all files of a session, including removed files that can be restored.
        files: number of files at one time.
        labeled_files: number of files in a labeled set.
    """

    sound_bytes: int = 200 * MEGABYTE
    picture_bytes: int = 100 * MEGABYTE
    total_bytes: int = 1000 * MEGABYTE
    files: int = 50
    labeled_files: int = 5000

    @property
    def file_bytes(self) -> int:
        """The largest file of any kind."""
        return max(self.sound_bytes, self.picture_bytes)

    @property
    def unfinished_bytes(self) -> int:
        """The limit for all files that are being uploaded."""
        return 2 * self.file_bytes

    def check(self, name: str, size: int, kind: str = "") -> None:
        """Check the size of a file.

        Args:
            name: the name of the file in error messages.
            size: its size in bytes.
            kind: "sound" or "picture"; empty if unknown.

        Raises:
            InputError: the file is too large.
        """
        limit = {"sound": self.sound_bytes, "picture": self.picture_bytes}.get(
            kind, self.file_bytes
        )
        if size > limit:
            text = {
                "": mark("{name} has {size}; the limit is {limit}. Shorten it, or scale it down."),
                "sound": mark("{name} has {size}; the limit for a sound is {limit}. Shorten it."),
                "picture": mark(
                    "{name} has {size}; the limit for a picture is {limit}. Scale it down."
                ),
            }[kind]
            raise InputError(
                t(text, name=safe_name(name), size=megabytes(size, ",.2f"), limit=megabytes(limit))
            )


def megabytes(size: int, form: str = "g") -> str:
    """A size in megabytes."""
    return t("{size} MB", size=number(size / MEGABYTE, form))


class Uploads:
    """A visitor's files. Thread-safe.

    Args:
        folder: the folder that holds one folder per visitor; see `uploads_folder`.
        limits: the limits of the visitor.
        visitor: who can come back to these files, see `open_uploads`; "" for nobody.

    Attributes:
        folder: the folder of the visitor.
        pages: the number of open pages that use them.
    """

    def __init__(self, folder: Path, limits: Limits | None = None, visitor: str = "") -> None:
        self.limits = limits or Limits()
        self.pages = 1
        self._files: dict[str, Upload] = {}
        self._removed: dict[str, Upload] = {}  # oldest first
        self._lock = Lock()
        self._returns = bool(visitor)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if visitor:
            self.folder = folder / f"{VISITOR}{visitor}"
            self.folder.mkdir(exist_ok=True, mode=0o700)
            self._files = {upload.sha256: upload for upload in _read_index(self.folder)}
            self._write_index()
        else:
            self.folder = Path(mkdtemp(dir=folder, prefix=VISITOR))  # mode 0700

    @property
    def files(self) -> tuple[Upload, ...]:
        """The current files, in the order in which they came."""
        return tuple(self._files.values())

    def add(self, name: str, data: bytes) -> Upload:
        """Check and store a file. Equal content is stored once, under its first name.

        Args:
            name: the visitor's name of the file; it is only displayed.
            data: the content of the file.

        Raises:
            InputError: the file is too large, of an unsupported type or damaged, has too few or
                too many pixels, or there are too many files.
            OutputError: this server cannot store it.
        """
        name = safe_name(name)
        self.limits.check(name, len(data))
        content = check_content(name, data)
        self.limits.check(name, len(data), content.kind)
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            if existing := self._files.get(digest) or self._restore(digest):
                return existing
            self._make_room(name, len(data))
            path = self.folder / f"{digest}{suffix_of(content, data)}"
            _write(path, name, data)
            upload = Upload(name=name, path=path, sha256=digest, size=len(data), kind=content.kind)
            self._files[digest] = upload
            self._write_index()
            return upload

    @staticmethod
    def from_path(path: Path) -> Upload:
        """A public file of this server, such as a sample: it is neither copied nor deleted.

        Raises:
            InputError: it is missing, empty, or not a picture or sound.
        """
        check_file(path)
        with path.open("rb") as file:
            content = format_of(file.read(START))
        if content is None:
            raise InputError(
                t(
                    "{name} does not contain a supported picture or sound. Expected {types}.",
                    name=path,
                    types=accepted(),
                )
            )
        return Upload(
            name=path.name,
            path=path,
            sha256=file_sha256(path),
            size=path.stat().st_size,
            kind=content.kind,
            public=True,
        )

    def remove(self, upload: Upload) -> None:
        """Remove a file; `restore` can bring it back until its space is needed."""
        with self._lock:
            if removed := self._files.pop(upload.sha256, None):
                self._removed[removed.sha256] = removed
                self._write_index()

    def restore(self, sha256: str) -> Upload | None:
        """The visitor's file with this content, restored if it was removed, or None."""
        with self._lock:
            return self._files.get(sha256) or self._restore(sha256)

    def close(self) -> None:
        """End one page. With the last one, delete the files of a visitor who cannot come back."""
        with _opening:
            self.pages -= 1
            if self.pages > 0:
                return
            if _open.get(self.folder) is self:
                del _open[self.folder]
        with self._lock:
            for removed in self._removed.values():
                removed.path.unlink(missing_ok=True)
            if self._returns and any(path.name != INDEX for path in self.folder.glob("*")):
                os.utime(self.folder)  # the time they are kept begins
                return
            self._files.clear()
            self._removed.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _restore(self, sha256: str) -> Upload | None:
        if sha256 not in self._removed or len(self._files) >= self.limits.files:
            return None
        self._files[sha256] = self._removed.pop(sha256)
        self._write_index()
        return self._files[sha256]

    def _write_index(self) -> None:
        if self._returns:
            entries = [asdict(one) | {"path": one.path.name} for one in self._files.values()]
            with suppress(OutputError):  # on a full disk, the files are only not found again
                _write(self.folder / INDEX, INDEX, json.dumps(entries).encode())

    def _make_room(self, name: str, size: int) -> None:
        """Delete removed files, the oldest first, until a file of `size` bytes fits."""
        if len(self._files) >= self.limits.files:
            raise InputError(
                t(
                    "{name} was rejected: the limit is {count} files. Remove a file first.",
                    name=name,
                    count=self.limits.files,
                )
            )
        used = sum(upload.size for upload in self._files.values())
        if used + size > self.limits.total_bytes:
            raise InputError(
                t(
                    "{name} was rejected: your files would take {size}; the limit is {limit}. "
                    "Remove some files first.",
                    name=name,
                    size=megabytes(used + size, ",.2f"),
                    limit=megabytes(self.limits.total_bytes),
                )
            )
        while self._removed and (
            len(self._files) + len(self._removed) >= self.limits.files
            or used + self._removed_bytes() + size > self.limits.total_bytes
        ):
            oldest = next(iter(self._removed))
            self._removed.pop(oldest).path.unlink(missing_ok=True)

    def _removed_bytes(self) -> int:
        return sum(upload.size for upload in self._removed.values())


def safe_name(name: str) -> str:
    """A file name that is safe to display: one line of at most 120 characters, without folders.

    Characters that are invisible or change the writing direction are dropped. Markup is left as it
    is, because names are displayed as text.
    """
    last = str(name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    visible = "".join(c for c in last if c.isspace() or not unicodedata.category(c).startswith("C"))
    visible = " ".join(visible.split())
    if not visible.strip("."):
        return "file"
    if len(visible) > LONGEST_NAME:
        ending = visible[-20:]
        visible = f"{visible[: LONGEST_NAME - len(ending) - 1]}…{ending}"
    return visible


def uploads_folder(cache: Path) -> Path:
    """The folder that holds the folders of all visitors of a server."""
    return cache / "uploads"


def open_uploads(folder: Path, limits: Limits | None = None, visitor: str = "") -> Uploads:
    """The files of a visitor, shared by all of their pages. Each page must close them.

    Args:
        folder: the folder that holds one folder per visitor; see `uploads_folder`.
        limits: the limits of the visitor.
        visitor: names who comes back, in letters and digits; "" for a visitor who cannot.
    """
    if not visitor.isalnum():
        return Uploads(folder, limits)
    with _opening:
        shared = _open.get(folder / f"{VISITOR}{visitor}")
        if shared is None:
            shared = Uploads(folder, limits, visitor)
            _open[shared.folder] = shared
        else:
            shared.pages += 1
        return shared


def clear_uploads(cache: Path, seconds: float = 0.0, most_bytes: int = 0) -> None:
    """Delete what no visitor can come back to, as a server does when it starts and stops.

    Args:
        cache: the folder of the server.
        seconds: how long files are kept after their last use.
        most_bytes: of all the files that are kept.
    """
    folder = uploads_folder(cache)
    for visitors in folder.glob(f"{VISITOR}*"):
        if not (visitors / INDEX).is_file():
            shutil.rmtree(visitors, ignore_errors=True)
    sweep_uploads(cache, seconds, most_bytes)
    with suppress(OSError):  # missing, or not empty
        folder.rmdir()


def sweep_uploads(cache: Path, seconds: float, most_bytes: int) -> None:
    """Delete the files of visitors who did not come back in time, and the oldest of too many."""
    left = most_bytes
    for index in sorted(uploads_folder(cache).glob(f"{VISITOR}*/{INDEX}"), key=_last_use):
        folder = index.parent
        left -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        with _opening:
            if folder in _open:
                os.utime(folder)  # so that a server that is killed keeps them as well
                continue
            if time.time() - folder.stat().st_mtime <= seconds and left >= 0:
                continue
            gone = folder.rename(folder.with_name(f"{VISITOR}{uuid4().hex}"))
        shutil.rmtree(gone, ignore_errors=True)


def _last_use(index: Path) -> float:
    """The sort key that puts the folder used last first."""
    return -index.parent.stat().st_mtime


def _read_index(folder: Path) -> list[Upload]:
    """The files that a visitor left; other ones in the folder are deleted."""
    try:
        entries = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = [Upload(**entry | {"path": folder / entry["path"]}) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError):  # none yet, or a disk that was full
        found = []
    found = [one for one in found if one.path.is_file() and one.path.stat().st_size == one.size]
    listed = {INDEX, *(upload.path.name for upload in found)}
    for path in folder.iterdir():
        if path.name not in listed and path.is_file():
            path.unlink()
    return found


_open: dict[Path, Uploads] = {}  # by folder: what the pages of this server use
_opening = Lock()


def _write(path: Path, name: str, data: bytes) -> None:
    """Write a file atomically, readable for this user only."""
    try:
        write_private(path, data)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = t("the disk is full") if full else error.strerror or t("the disk is not writable")
        raise not_stored(name, reason) from error


def not_stored(what: str, reason: str) -> OutputError:
    """The error where this server cannot store something."""
    return OutputError(
        t(
            "Cannot store {what} on this server: {reason}. Contact its administrator, or try "
            "again later.",
            what=what,
            reason=reason,
        )
    )
