"""What the pages ask: answers from the store, or from the processes that compute them."""

from __future__ import annotations

import atexit
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from dashboards.service.errors import JobError
from dashboards.service.facts import ModelFacts
from dashboards.service.jobs import DONE, FAILED, Flight, Job
from dashboards.service.pool import Pool
from dashboards.service.requests import (
    SAMPLES,
    VISITOR,
    Bundle,
    DrawSearch,
    Evaluate,
    Explain,
    FindSimilar,
    Judge,
    ModelEntry,
    Request,
    is_packed,
    key,
)
from dashboards.service.retention import AnswerRetention
from dashboards.service.serialization import Shared, unpack, with_names
from xai_tf.attribution.methods import METHODS
from xai_tf.errors import XaiTfError

SLOW_SECONDS = 2.0
SLOW_PASSES = 32  # of a model whose speed is not known yet
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessStatus:
    """A process: its pid (None while there is none), its state, and what it does in words."""

    pid: int | None
    state: str
    doing: str


@dataclass(frozen=True)
class Status:
    """How the service is.

    Attributes:
        workers: its processes, each "starting", "idle", "busy" or "lost".
        waiting, running: requests.
        device: what computes, in words; empty before a process was ready.
        store_bytes: what the kept answers take.
    """

    workers: tuple[ProcessStatus, ...]
    waiting: int
    running: int
    device: str
    store_bytes: int


class Service:
    """Answers the requests of all visitors.

    What is asked twice is computed once: answers are stored by content, and who asks for what is
    under way joins in. An answer about a visitor's file is deleted when the last visitor is gone
    who asked about it. `submit` and all of a job is for the event loop; nothing here blocks it.

    Attributes:
        models: those that can be asked, by name.
        answers: those there are.
    """

    def __init__(
        self,
        models: dict[str, ModelEntry],
        folder: Path,
        *,
        workers: int = 2,
        store_bytes: int = 2 * 2**30,
        scratch: Path | None = None,
    ) -> None:
        """Start the processes.

        Args:
            models: from `find_models`.
            folder: where answers are kept from one server to the next; nothing else is in there.
            workers: how many processes.
            store_bytes: that the kept answers may take.
            scratch: where the processes work on visitors' files, in a folder "visitor-..." that is
                gone when this is closed; where the system's temporary files are if None.
        """
        self.models = models
        self.answers = AnswerRetention(folder, store_bytes)
        self._facts: dict[str, ModelFacts] = {}  # by the model's SHA-256
        self._flights: dict[str, Flight] = {}
        self._shared: Shared = WeakValueDictionary()
        self._scratch = tempfile.TemporaryDirectory(
            prefix=VISITOR, dir=scratch, ignore_cleanup_errors=True
        )
        self._pool = Pool(workers, folder, Path(self._scratch.name), self._landed)
        atexit.register(self.close)

    def visitor(self) -> Visitor:
        """A visitor, for one browser session."""
        return Visitor(self)

    def status(self) -> Status:
        """How it is now."""
        seen, waiting = self._pool.look()
        workers = tuple(
            ProcessStatus(pid, state, _doing(flight.request) if flight else "")
            for pid, state, flight in seen
        )
        running = sum(flight is not None for _, _, flight in seen)
        return Status(workers, waiting, running, self._pool.device, self.answers.store.bytes)

    def close(self) -> None:
        """End all processes; jobs that are not over fail."""
        atexit.unregister(self.close)
        self._pool.close()
        with self._pool.lock:
            flights = list(self._flights.values())
        for flight in flights:
            self._landed(flight, _stopped())
        self._scratch.cleanup()

    def is_slow(self, request: Request) -> bool:
        """Whether a request keeps a process busy for long."""
        if not isinstance(request, Explain | Judge):
            return isinstance(request, Bundle | Evaluate | FindSimilar | DrawSearch)
        try:
            facts = self._facts.get(request.model.sha256)
            if facts is not None:
                return facts.seconds(request) > SLOW_SECONDS
            if isinstance(request, Judge):
                return True
            method = METHODS[request.method]
            settings = method.settings(request.question.given, 0.0)
            return method.cost(settings, (224, 224)).evaluations > SLOW_PASSES
        except (XaiTfError, KeyError):  # the worker says what is wrong with it
            return False

    def knows(self, request: Request) -> bool:
        """Whether the answer is there already."""
        return request in self.answers

    def join(self, job: Job) -> None:
        """Find or compute the answer of a job."""
        name = _name(job.request)
        data = self.answers.get(job.request)
        if data is not None:
            job.update(cached=True, **self._ending(data, job.request))
        else:
            self._take_off(name, job)
        if hasattr(job.request, "model"):
            self._pool.want(job.request.model)

    def _take_off(self, name: str, job: Job) -> None:
        """Join the flight of a name, or begin it."""
        with self._pool.lock:
            if self._pool.closed:
                job.update(state=FAILED, error=_stopped())
                return
            job.flight = self._flights.get(name)
            if job.flight is not None:
                job.flight.jobs.append(job)
                job.update(**job.flight.now)
                return
            job.flight = Flight(name, job.request, self.is_slow(job.request))
            job.flight.jobs.append(job)
            self._flights[name] = job.flight
            self._pool.add(job.flight)

    def leave(self, job: Job) -> None:
        """A job is wanted no more."""
        flight = job.flight
        with self._pool.lock:
            if flight is None or job not in flight.jobs:
                return
            flight.jobs.remove(job)
            if not flight.jobs:
                if self._flights.get(flight.key) is flight:
                    del self._flights[flight.key]
                self._pool.drop(flight)

    def _landed(self, flight: Flight, answer: Any) -> None:
        """Hand out an answer, or the problem there is instead. In a thread of the pool."""
        with self._pool.lock:
            jobs = tuple(flight.jobs)
        if isinstance(answer, bytes):
            try:
                self._keep([job.request for job in jobs] or [flight.request], answer)
            except Exception:  # whatever it is, those who asked get their answer
                _log.exception("the answer of %s is not kept", type(flight.request).__name__)
        with self._pool.lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            jobs, flight.jobs = flight.jobs, []
        for job in jobs:
            job.post(**self._ending(answer, job.request))

    def _keep(self, requests: list[Request], answer: bytes) -> None:
        """Keep an answer; that of a run until stable is the one of so many samples, too."""
        self.answers.put(requests, answer)
        first = requests[0]
        if isinstance(first, Explain) and first.question.until_stable is not None:
            taken = unpack(answer, first).settings[SAMPLES]
            self.answers.put([request.of_samples(taken) for request in requests], answer)

    def _ending(self, answer: Any, request: Request) -> dict[str, Any]:
        """How a job ends that asked with a request."""
        if isinstance(answer, XaiTfError):
            return {"state": FAILED, "error": type(answer)(with_names(str(answer), request))}
        if is_packed(request):
            try:
                answer = unpack(answer, request, self._shared)
            except Exception:  # a defect of ours shall leave no job waiting for good
                _log.exception("the answer of %s cannot be read", type(request).__name__)
                return {"state": FAILED, "error": _unreadable()}
        if isinstance(answer, ModelFacts):
            self._facts[request.model.sha256] = answer
        return {"state": DONE, "answer": answer}


