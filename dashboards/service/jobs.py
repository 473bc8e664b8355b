"""Jobs, a visitor's view of a request, and flights, the computations that jobs share."""

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
from dashboards.turns import turn
from xai_tf.errors import XaiTfError

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OVER = (DONE, FAILED, CANCELLED)
_log = logging.getLogger(__name__)
_numbers = itertools.count(1)


class Requester(Protocol):
    """What a job needs from the visitor who submitted it.

    Attributes:
        served: a number that grows whenever a process starts a request of this visitor.
    """

    served: int

    @property
    def starting(self) -> bool:
        """Whether all worker processes are still starting."""

    @property
    def preparing(self) -> bool:
        """Whether no worker process is idle, and one is preparing a model."""

    def leave(self, job: Job) -> None:
        """Withdraw a job."""


class Job:
    """One visitor's view of one request. Its attributes change only on the event loop.

    Attributes:
        request: the request.
        visitor: the visitor who submitted it.
        state: "waiting", "running", "done", "failed" or "cancelled".
        ahead: number of requests ahead of it in the queue.
        started: when it began to run, in seconds of `time.monotonic`; None before.
        done, total: passes, files or windows done, and in all; 0 while unknown.
        step: what is done before the first pass: `requests.LOADING`, or "" for anything else.
        partial: a preview of the map, float32 (height, width), or None.
        retries: how often it was requeued because its process crashed.
        cached: whether the answer was stored already.
        answer: the result, once it is done.
        error: why it failed.
    """

    def __init__(self, request: Request, visitor: Requester) -> None:
        self.request, self.visitor = request, visitor
        self.flight: Flight | None = None
        self.state, self.ahead, self.started = WAITING, 0, None
        self.done, self.total, self.partial = 0, 0, None
        self.step = ""
        self.retries, self.cached = 0, False
        self.answer: Any = None
        self.error: XaiTfError | None = None
        self._loop = asyncio.get_running_loop()
        # Panel uses the context to find the page that a callback belongs to.
        self._context = contextvars.copy_context()
        self._over = asyncio.Event()
        self._callbacks: list[Callable[[Job], None]] = []

    def watch(self, callback: Callable[[Job], None]) -> None:
        """Call back on the event loop on every change; at once if the job is finished."""
        self._callbacks.append(callback)
        if self.state in OVER:
            self._call(callback)

    def forget(self) -> None:
        """Call back nobody from now on."""
        self._callbacks.clear()

    def cancel(self) -> None:
        """Cancel the job. The computation stops if no other job shares it."""
        if self.state not in OVER:
            self.visitor.leave(self)
            self.update(state=CANCELLED)

    async def result(self) -> Any:
        """Wait for the answer.

        Raises:
            XaiTfError: the request failed.
            CancelledJobError: the job was cancelled.
        """
        await self._over.wait()
        if self.state == CANCELLED:
            raise CancelledJobError("The job was cancelled.")
        if self.error is not None:
            raise self.error
        return self.answer

    def seconds_left(self) -> float | None:
        """Estimated seconds left, or None while unknown."""
        if self.state != RUNNING or self.started is None or not (self.done and self.total):
            return None
        return (time.monotonic() - self.started) * (self.total - self.done) / self.done

    def post(self, **changes: Any) -> None:
        """Call `update` from any thread."""
        try:
            self._loop.call_soon_threadsafe(lambda: self.update(**changes), context=self._context)
        except RuntimeError:  # the event loop is closed
            self.visitor.leave(self)

    def update(self, **changes: Any) -> None:
        """Change attributes and notify the watchers; ignored once the job is finished."""
        if self.state in OVER:
            return
        vars(self).update(changes)
        if self.state in OVER:
            self._over.set()
        for callback in tuple(self._callbacks):
            self._call(callback)

    def _call(self, callback: Callable[[Job], None]) -> None:
        try:
            with turn():
                callback(self)
        except Exception:
            _log.exception("A callback of %s failed", type(self.request).__name__)


class Flight:
    """One computation that several jobs can share. Changed only under the pool's lock.

    Attributes:
        key: jobs with the same key join the flight.
        jobs: the jobs that share it, of one or several visitors.
        slow: whether it will keep a process busy for long.
        number: its number in order of arrival.
        since: when it arrived, in seconds of `time.monotonic`.
        sent: the request that the process was given, of one of the jobs; None while it waits.
        retries: how often its process crashed.
        overdue: whether its process was killed because it took too long.
        now: the latest values sent to the jobs; a job that joins receives them too.
    """

    def __init__(self, key: str, request: Request, slow: bool) -> None:
        self.key, self.slow, self._request = key, slow, request
        self.jobs: list[Job] = []
        self.number, self.since = next(_numbers), time.monotonic()
        self.sent: Request | None = None
        self.retries, self.overdue = 0, False
        self.now: dict[str, Any] = {}

    @property
    def request(self) -> Request:
        """The request of a job that is still interested."""
        return self.jobs[0].request if self.jobs else self._request

    def notify(self, **changes: Any) -> None:
        """Send a change to every job."""
        self.now |= changes
        for job in tuple(self.jobs):  # a job whose page is closed leaves meanwhile
            job.post(**changes)

    def begin(self) -> Request:
        """Mark the flight as running and return the request for the process."""
        self.sent = self.request
        self.notify(state=RUNNING, started=time.monotonic(), ahead=0)
        return self.sent

    def requeue(self) -> None:
        """Wait again with the progress reset."""
        self.sent = None
        self.notify(
            state=WAITING,
            started=None,
            done=0,
            total=0,
            step="",
            partial=None,
            retries=self.retries,
        )
