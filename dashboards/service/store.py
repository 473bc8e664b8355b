"""Answers on disk: shared by all visitors, limited in size, and persistent across restarts."""

from __future__ import annotations

import builtins
import hashlib
import logging
import os
import re
import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from xai_tf.files import SCRATCH, write_private

MEMORY_BYTES = 64 * 2**20  # larger answers than a quarter of this are not kept in memory
DIGEST_BYTES = 32
# A request's key; for answers about a visitor's file, the SHA-256 of the file comes first.
NAME = re.compile("([0-9a-f]{64}-)?[0-9a-f]{64}")
ABANDONED = 3600.0  # seconds after which an unfinished file is deleted
_log = logging.getLogger(__name__)


class Store:
    """Bytes by key, in a folder of files and partly in memory. Thread-safe.

    A key is a SHA-256, or `<file>-<key>` if the answer is about a visitor's file. Files with other
    names are left alone. The least recently used files are deleted first. A damaged file counts as
    missing, and so does data that a full disk could not store.

    Attributes:
        folder: the folder of the files.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Open a store.

        Args:
            folder: it is created if it is missing.
            max_bytes: maximum size of all files.
        """
        self.folder, self._max_bytes = folder, max_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()  # of the files, least used first
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._lock, self._full = Lock(), False
        self._scan()

    @property
    def bytes(self) -> int:
        """Size of all files."""
        with self._lock:
            return sum(self._sizes.values())

    def get(self, key: str) -> builtins.bytes | None:
        """The data of a key, or None."""
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
        """Whether there is data for a key, without reading the file."""
        with self._lock:
            return key in self._memory or key in self._sizes

    def put(self, key: str, data: builtins.bytes) -> None:
        """Store data under a key; in memory only if the disk is full."""
        with self._lock:
            self._remember(key, data)
        size = DIGEST_BYTES + len(data)
        if size > self._max_bytes:
            return
        try:
            write_private(self.folder / key, hashlib.sha256(data).digest() + data)
        except OSError as error:
            self._warn_once(error)
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

    def delete_private(self, content: str | None = None) -> None:
        """Delete the answers about a visitor's file, given by its SHA-256, or about all of them."""
        with self._lock:
            for key in {*self._sizes, *self._memory}:
                file, separator, _ = key.rpartition("-")
                if separator and content in (None, file):
                    self._memory.pop(key, None)
                    self._sizes.pop(key, None)
                    self._delete(key)

    def _scan(self) -> None:
        """Register the files of an earlier server."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            entries = [e for e in os.scandir(self.folder) if e.is_file(follow_symlinks=False)]
            files = sorted((e.stat().st_mtime, e.name, e.stat().st_size) for e in entries)
        except OSError as error:
            self._warn_once(error)
            return
        for changed, name, size in files:
            if NAME.fullmatch(name):
                self._sizes[name] = size
            elif name.startswith(SCRATCH) and time.time() - changed > ABANDONED:
                self._delete(name)

    def _delete(self, name: str) -> None:
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("Cannot delete %s: %s", self.folder / name, error)

    def _remember(self, key: str, data: builtins.bytes) -> None:
        if len(data) > MEMORY_BYTES // 4:  # it would displace too many others
            return
        self._memory[key] = data
        self._memory.move_to_end(key)
        excess = sum(map(len, self._memory.values())) - MEMORY_BYTES
        while excess > 0:
            excess -= len(self._memory.popitem(last=False)[1])

    def _touch(self, key: str) -> None:
        """Mark a key as used, also for the next server."""
        if key in self._memory:
            self._memory.move_to_end(key)
        if key in self._sizes:
            self._sizes.move_to_end(key)
            try:
                os.utime(self.folder / key)
            except OSError:  # only its place in the order of use is lost
                self._sizes.pop(key)

    def _warn_once(self, error: OSError) -> None:
        """Log that nothing can be stored, once until it works again."""
        if not self._full:
            _log.warning("Cannot store answers in %s: %s", self.folder, error)
        self._full = True


def answers_folder(cache: Path) -> Path:
    """The folder of a server's stored answers; it holds nothing else."""
    return cache / "answers"


def read_answer(folder: Path, key: str) -> bytes | None:
    """The data of a key in a store's folder, or None; a damaged file is deleted."""
    path = folder / key
    try:
        content = path.read_bytes()
        data = content[DIGEST_BYTES:]
        if hashlib.sha256(data).digest() == content[:DIGEST_BYTES]:
            return data
        _log.warning("%s is damaged and will be computed again", path)
        path.unlink(missing_ok=True)
    except OSError:
        pass
    return None
