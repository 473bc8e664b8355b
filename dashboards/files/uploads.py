"""The files of one visitor: checked, kept in a folder of their own, deleted with the session."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from dashboards.files.file_types import check_content, content_of
from dashboards.service.requests import VISITOR, Upload
from xai_tf.errors import InputError, OutputError
from xai_tf.inputs.sample import check_file, file_sha256

MEGABYTE = 1_000_000
LONGEST_NAME = 120


@dataclass(frozen=True)
class Limits:
    """What one visitor may give.

    Attributes:
        sound_bytes, picture_bytes: of one file; 200 MB hold an hour of mono sound.
        total_bytes: of all files of a session, those just removed included.
        files: at one time.
    """

    sound_bytes: int = 200 * MEGABYTE
    picture_bytes: int = 100 * MEGABYTE
    total_bytes: int = 1000 * MEGABYTE
    files: int = 50

    @property
    def file_bytes(self) -> int:
        """Of one file, whatever it is."""
        return max(self.sound_bytes, self.picture_bytes)

    @property
    def unfinished_bytes(self) -> int:
        """Of files that are still being sent."""
        return 2 * self.file_bytes

    def check(self, name: str, size: int, kind: str = "") -> None:
        """See that a file is not too large.

        Args:
            name: what the visitor calls it.
            size: its bytes.
            kind: "sound" or "picture"; empty before it is known.

        Raises:
            InputError: it is.
        """
        limit = {"sound": self.sound_bytes, "picture": self.picture_bytes}.get(
            kind, self.file_bytes
        )
        if size > limit:
            raise InputError(
                f"{safe_name(name)} has {size / MEGABYTE:,.2f} MB; the limit"
                f"{kind and f' for a {kind}'} is {limit / MEGABYTE:g} MB. "
                "Cut it, or scale it down."
            )


class Uploads:
    """A visitor's files. Any thread may ask.

    Args:
        folder: holds a folder for each visitor; see `uploads_folder`.
        limits: what is accepted.
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = Path(mkdtemp(dir=folder, prefix=VISITOR))  # mode 0700
        self._files: dict[str, Upload] = {}
        self._removed: dict[str, Upload] = {}  # oldest first
        self._lock = Lock()

    @property
    def files(self) -> tuple[Upload, ...]:
        """Those that are there, in the order in which they came."""
        return tuple(self._files.values())

    def add(self, name: str, data: bytes) -> Upload:
        """Check a file and keep it. The same content twice is one file, under its first name.

        Args:
            name: what the visitor calls it; shown as text, used for nothing else.
            data: its bytes.

        Raises:
            InputError: it is too large, one too many, of no kind we read, damaged at its start, or
                unpacks to too few or too many pixels.
            OutputError: this server cannot keep it.
        """
        name = safe_name(name)
        self.limits.check(name, len(data))
        content = check_content(name, data)
        self.limits.check(name, len(data), content.kind)
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            if known := self._files.get(digest) or self._bring_back(digest):
                return known
            self._make_room(name, len(data))
            path = self.folder / f"{digest}{content.suffix}"
            _write(path, name, data)
            upload = Upload(name, path, digest, len(data), content.kind)
            self._files[digest] = upload
            return upload

    @staticmethod
    def from_path(path: Path) -> Upload:
        """A file that lies on this server anyway, as a sample does: not copied, never deleted.

        Raises:
            InputError: it is missing, empty, or no picture or sound.
        """
        check_file(path)
        with path.open("rb") as file:
            content = content_of(file.read(132))
        if content is None:
            raise InputError(f"{path} is no picture or sound. Give another file.")
        size = path.stat().st_size
        return Upload(path.name, path, file_sha256(path), size, content.kind, public=True)

    def remove(self, upload: Upload) -> None:
        """Take a file away; `restore` brings it back while there is room for it."""
        with self._lock:
            if known := self._files.pop(upload.sha256, None):
                self._removed[known.sha256] = known

    def restore(self, sha256: str) -> Upload | None:
        """The visitor's file with this content, brought back if it was removed; None without it."""
        with self._lock:
            return self._files.get(sha256) or self._bring_back(sha256)

    def close(self) -> None:
        """Delete everything, for good."""
        with self._lock:
            self._files.clear()
            self._removed.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _bring_back(self, sha256: str) -> Upload | None:
        if sha256 not in self._removed or len(self._files) >= self.limits.files:
            return None
        self._files[sha256] = self._removed.pop(sha256)
        return self._files[sha256]

    def _make_room(self, name: str, size: int) -> None:
        """Forget removed files, the oldest first, until one more of `size` bytes fits."""
        if len(self._files) >= self.limits.files:
            raise InputError(
                f"{name} is one too many: {self.limits.files} files are here. Remove one first."
            )
        kept = sum(upload.size for upload in self._files.values())
        if kept + size > self.limits.total_bytes:
            raise InputError(
                f"{name} does not fit: your files would have {(kept + size) / MEGABYTE:,.2f} MB "
                f"with it, and {self.limits.total_bytes / MEGABYTE:g} MB is the limit. "
                "Remove some first."
            )
        while self._removed and (
            len(self._files) + len(self._removed) >= self.limits.files
            or kept + self._removed_bytes() + size > self.limits.total_bytes
        ):
            oldest = next(iter(self._removed))
            self._removed.pop(oldest).path.unlink(missing_ok=True)

    def _removed_bytes(self) -> int:
        return sum(upload.size for upload in self._removed.values())


def safe_name(name: str) -> str:
    """What can be shown of a file name: one line of at most 120 characters, without folders.

    Characters that are invisible or turn the direction of writing are dropped. Markup stays what
    it is, since names are shown as text.
    """
    last = str(name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    seen = "".join(c for c in last if c.isspace() or not unicodedata.category(c).startswith("C"))
    seen = " ".join(seen.split())
    if not seen.strip("."):
        return "file"
    if len(seen) > LONGEST_NAME:
        ending = seen[-20:]
        seen = f"{seen[: LONGEST_NAME - len(ending) - 1]}…{ending}"
    return seen


def uploads_folder(cache: Path) -> Path:
    """Where the folders of all visitors of a server are."""
    return cache / "uploads"


def clear_uploads(cache: Path) -> None:
    """Delete the folders of all visitors of a server, and nothing else that lies there."""
    folder = uploads_folder(cache)
    for visitors in folder.glob(f"{VISITOR}*"):
        shutil.rmtree(visitors, ignore_errors=True)
    with suppress(OSError):  # it is not there, or something else is in it
        folder.rmdir()


def _write(path: Path, name: str, data: bytes) -> None:
    """Write a file whole or not at all, for this user's eyes only."""
    part = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "its disk is full" if full else error.strerror or "it cannot write"
        raise OutputError(
            f"{name} could not be kept on this server: {why}. Tell who runs it, or try later."
        ) from error
