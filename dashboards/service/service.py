"""The service that answers requests, from the store or by worker processes."""

from __future__ import annotations

import atexit
import logging
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from dashboards.language import mark
from dashboards.service.errors import JobError
from dashboards.service.facts import ModelFacts
from dashboards.service.jobs import DONE, FAILED, Flight, Job
from dashboards.service.pool import Pool
from dashboards.service.requests import (
    SAMPLES,
    VISITOR,
    Average,
    Bundle,
    DrawSearch,
    Evaluate,
    Explain,
    FindSimilar,
    Judge,
    ModelEntry,
    Prepare,
    Request,
    is_packed,
    key,
)
from dashboards.service.retention import AnswerCache
from dashboards.service.serialization import Shared, unpack, with_names
from dashboards.service.trainings import Trainings
from xai_tf.attribution.methods import METHODS
from xai_tf.errors import XaiTfError

SLOW_SECONDS = 2.0
MODELS_SECONDS = 3.0  # between two looks at the folders of models
SLOW_PASSES = 32  # for a model whose speed is not known yet
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessStatus:
    """The status of a worker process.

    Attributes:
        pid: its process id, or None while there is no process.
        state: "starting", "idle", "busy" or "lost".
        doing: the current request, or "".
    """

    pid: int | None
    state: str
    doing: str


@dataclass(frozen=True)
class Status:
    """The status of the service.

    Attributes:
        workers: its processes.
        waiting, running: numbers of requests.
        device: the name of the compute device; empty before a process was ready.
        store_bytes: size of the stored answers.
    """

    workers: tuple[ProcessStatus, ...]
    waiting: int
    running: int
    device: str
    store_bytes: int


class Service:
    """Answers the requests of all visitors.

    Equal requests are computed once: answers are stored by content, and a request that is already
    being computed is shared. An answer about a visitor's file is deleted when the last visitor who
    requested it leaves. Jobs belong to the event loop; nothing here blocks it.

    Attributes:
        models: the models of the server, by name; replaced when they change, see `follow_models`.
        answers: the stored answers.
        trainings: the models that visitors train; None where they may not.
    """

    def __init__(
        self,
        models: dict[str, ModelEntry],
        folder: Path,
        *,
        workers: int = 2,
        store_bytes: int = 2 * 2**30,
        scratch: Path | None = None,
        trainings: Path | None = None,
    ) -> None:
        """Start the worker processes.

        Args:
            models: from `find_models`.
            folder: the folder of stored answers; it holds nothing else.
            workers: number of processes.
            store_bytes: maximum size of the stored answers.
            scratch: where the processes write temporary files, in a folder "visitor-..." that is
                deleted by `close`; None for the system's folder of temporary files.
            trainings: the folder of what visitors train; None where they may not.
        """
        self.models = models
        self.read_models: Callable[[], dict[str, ModelEntry]] = lambda: models
        self._closing, self._reading = threading.Event(), threading.Lock()
        self.answers = AnswerCache(folder, store_bytes)
        self.trainings = Trainings(trainings) if trainings else None
        self._facts: dict[str, ModelFacts] = {}  # by the model's SHA-256
        self._flights: dict[str, Flight] = {}
        self._shared: Shared = WeakValueDictionary()
        self._scratch = tempfile.TemporaryDirectory(
            prefix=VISITOR, dir=scratch, ignore_cleanup_errors=True
        )
        self._pool = Pool(workers, folder, Path(self._scratch.name), self._on_result)
        atexit.register(self.close)
        for model in models.values():
            if model.ood_sha256:  # every file is tried on these, to find the model that knows it
                self._pool.prepare_model(model, to_recognize=True)

    def visitor(self) -> Visitor:
        """A new visitor, for one browser session."""
        return Visitor(self)

    def follow_models(self, read: Callable[[], dict[str, ModelEntry]]) -> None:
        """Read the models again every few seconds, in a thread.

        Args:
            read: returns the models by name, the same dict as long as nothing changed.
        """
        self.read_models = read

        def follow() -> None:
            while not self._closing.wait(MODELS_SECONDS):
                try:
                    self.refresh_models()
                except Exception:  # the next time may go well
                    _log.exception("Cannot read the folders of models")

        threading.Thread(target=follow, daemon=True).start()

    def refresh_models(self) -> None:
        """Read the models now. Not on the event loop, as files may have to be read."""
        with self._reading:
            self.models = self.read_models()

    def status(self) -> Status:
        """The current status."""
        processes, waiting = self._pool.snapshot()
        workers = tuple(
            ProcessStatus(pid, state, _activity(flight.request) if flight else "")
            for pid, state, flight in processes
        )
        running = sum(flight is not None for _, _, flight in processes)
        return Status(workers, waiting, running, self._pool.device, self.answers.store.bytes)

    def close(self) -> None:
        """Stop all processes; unfinished jobs fail."""
        atexit.unregister(self.close)
        self._closing.set()
        if self.trainings is not None:
            self.trainings.close()
        self._pool.close()
        with self._pool.lock:
            flights = list(self._flights.values())
        for flight in flights:
            self._on_result(flight, _stopped())
        self._scratch.cleanup()

    def is_slow(self, request: Request) -> bool:
        """Whether a request will keep a process busy for long."""
        if not isinstance(request, Explain | Judge):
            return isinstance(request, Average | Bundle | Evaluate | FindSimilar | DrawSearch)
        try:
            facts = self._facts.get(request.model.sha256)
            if facts is not None:
                return facts.seconds(request) > SLOW_SECONDS
            if isinstance(request, Judge):
                return True
            method = METHODS[request.method]
            settings = method.settings(request.question.given, 0.0)
            return method.cost(settings, (224, 224)).evaluations > SLOW_PASSES
        except (XaiTfError, KeyError):  # the worker reports the error
            return False

    def has_answer(self, request: Request) -> bool:
        """Whether the answer is stored."""
        return request in self.answers

    def join(self, job: Job) -> None:
        """Answer a job from the store, or let it be computed."""
        name = _flight_key(job.request)
        data = self.answers.get(job.request)
        if data is not None:
            job.update(cached=True, **self._outcome(data, job.request))
        else:
            self._join_or_start(name, job)
        if (model := getattr(job.request, "model", None)) is not None:
            self._pool.prepare_model(model)

    def _join_or_start(self, name: str, job: Job) -> None:
        """Add a job to the flight of a key, or start a new flight."""
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
        """Withdraw a job; a flight without jobs is dropped."""
        flight = job.flight
        with self._pool.lock:
            if flight is None or job not in flight.jobs:
                return
            flight.jobs.remove(job)
            if not flight.jobs:
                if self._flights.get(flight.key) is flight:
                    del self._flights[flight.key]
                self._pool.drop(flight)

    def _on_result(self, flight: Flight, answer: Any) -> None:
        """Deliver an answer or an error to the jobs. Runs in a thread of the pool."""
        with self._pool.lock:
            jobs = tuple(flight.jobs)
        if isinstance(answer, bytes):
            try:
                self._store_answer([job.request for job in jobs] or [flight.request], answer)
            except Exception:  # the jobs still get their answer
                _log.exception("Cannot store the answer to %s", type(flight.request).__name__)
        with self._pool.lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            jobs, flight.jobs = flight.jobs, []
        for job in jobs:
            job.post(**self._outcome(answer, job.request))

    def _store_answer(self, requests: list[Request], answer: bytes) -> None:
        """Store an answer; a run until stable also answers for its number of samples."""
        self.answers.put(requests, answer)
        first = requests[0]
        if isinstance(first, Explain) and first.question.until_stable is not None:
            taken = unpack(answer, first).settings[SAMPLES]
            self.answers.put([request.of_samples(taken) for request in requests], answer)

    def _outcome(self, answer: Any, request: Request) -> dict[str, Any]:
        """The final attributes of a job with this request."""
        if isinstance(answer, XaiTfError):
            return {"state": FAILED, "error": type(answer)(with_names(str(answer), request))}
        if is_packed(request):
            try:
                answer = unpack(answer, request, self._shared)
            except Exception:  # a bug here must not leave the job waiting forever
                _log.exception("Cannot read the answer to %s", type(request).__name__)
                return {"state": FAILED, "error": _unreadable()}
        if isinstance(answer, ModelFacts):
            self._facts[request.model.sha256] = answer
        return {"state": DONE, "answer": answer}


