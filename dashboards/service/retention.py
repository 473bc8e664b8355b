"""The answers a service has at hand, and how long it may keep them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from threading import Lock

from dashboards.service.requests import Describe, Request, is_stored, key, stored_names
from dashboards.service.store import Store


class AnswerRetention:
    """Packed answers, by request. Any thread may use them.

    What a model is holds measured speeds, and is kept for this run only. What was found in a
    visitor's file is kept as long as a visitor is there who asked about it. The rest stays on disk.

    Attributes:
        store: the files.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Open the answers of an earlier server; those about its visitors' files are deleted.

        Args:
            folder, max_bytes: as for `Store`.
        """
        self.store = Store(folder, max_bytes)
        self.store.forget()
        self._descriptions: dict[str, bytes] = {}
        self._holders: dict[str, set[Hashable]] = {}  # by the SHA-256 of a visitor's file
        self._lock = Lock()

    def __contains__(self, request: Request) -> bool:
        """Whether an answer is there; no file is read for it."""
        if isinstance(request, Describe):
            return key(request) in self._descriptions
        return is_stored(request) and any(name in self.store for name in stored_names(request))

    def get(self, request: Request) -> bytes | None:
        """The answer of a request, or None."""
        if isinstance(request, Describe):
            return self._descriptions.get(key(request))
        if not is_stored(request):
            return None
        found = (self.store.get(name) for name in stored_names(request) if name in self.store)
        return next((data for data in found if data is not None), None)

    def put(self, requests: Sequence[Request], data: bytes) -> None:
        """Keep the answer of requests that differ in nothing but who asks."""
        request = requests[0]
        if isinstance(request, Describe):
            self._descriptions[key(request)] = data
        if not is_stored(request):
            return
        for_all, for_visitors = stored_names(request)
        if any(request.file.public for request in requests):
            self.store.put(for_all, data)
            return
        self.store.put(for_visitors, data)
        with self._lock:
            if request.file.sha256 not in self._holders:  # the last one left meanwhile
                self.store.forget(request.file.sha256)

    def hold(self, visitor: Hashable, request: Request) -> None:
        """Keep what is found in a visitor's file until that visitor's `release`."""
        if is_stored(request) and not request.file.public:
            with self._lock:
                self._holders.setdefault(request.file.sha256, set()).add(visitor)

    def release(self, visitor: Hashable) -> None:
        """Delete what was found in files that nobody holds any more."""
        with self._lock:
            for content in [c for c, visitors in self._holders.items() if visitor in visitors]:
                self._holders[content].remove(visitor)
                if not self._holders[content]:
                    del self._holders[content]
                    self.store.forget(content)