class Visitor:
    """One browser session. All of it is for the event loop.

    Attributes:
        served: a number that grows whenever a process takes up a request of this visitor.
    """

    def __init__(self, service: Service) -> None:
        self.served = 0
        self._service = service
        self._slots: dict[str, Job] = {}
        self._closed = False

    def submit(self, request: Request, slot: str = "main") -> Job:
        """Ask. What the slot held before is cancelled; an answer that is stored is there at once.

        Args:
            request: one of `dashboards.service.requests`.
            slot: the place on the page that shows the answer.
        """
        job, before = Job(request, self), self._slots.get(slot)
        self._slots[slot] = job
        if not self._closed:
            self._service.answers.hold(self, request)
        self._service.join(job)
        if before is not None:
            before.cancel()  # after joining, so that work both want goes on
        return job

    def cancel(self, slot: str) -> None:
        """Want what a slot holds no more."""
        if slot in self._slots:
            self._slots.pop(slot).cancel()

    def close(self) -> None:
        """Want nothing any more; what is known of the visitor's files goes."""
        self._closed = True
        for slot in tuple(self._slots):
            self.cancel(slot)
        self._service.answers.release(self)

    @property
    def starting(self) -> bool:
        """Whether there is no computing process yet: TensorFlow takes its time."""
        return all(worker.state == "starting" for worker in self._service.status().workers)

    def leave(self, job: Job) -> None:
        """A job of ours is wanted no more."""
        self._service.leave(job)


def _stopped() -> JobError:
    return JobError("The server was stopped. Start it again, then reload the page.")


def _unreadable() -> JobError:
    return JobError(
        "The answer of the computing process cannot be read, which is a fault of ours. The "
        "server's log tells more; empty the folder of kept answers, and report it."
    )


def _name(request: Request) -> str:
    """Under which name others join. A bundle holds its visitor's file name: nobody joins that."""
    return uuid4().hex if isinstance(request, Bundle) else key(request)


def _doing(request: Request) -> str:
    """What is computed, in words that name no file of a visitor."""
    parts = [type(request).__name__, getattr(request, "method", "")]
    model = getattr(request, "model", None)
    return " ".join([*filter(None, parts), *([f"on {model.name}"] if model else [])])
