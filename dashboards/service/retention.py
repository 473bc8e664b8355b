"""The answers that a service stores, and how long it may keep them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from threading import Lock

from dashboards.service.requests import Describe, Request, is_public, is_stored, key, stored_names
from dashboards.service.store import Store


class AnswerCache:
    """Packed answers by request. Thread-safe.

    Descriptions of models hold measured speeds, so they are kept in memory for this run only.
    Answers about a visitor's file are deleted when the last visitor who requested them leaves. All
    others stay on disk.

    Attributes:
        store: the files.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Open the store; answers about files of an earlier server's visitors are deleted.

        Args:
            folder: the folder of the `Store`.
            max_bytes: the maximum size of all its files.
        """
        self.store = Store(folder, max_bytes)
        self.store.delete_private()
        self._descriptions: dict[str, bytes] = {}
        self._holders: dict[str, set[Hashable]] = {}  # by the SHA-256 of a visitor's file
        self._lock = Lock()

    def __contains__(self, request: Request) -> bool:
        """Whether an answer is stored; no file is read."""
        if isinstance(request, Describe):
            return key(request) in self._descriptions
        return is_stored(request) and any(name in self.store for name in stored_names(request))

    def get(self, request: Request) -> bytes | None:
        """The stored answer to a request, or None."""
        if isinstance(request, Describe):
            return self._descriptions.get(key(request))
        if not is_stored(request):
            return None
        answers = (self.store.get(name) for name in stored_names(request) if name in self.store)
        return next((data for data in answers if data is not None), None)

    def put(self, requests: Sequence[Request], data: bytes) -> None:
        """Store the answer to equal requests, which may come from several visitors."""
        request = requests[0]
        if isinstance(request, Describe):
            self._descriptions[key(request)] = data
        if not is_stored(request):
            return
        public_name, private_name = stored_names(request)
        if any(is_public(request) for request in requests):
            self.store.put(public_name, data)
            return
        self.store.put(private_name, data)
        with self._lock:
            if request.file.sha256 not in self._holders:  # the last visitor has left meanwhile
                self.store.delete_private(request.file.sha256)

    def retain(self, visitor: Hashable, request: Request) -> None:
        """Keep answers about a visitor's file until that visitor's `release`."""
        if is_stored(request) and not is_public(request):
            with self._lock:
                self._holders.setdefault(request.file.sha256, set()).add(visitor)

    def release(self, visitor: Hashable) -> None:
        """Delete the answers about files that no other visitor retains."""
        with self._lock:
            for content in [c for c, visitors in self._holders.items() if visitor in visitors]:
                self._holders[content].remove(visitor)
                if not self._holders[content]:
                    del self._holders[content]
                    self.store.delete_private(content)
