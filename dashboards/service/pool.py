"""The processes that compute, and who of those that wait is next."""

from __future__ import annotations

import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import RLock, Timer
from typing import Any

from dashboards.service.errors import JobError
from dashboards.service.jobs import Flight
from dashboards.service.process import IDLE, LOST, STARTING, Process
from dashboards.service.requests import ModelEntry, Prepare
from xai_tf.errors import XaiTfError

PATIENCE = 10.0  # seconds in which a cancelled request has to stop: the longest batch and a bit
LOADING = 60.0  # before its first pass: what is loaded and traced then is of use to the next
HURRY = 15.0  # seconds after which a slow request waits no longer behind quick ones
MAX_FAILED_STARTS = 3
MODELS_WANTED = 3
_log = logging.getLogger(__name__)
_turns = itertools.count(1)


class Pool:
    """Processes, and the flights that wait for one.

    Fair: who was served longest ago comes first. Quick flights come before slow ones, and with
    more than one process there is always one free of slow ones. A flight whose process was lost
    is put back once. Processes that are idle prepare the models asked for last, but none that
    a process was lost on.

    Attributes:
        lock: guards all of it, and the flights.
        device: what computes, in words; empty before a process was ready.
    """

    def __init__(
        self, count: int, store: Path, scratch: Path, landed: Callable[[Flight, Any], None]
    ) -> None:
        """Start processes.

        Args:
            count: how many.
            store, scratch: the folders of `worker.main`.
            landed: called with a flight and its answer, or the XaiTfError that there is instead,
                in a thread of the pool and without the lock.
        """
        self.lock, self.device = RLock(), ""
        self.closed = False
        self._landed = landed
        self._waiting: list[Flight] = []
        self._wanted: OrderedDict[ModelEntry, None] = OrderedDict()  # last asked for, last
        self._fatal: set[ModelEntry] = set()  # a process was lost while it prepared them
        with self.lock:
            self._processes = [
                Process(store, scratch, self._heard, self._lost) for _ in range(count)
            ]

    def add(self, flight: Flight) -> None:
        """Let a flight wait for a process."""
        with self.lock:
            self._waiting.append(flight)
            self._dispatch()

    def drop(self, flight: Flight) -> None:
        """Nobody wants a flight any more."""
        with self.lock:
            if flight in self._waiting:
                self._waiting.remove(flight)
            for process in self._processes:
                if process.flight is flight:
                    process.stop()
                    patience = PATIENCE if flight.now.get("done") else LOADING
                    timer = Timer(patience, self._kill_if_on, (process, flight))
                    timer.daemon = True
                    timer.start()
            self._dispatch()

    def want(self, model: ModelEntry) -> None:
        """A model is in use: let processes that are idle prepare it."""
        with self.lock:
            self._wanted[model] = None
            self._wanted.move_to_end(model)
            while len(self._wanted) > MODELS_WANTED:
                self._wanted.popitem(last=False)
            self._prepare()

    def look(self) -> tuple[list[tuple[int | None, str, Flight | None]], int]:
        """(pid, state, flight) of each process, and how many flights wait."""
        with self.lock:
            return [(p.pid, p.state, p.flight) for p in self._processes], len(self._waiting)

    def close(self) -> None:
        """End all processes."""
        with self.lock:
            self.closed = True
            for process in self._processes:
                process.end()
        for process in self._processes:
            process.join()

    def _dispatch(self) -> None:
        """Give work to all processes that can have some, and tell the rest how long the line is."""
        while (flight := self._next()) and (process := self._free(flight)):
            self._waiting.remove(flight)
            turn = next(_turns)
            for job in flight.jobs:
                job.visitor.served = turn
            process.begin(flight)
        for number, flight in enumerate(sorted(self._waiting, key=self._turn)):
            if flight.now.get("ahead") != number:
                flight.tell(ahead=number)
        self._prepare()

    def _next(self) -> Flight | None:
        slow = sum(p.flight is not None and p.flight.slow for p in self._processes)
        room = slow < max(1, len(self._processes) - 1)
        ready = [flight for flight in self._waiting if room or not flight.slow]
        return min(ready, key=self._turn, default=None)

    def _turn(self, flight: Flight) -> tuple:
        """What is less comes first."""
        patient = flight.slow and time.monotonic() - flight.since < HURRY
        served = min((job.visitor.served for job in flight.jobs), default=0)
        return not flight.retries, patient, served, flight.number

    def _free(self, flight: Flight) -> Process | None:
        """An idle process, if there is one: better one that has the model."""
        idle = [process for process in self._processes if process.state == IDLE]
        model = getattr(flight.request, "model", None)
        return min(idle, key=lambda process: model not in process.models, default=None)

    def _prepare(self) -> None:
        """Let an idle process get a model ready; one at a time, so that another can answer."""
        flights = [process.flight for process in self._processes if process.flight]
        if self._waiting or any(isinstance(flight.request, Prepare) for flight in flights):
            return
        for model in reversed(self._wanted):
            if model in self._fatal:
                continue
            for process in self._processes:
                known = (*process.models, *process.prepared)
                if process.state == IDLE and model not in known:
                    process.prepared.add(model)
                    process.begin(Flight("", Prepare(model), slow=False))
                    return

    def _heard(self, process: Process, message: tuple) -> None:
        kind, *content = message
        with self.lock:
            flight = process.flight
            if kind == "ready":
                self.device, process.failed_starts = content[0], 0
            elif kind == "models":
                process.models = content[0]
            elif kind == "progress":
                flight.tell(done=content[0], total=content[1])
            elif kind == "partial":
                flight.tell(partial=_shared(content[0]))
            if kind in ("models", "progress", "partial"):
                return
            process.flight, process.state = None, IDLE
            # Who asked first may have left, and taken the file along, even while it was read.
            failed = kind in ("problem", "defect")
            again = failed and flight.jobs and flight.sent != flight.request
            if again:
                self._put_back(flight)
            self._dispatch()
        if kind == "answer":
            self._landed(flight, content[0])
        elif kind == "problem" and not again:
            self._landed(flight, _problem(*content))
        elif kind == "defect" and not again:
            _log.error("%s failed: %s", type(flight.request).__name__, content[0])
            self._landed(flight, _defect())

    def _lost(self, process: Process) -> None:
        with self.lock:
            flight = process.flight
            process.failed_starts += process.state in (STARTING, LOST)
            process.reset()
            if self.closed:
                return
            failed = self._hopeless()
            if flight is not None:
                if isinstance(flight.request, Prepare):
                    self._fatal.add(flight.request.model)
                flight.retries += 1
                if flight.retries > 1:
                    failed.append((flight, _lost_twice()))
                elif flight.jobs:
                    self._put_back(flight)
            self._dispatch()
        for lost, error in failed:
            self._landed(lost, error)

    def _put_back(self, flight: Flight) -> None:
        flight.put_back()
        self._waiting.append(flight)

    def _hopeless(self) -> list[tuple[Flight, XaiTfError]]:
        """All that wait, where no process starts any more."""
        if any(p.failed_starts < MAX_FAILED_STARTS for p in self._processes):
            return []
        given_up, self._waiting = self._waiting, []
        return [(flight, _no_process()) for flight in given_up]

    def _kill_if_on(self, process: Process, flight: Flight) -> None:
        with self.lock:
            if process.flight is flight:
                process.kill()


def _shared(partial: Any) -> Any:
    """A map that many look at, so that nobody changes it."""
    partial.setflags(write=False)
    return partial


def _problem(kind: str, text: str) -> XaiTfError:
    """The error that a process told of."""
    kinds = {error.__name__: error for error in XaiTfError.__subclasses__()}
    return kinds.get(kind, XaiTfError)(text)


def _defect() -> JobError:
    return JobError(
        "The program failed on this request, which is a fault of ours. The server's log tells "
        "more; try another method or model, and report it."
    )


def _lost_twice() -> JobError:
    return JobError(
        "The computing process was lost twice on this request; it may need more memory than the "
        "server has. Take fewer samples, a smaller model or a shorter recording."
    )


def _no_process() -> JobError:
    return JobError(
        "No computing process starts on this server. Its log says why; try again in a minute."
    )