class Visitor:
    """One browser session. To be used on the event loop only.

    Attributes:
        served: a number that grows whenever a process starts a request of this visitor.
    """

    def __init__(self, service: Service) -> None:
        self.served = 0
        self._service = service
        self._slots: dict[str, Job] = {}
        self._closed = False

    def submit(self, request: Request, slot: str = "main") -> Job:
        """Submit a request; a stored answer is available at once.

        Args:
            request: one of `dashboards.service.requests`.
            slot: the place on the page that shows the answer; its previous job is cancelled.
        """
        job, before = Job(request, self), self._slots.get(slot)
        self._slots[slot] = job
        if not self._closed:
            self._service.answers.retain(self, request)
        self._service.join(job)
        if before is not None:
            before.cancel()  # after joining, so that shared work goes on
        return job

    def cancel(self, slot: str) -> None:
        """Cancel the job of a slot."""
        if slot in self._slots:
            self._slots.pop(slot).cancel()

    def close(self) -> None:
        """Cancel all jobs, and release the answers about the visitor's files."""
        self._closed = True
        for slot in tuple(self._slots):
            self._slots[slot].forget()  # the page that it would tell is gone
            self.cancel(slot)
        self._service.answers.release(self)

    @property
    def starting(self) -> bool:
        """Whether all worker processes are still starting, which takes TensorFlow a while."""
        return all(worker.state == "starting" for worker in self._service.status().workers)

    @property
    def preparing(self) -> bool:
        """Whether no worker process is idle, and one is preparing a model that nobody waits for."""
        workers = self._service.status().workers
        return all(worker.state != "idle" for worker in workers) and any(
            worker.doing.startswith(Prepare.__name__) for worker in workers
        )

    def leave(self, job: Job) -> None:
        """Withdraw a job of this visitor."""
        self._service.leave(job)


def _stopped() -> JobError:
    return JobError(mark("The server was stopped. Restart it, then reload the page."))


def _unreadable() -> JobError:
    return JobError(
        mark(
            "Cannot read the answer of the worker process, which is a bug in xai-tf. Delete the "
            "folder of stored answers, and report the error with the server's log."
        )
    )


def _flight_key(request: Request) -> str:
    """The key under which jobs share a flight; bundles hold a file name and are never shared."""
    return uuid4().hex if isinstance(request, Bundle) else key(request)


def _activity(request: Request) -> str:
    """A description of a request that names no file of a visitor."""
    parts = [type(request).__name__, getattr(request, "method", "")]
    model = getattr(request, "model", None)
    return " ".join([*filter(None, parts), *([f"on {model.name}"] if model else [])])
