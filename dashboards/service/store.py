"""Answers on disk: shared by all visitors, bounded in size, still there after a restart."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

MEMORY_BYTES = 64 * 2**20
DIGEST_BYTES = 32
UNFINISHED = ".writing-"
ABANDONED = 3600.0  # seconds after which nobody writes an unfinished file any more
_log = logging.getLogger(__name__)


class Store:
    """Bytes by key, in a folder of files and partly in memory.

    The least recently used go first. A file that is not as it was written is a miss, and so is
    what a full disk could not take. Several threads may use one; of several processes one may
    put, the others get.

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
        data = self._read(key)
        with self._lock:
            if data is None:
                self._sizes.pop(key, None)
            else:
                self._remember(key, data)
                self._touch(key)
        return data

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
                self._path(oldest).unlink(missing_ok=True)
                excess -= freed

    def _look(self) -> None:
        """See what an earlier server left."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = [(entry.stat().st_mtime, entry) for entry in os.scandir(self.folder)]
        except OSError as error:
            self._tell_full(error)
            return
        for changed, entry in sorted(found, key=lambda pair: pair[0]):
            if not entry.name.startswith(UNFINISHED):
                self._sizes[entry.name] = entry.stat().st_size
            elif time.time() - changed > ABANDONED:
                Path(entry).unlink(missing_ok=True)

    def _read(self, key: str) -> bytes | None:
        """The bytes in a file; one that is cut off or changed is deleted."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        data = content[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == content[:DIGEST_BYTES]:
            return data
        _log.warning("%s is damaged, and is computed anew", path)
        path.unlink(missing_ok=True)
        return None

    def _write(self, key: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            os.replace(name, self._path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _remember(self, key: str, data: bytes) -> None:
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
                os.utime(self._path(key))
            except OSError:  # only its place in the order is lost
                self._sizes.pop(key)

    def _tell_full(self, error: OSError) -> None:
        """Log once that nothing can be kept, until it can be again."""
        if not self._full:
            _log.warning("answers are not kept in %s: %s", self.folder, error)
        self._full = True

    def _path(self, key: str) -> Path:
        return self.folder / key
