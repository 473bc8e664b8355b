"""The pool of worker processes, and the queue of flights that wait for one."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import RLock, Timer
from typing import Any

from dashboards.language import mark
from dashboards.service.errors import JobError
from dashboards.service.jobs import Flight
from dashboards.service.process import IDLE, LOST, STARTING, Process
from dashboards.service.requests import ModelEntry, Prepare
from xai_tf.errors import XaiTfError

STOP_SECONDS = 10.0  # time a cancelled request has to stop; longer than one batch takes
# Before the first pass a process has more time: what it loads and traces helps the next request.
LOADING_STOP_SECONDS = 60.0
# A model that a visitor brought may never come to an end; it has so long to its first progress.
PRIVATE_SECONDS = 120.0
MAX_SLOW_WAIT = 15.0  # seconds after which a slow request is no longer overtaken by quick ones
MAX_FAILED_STARTS = 3
MODELS_PREPARED = 8  # as many as a process keeps
# Models are prepared when no visitor has asked for anything so long: one who looks at an answer
# asks for the next thing at once, and must find the process that has the model, and the processor.
QUIET_SECONDS = 2.0
_log = logging.getLogger(__name__)
_turns = itertools.count(1)


class Pool:
    """Worker processes, and the flights that wait for one.

    The visitor who was served longest ago comes first. Quick flights overtake slow ones, and with
    more than one process there is always one without a slow flight. A flight whose process crashed
    is requeued once. Idle processes prepare the models used last, except models that crashed a
    process; a visitor's request interrupts that, and it goes on later where it was.

    Attributes:
        lock: guards the pool and the flights.
        device: the name of the compute device; empty before a process was ready.
    """

    def __init__(
        self, count: int, store: Path, scratch: Path, on_result: Callable[[Flight, Any], None]
    ) -> None:
        """Start the processes.

        Args:
            count: number of processes.
            store: the folder of stored answers.
            scratch: the folder for temporary files of the processes.
            on_result: called with a flight and its answer or an XaiTfError, in a thread of the
                pool and without holding the lock.
        """
        self.lock, self.device = RLock(), ""
        self.closed = False
        self._on_result = on_result
        self._waiting: list[Flight] = []
        self._recent_models: OrderedDict[ModelEntry, bool] = OrderedDict()  # most recent last
        self._fatal_models: set[ModelEntry] = set()  # models that crashed a process in preparation
        self._last_use = time.monotonic()  # when a visitor's flight came or ended last
        self._looks_later = False  # whether a timer will look for models to prepare
        # The first process starts alone, so that the first visitor has one as soon as possible.
        self._first_started = threading.Event()
        with self.lock:
            self._processes = [
                Process(
                    store,
                    scratch,
                    self._on_message,
                    self._on_exit,
                    after=self._first_started if number else None,
                )
                for number in range(count)
            ]

    def add(self, flight: Flight) -> None:
        """Queue a flight."""
        with self.lock:
            self._waiting.append(flight)
            self._last_use = time.monotonic()
            self._interrupt_preparation()
            self._dispatch()

    def drop(self, flight: Flight) -> None:
        """Remove a flight from the queue, or stop its process."""
        with self.lock:
            if flight in self._waiting:
                self._waiting.remove(flight)
            for process in self._processes:
                if process.flight is flight:
                    process.stop()
                    seconds = STOP_SECONDS if flight.now.get("done") else LOADING_STOP_SECONDS
                    self._later(seconds, self._kill_if_still_on, process, flight)
            self._dispatch()

    def prepare_model(self, model: ModelEntry, to_recognize: bool = False) -> None:
        """Register a model that is in use, for idle processes to prepare.

        Args:
            model: the model.
            to_recognize: whether only what tells if the model knows a file is prepared.
        """
        with self.lock:
            self._recent_models[model] = to_recognize
            self._recent_models.move_to_end(model)
            while len(self._recent_models) > MODELS_PREPARED:
                self._recent_models.popitem(last=False)
            self._prepare()

    def snapshot(self) -> tuple[list[tuple[int | None, str, Flight | None]], int]:
        """(pid, state, flight) of each process, and the number of waiting flights."""
        with self.lock:
            return [(p.pid, p.state, p.flight) for p in self._processes], len(self._waiting)

    def close(self) -> None:
        """Stop all processes."""
        with self.lock:
            self.closed = True
            self._first_started.set()
            for process in self._processes:
                process.end()
        for process in self._processes:
            process.join()

    def _dispatch(self) -> None:
        """Assign flights to idle processes, and send the others their place in the queue."""
        while (flight := self._next()) and (process := self._free(flight)):
            self._waiting.remove(flight)
            turn = next(_turns)
            for job in flight.jobs:
                job.visitor.served = turn
            process.begin(flight)
            if getattr(getattr(flight.request, "model", None), "private", False):
                self._later(PRIVATE_SECONDS, self._give_up_if_still_on, process, flight)
        for number, flight in enumerate(sorted(self._waiting, key=self._turn)):
            if flight.now.get("ahead") != number:
                flight.notify(ahead=number)
        self._prepare()

    def _next(self) -> Flight | None:
        slow = sum(p.flight is not None and p.flight.slow for p in self._processes)
        room = slow < max(1, len(self._processes) - 1)
        ready = [flight for flight in self._waiting if room or not flight.slow]
        return min(ready, key=self._turn, default=None)

    def _turn(self, flight: Flight) -> tuple[bool, bool, int, int]:
        """The sort key of the queue; the smallest comes first."""
        can_wait = flight.slow and time.monotonic() - flight.since < MAX_SLOW_WAIT
        served = min((job.visitor.served for job in flight.jobs), default=0)
        return not flight.retries, can_wait, served, flight.number

    def _free(self, flight: Flight) -> Process | None:
        """An idle process or None, preferably one that has loaded the model.

        What needs no model leaves the processes with models to what needs them.
        """
        idle = [p for p in self._processes if p.state == IDLE and not p.has_ended]
        model = getattr(flight.request, "model", None)
        if model is None:
            return min(idle, key=lambda process: len(process.models), default=None)
        return min(idle, key=lambda process: model not in process.models, default=None)

    def _interrupt_preparation(self) -> None:
        """Ask processes to stop preparing after the current step; what they have done stays."""
        for process in self._processes:
            flight = process.flight
            if flight is not None and isinstance(flight.request, Prepare):
                process.stop()  # and never killed: its next start would take longer than a step

    def _prepare(self) -> None:
        """Let an idle process load a model; one at a time, so that others stay available.

        Not beside a quick flight, which would take longer.
        """
        flights = [process.flight for process in self._processes if process.flight]
        if self._waiting or self.closed:
            return
        if any(isinstance(flight.request, Prepare) or not flight.slow for flight in flights):
            return
        quiet = time.monotonic() - self._last_use
        if quiet < QUIET_SECONDS:
            if not self._looks_later:
                self._looks_later = True
                self._later(QUIET_SECONDS - quiet, self._prepare_now)
            return
        for model, to_recognize in reversed(self._recent_models.items()):
            if model in self._fatal_models:
                continue
            for process in self._processes:
                loaded = (*process.models, *process.prepared)
                known = model in loaded and model not in process.unfinished
                if process.state == IDLE and not known:
                    process.prepared.add(model)
                    process.unfinished.discard(model)
                    process.begin(Flight("", Prepare(model, to_recognize), slow=False))
                    return

    def _prepare_now(self) -> None:
        with self.lock:
            self._looks_later = False
            self._prepare()

    def _on_message(self, process: Process, message: tuple[Any, ...]) -> None:
        kind, *content = message
        with self.lock:
            flight = process.flight
            if kind == "ready":
                self.device, process.failed_starts = content[0], 0
                self._first_started.set()
            elif kind == "models":
                process.models = content[0]
            elif kind == "progress":
                flight.notify(done=content[0], total=content[1])
            elif kind == "partial":
                flight.notify(partial=_shared(content[0]))
            elif kind == "step":
                flight.notify(step=content[0])
            if kind in ("models", "progress", "partial", "step"):
                return
            if flight is not None and isinstance(flight.request, Prepare):
                if kind == "cancelled":
                    process.unfinished.add(flight.request.model)
            else:
                self._last_use = time.monotonic()
            process.flight, process.state = None, IDLE
            # The visitor whose request was sent may have left, and their file was deleted then.
            failed = kind in ("problem", "defect")
            retry = failed and flight.jobs and flight.sent != flight.request
            if retry:
                self._requeue(flight)
            self._dispatch()
        if kind == "answer":
            self._on_result(flight, content[0])
        elif kind == "problem" and not retry:
            self._on_result(flight, _problem(*content))
        elif kind == "defect" and not retry:
            _log.error("%s failed with a bug: %s", type(flight.request).__name__, content[0])
            self._on_result(flight, _defect())

    def _on_exit(self, process: Process) -> None:
        with self.lock:
            flight = process.flight
            process.failed_starts += process.state in (STARTING, LOST)
            process.reset()
            self._first_started.set()
            if self.closed:
                return
            failed = self._give_up_waiting()
            if flight is not None:
                if isinstance(flight.request, Prepare):
                    self._fatal_models.add(flight.request.model)
                flight.retries += 1
                if flight.overdue:
                    failed.append((flight, _overdue()))
                elif flight.retries > 1:
                    failed.append((flight, _lost_twice()))
                elif flight.jobs:
                    self._requeue(flight)
            self._dispatch()
        for lost, error in failed:
            self._on_result(lost, error)

    def _requeue(self, flight: Flight) -> None:
        flight.requeue()
        self._waiting.append(flight)

    def _give_up_waiting(self) -> list[tuple[Flight, XaiTfError]]:
        """Empty the queue if no process starts any more: its flights with an error each."""
        if any(p.failed_starts < MAX_FAILED_STARTS for p in self._processes):
            return []
        waiting, self._waiting = self._waiting, []
        return [(flight, _no_process()) for flight in waiting]

    @staticmethod
    def _later(seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        timer = Timer(seconds, call, arguments)
        timer.daemon = True
        timer.start()

    def _give_up_if_still_on(self, process: Process, flight: Flight) -> None:
        with self.lock:
            if process.flight is flight and not flight.now.get("done"):
                flight.overdue = True
                process.kill()

    def _kill_if_still_on(self, process: Process, flight: Flight) -> None:
        with self.lock:
            if process.flight is flight:
                process.kill()


def _shared(partial: Any) -> Any:
    """A map made read-only, as several jobs share it."""
    partial.setflags(write=False)
    return partial


def _problem(kind: str, text: str) -> XaiTfError:
    """The error that a process reported."""
    kinds = {error.__name__: error for error in XaiTfError.__subclasses__()}
    return kinds.get(kind, XaiTfError)(text)


def _defect() -> JobError:
    return JobError(
        mark(
            "This request failed because of a bug in xai-tf. Report it with the server's log, and "
            "try another method or model."
        )
    )


def _lost_twice() -> JobError:
    return JobError(
        mark(
            "The worker process crashed twice on this request, which may need more memory than the "
            "server has. Use fewer samples, a smaller model or a shorter recording."
        )
    )


def _overdue() -> JobError:
    return JobError(
        f"Your model was stopped, because it did not answer within {PRIVATE_SECONDS:.0f} s. Use a "
        "smaller one, or run xai-tf on your own machine."
    )


def _no_process() -> JobError:
    return JobError(
        mark(
            "Cannot start a worker process on this server. See the server's log, and try again in "
            "a minute."
        )
    )
