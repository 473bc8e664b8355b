"""Answers on disk: shared by all visitors, bounded in size, still there after a restart."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

MEMORY_BYTES = 64 * 2**20  # none of the answers in memory takes more than a quarter of it
DIGEST_BYTES = 32
# A request's key; before it the content of the visitor's file that the answer is about, if any.
NAME = re.compile("([0-9a-f]{64}-)?[0-9a-f]{64}")
UNFINISHED = ".writing-"
ABANDONED = 3600.0  # seconds after which nobody writes an unfinished file any more
_log = logging.getLogger(__name__)


class Store:
    """Bytes by key, in a folder of files and partly in memory.

    A key is a SHA-256, or `<content>-<key>` where the answer goes with a visitor's file. Files of
    other names are left alone. The least recently used go first. A file that is not as it was
    written is a miss, and so is what a full disk could not take. Several threads may use one.

    Attributes:
        folder: where the files are.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Open a store.

        Args:
            folder: made where it is missing.
            max_bytes: of all files.
        """
        self.folder, self._max_bytes = folder, max_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()  # of the files, least used first
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._lock, self._full = Lock(), False
        self._look()

    @property
    def bytes(self) -> int:
        """What the files take."""
        with self._lock:
            return sum(self._sizes.values())

    def get(self, key: str) -> bytes | None:
        """What was put under a key, or None."""
        with self._lock:
            if key in self._memory:
                self._touch(key)
                return self._memory[key]
        data = read_answer(self.folder, key)
        with self._lock:
            if data is None:
                self._sizes.pop(key, None)
            else:
                self._remember(key, data)
                self._touch(key)
        return data

    def __contains__(self, key: str) -> bool:
        """Whether there is something under a key, as far as can be told without reading it."""
        with self._lock:
            return key in self._memory or key in self._sizes

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key; where the disk cannot take it, in memory only."""
        with self._lock:
            self._remember(key, data)
        size = DIGEST_BYTES + len(data)
        if size > self._max_bytes:
            return
        try:
            self._write(key, data)
        except OSError as error:
            self._tell_full(error)
            return
        with self._lock:
            self._full = False
            self._sizes[key] = size
            self._sizes.move_to_end(key)
            excess = sum(self._sizes.values()) - self._max_bytes
            while excess > 0:
                oldest, freed = self._sizes.popitem(last=False)
                self._memory.pop(oldest, None)
                self._delete(oldest)
                excess -= freed

    def forget(self, content: str | None = None) -> None:
        """Delete all answers about a visitor's file, given by its SHA-256, or about any."""
        with self._lock:
            for key in {*self._sizes, *self._memory}:
                about, found, _ = key.rpartition("-")
                if found and content in (None, about):
                    self._memory.pop(key, None)
                    self._sizes.pop(key, None)
                    self._delete(key)

    def _look(self) -> None:
        """See what an earlier server left."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files = [e for e in os.scandir(self.folder) if e.is_file(follow_symlinks=False)]
            found = sorted((e.stat().st_mtime, e.name, e.stat().st_size) for e in files)
        except OSError as error:
            self._tell_full(error)
            return
        for changed, name, size in found:
            if NAME.fullmatch(name):
                self._sizes[name] = size
            elif name.startswith(UNFINISHED) and time.time() - changed > ABANDONED:
                self._delete(name)

    def _write(self, key: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            os.replace(name, self.folder / key)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _delete(self, name: str) -> None:
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be deleted: %s", self.folder / name, error)

    def _remember(self, key: str, data: bytes) -> None:
        if len(data) > MEMORY_BYTES // 4:  # it would push out all others
            return
        self._memory[key] = data
        self._memory.move_to_end(key)
        excess = sum(map(len, self._memory.values())) - MEMORY_BYTES
        while excess > 0:
            excess -= len(self._memory.popitem(last=False)[1])

    def _touch(self, key: str) -> None:
        """Say that a key was used, to us and to the server after us."""
        if key in self._memory:
            self._memory.move_to_end(key)
        if key in self._sizes:
            self._sizes.move_to_end(key)
            try:
                os.utime(self.folder / key)
            except OSError:  # only its place in the order is lost
                self._sizes.pop(key)

    def _tell_full(self, error: OSError) -> None:
        """Log once that nothing can be kept, until it can be again."""
        if not self._full:
            _log.warning("answers are not kept in %s: %s", self.folder, error)
        self._full = True


def answers_folder(cache: Path) -> Path:
    """Where the answers of a server are; nothing else is in there."""
    return cache / "answers"


def read_answer(folder: Path, key: str) -> bytes | None:
    """What is kept in a store's folder under a key; a file cut off or changed is deleted."""
    path = folder / key
    try:
        content = path.read_bytes()
        data = content[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == content[:DIGEST_BYTES]:
            return data
        _log.warning("%s is damaged, and is computed anew", path)
        path.unlink(missing_ok=True)
    except OSError:
        pass
    return None
