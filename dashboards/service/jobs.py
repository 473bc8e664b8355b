"""Jobs, what visitors see of their requests, and flights, what the processes see of them."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from dashboards.service.errors import CancelledJobError
from dashboards.service.requests import Request
from xai_tf.errors import XaiTfError

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OVER = (DONE, FAILED, CANCELLED)
_log = logging.getLogger(__name__)
_numbers = itertools.count(1)


class Requester(Protocol):
    """Who asks, as a job sees them.

    Attributes:
        served: a number that grows whenever a process takes up a request of theirs.
    """

    served: int

    @property
    def starting(self) -> bool:
        """Whether there is no computing process yet."""

    def leave(self, job: Job) -> None:
        """Want a job no more."""


class Job:
    """One visitor's view of one request. Its attributes change on the event loop only.

    Attributes:
        request: what was asked.
        visitor: who asked.
        state: "waiting", "running", "done", "failed" or "cancelled".
        ahead: how many requests come first while it waits.
        started: when it began to run, in seconds of `time.monotonic`; None before.
        done, total: passes, files or windows done, and in all; 0 as long as nobody knows.
        partial: the map so far, float32 (height, width), or None.
        retries: how often it was put back because its process was lost.
        cached: whether the answer was there already.
        answer: what the request says, once it is done.
        error: why it failed.
    """

    def __init__(self, request: Request, visitor: Requester) -> None:
        self.request, self.visitor = request, visitor
        self.flight: Flight | None = None
        self.state, self.ahead, self.started = WAITING, 0, None
        self.done, self.total, self.partial = 0, 0, None
        self.retries, self.cached = 0, False
        self.answer: Any = None
        self.error: XaiTfError | None = None
        self._loop = asyncio.get_running_loop()
        # Panel finds the page that a callback belongs to in the context.
        self._context = contextvars.copy_context()
        self._over = asyncio.Event()
        self._callbacks: list[Callable[[Job], None]] = []

    def watch(self, callback: Callable[[Job], None]) -> None:
        """Call back on the event loop whenever an attribute changed; at once if all is over."""
        self._callbacks.append(callback)
        if self.state in OVER:
            self._call(callback)

    def cancel(self) -> None:
        """Want it no more. The work stops when nobody else wants it either."""
        if self.state not in OVER:
            self.visitor.leave(self)
            self.update(state=CANCELLED)

    async def result(self) -> Any:
        """The answer.

        Raises:
            XaiTfError: why there is none.
            CancelledJobError: the job was cancelled.
        """
        await self._over.wait()
        if self.state == CANCELLED:
            raise CancelledJobError("The job was cancelled.")
        if self.error is not None:
            raise self.error
        return self.answer

    def seconds_left(self) -> float | None:
        """How long it may still take, or None as long as nobody can tell."""
        if self.state != RUNNING or self.started is None or not (self.done and self.total):
            return None
        return (time.monotonic() - self.started) * (self.total - self.done) / self.done

    def post(self, **changes: Any) -> None:
        """`update` from any thread."""
        try:
            self._loop.call_soon_threadsafe(lambda: self.update(**changes), context=self._context)
        except RuntimeError:  # the loop is closed, so nobody looks any more
            self.visitor.leave(self)

    def update(self, **changes: Any) -> None:
        """Change attributes and tell who watches; what comes after the end is not heard."""
        if self.state in OVER:
            return
        vars(self).update(changes)
        if self.state in OVER:
            self._over.set()
        for callback in tuple(self._callbacks):
            self._call(callback)

    def _call(self, callback: Callable[[Job], None]) -> None:
        try:
            callback(self)
        except Exception:
            _log.exception("a callback of %s failed", type(self.request).__name__)


class Flight:
    """One computation on its way, and the jobs that want it. Changed under the pool's lock only.

    Attributes:
        key: who asks for the same joins.
        jobs: those that want it, of one visitor or several.
        slow: whether it will keep a process busy for long.
        number: of its coming.
        since: when it came, in seconds of `time.monotonic`.
        sent: the request the process was given, of one of the jobs; None while it waits.
        retries: how often its process was lost.
        now: what the jobs were told last; one that joins is told it too.
    """

    def __init__(self, key: str, request: Request, slow: bool) -> None:
        self.key, self.slow, self._request = key, slow, request
        self.jobs: list[Job] = []
        self.number, self.since = next(_numbers), time.monotonic()
        self.sent: Request | None = None
        self.retries = 0
        self.now: dict[str, Any] = {}

    @property
    def request(self) -> Request:
        """What is asked, by one who still wants it."""
        return self.jobs[0].request if self.jobs else self._request

    def tell(self, **changes: Any) -> None:
        """Tell every job of a change."""
        self.now |= changes
        for job in tuple(self.jobs):  # one whose page is gone leaves
            job.post(**changes)

    def begin(self) -> Request:
        """Start to run: the request for the process."""
        self.sent = self.request
        self.tell(state=RUNNING, started=time.monotonic(), ahead=0)
        return self.sent

    def put_back(self) -> None:
        """Wait again, as if nothing had been done."""
        self.sent = None
        self.tell(state=WAITING, started=None, done=0, total=0, partial=None, retries=self.retries)
