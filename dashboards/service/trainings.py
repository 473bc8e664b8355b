"""The trainings and searches that are started from the page: one runs, the others wait.

Each has a folder with its order, its plan, its log and how it ended, so that it outlives the page
and the server: one that was interrupted can be resumed.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dashboards.service import trainer
from dashboards.service.errors import CancelledJobError, JobError
from dashboards.service.trainer import DONE, FAILED, STOPPED
from dashboards.service.training_orders import TrainingOrder, TrainingPlan
from tuning.subprocesses import Child, start, stop
from tuning.trials import last_line
from xai_tf.errors import OutputError, SettingError
from xai_tf.files import replace_file

WAITING, RUNNING, STOPPING, INTERRUPTED = "waiting", "running", "stopping", "interrupted"
ACTIVE = (WAITING, RUNNING, STOPPING)
PLANNED = "plan.json"
FILES = "files"  # the folder of the files that a visitor brought
POLL_SECONDS = 0.2
STOP_SECONDS = 30.0  # a process has to end after it was asked to; longer than a step takes
KILLED = (
    "The process was {how}, perhaps because the server has too little memory. What is finished is "
    "kept."
)
DIED = "The process ended unexpectedly ({how}). What is finished is kept."
LOG_LINE = "{problem} The last line of its log: {line}"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainingStatus:
    """A training or a search, as it stands.

    Attributes:
        order: what was ordered.
        plan: what was planned.
        state: "waiting", "running", "stopping", "stopped", "interrupted" (by the end of the
            server), "failed" or "done".
        ahead: how many come before it, where it waits.
        done, total: of the current step; 0 while unknown.
        what: the current step in a few words.
        seconds_left: estimated time left of the current step; None while unknown.
        problem: why it failed.
        measures: name and value of each test metric of the finished model.
        started: when it was ordered, in seconds since 1970.
    """

    order: TrainingOrder
    plan: TrainingPlan | None
    state: str
    ahead: int = 0
    done: int = 0
    total: int = 0
    what: str = ""
    seconds_left: float | None = None
    problem: str = ""
    measures: tuple[tuple[str, str], ...] = ()
    started: float = 0.0


class Trainings:
    """The trainings and searches of a server; visitors share them.

    Every method may be called from any thread; `plan` blocks until the plan is made.
    """

    def __init__(self, folder: Path) -> None:
        """Start nothing yet.

        Args:
            folder: holds a folder for each training; of one server only.
        """
        self._folder = folder
        self._changed = threading.Condition()
        self._planning = threading.Lock()
        self._waiting: list[tuple[str, str]] = []  # name, and what its process does
        self._child: Child | None = None
        self._asked_to_stop = 0.0  # when, of the running process
        self._not_stored: dict[str, dict[str, Any]] = {}  # outcomes, while the disk is full
        self._closed = False
        self._thread: threading.Thread | None = None

    def plan(self, order: TrainingOrder, given_up: Callable[[], bool]) -> TrainingPlan:
        """Read the data, and time a step of each kind.

        Args:
            order: what would be done.
            given_up: whether nobody wants the plan any more; asked again and again.

        Raises:
            XaiTfError: it cannot be done.
            CancelledJobError: nobody wants the plan any more.
        """
        while not self._planning.acquire(timeout=POLL_SECONDS):
            if given_up():
                raise CancelledJobError("The plan is not wanted any more.")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(prefix=".plan-", dir=self._folder) as name:
                return self._plan(order, Path(name), given_up)
        except OSError as error:
            raise OutputError(_not_written(error)) from error
        finally:
            self._planning.release()

    def _plan(
        self, order: TrainingOrder, folder: Path, given_up: Callable[[], bool]
    ) -> TrainingPlan:
        _write(folder / trainer.ORDER, order.to_json())
        child = _start(folder, trainer.PLAN)
        try:
            while child.process.poll() is None:
                if given_up() or self._closed:
                    raise CancelledJobError("The plan is not wanted any more.")
                time.sleep(POLL_SECONDS)
        finally:
            stop([child])
        outcome = _outcome(folder, child, order)
        if outcome["state"] != DONE:
            raise JobError(outcome["problem"])
        return TrainingPlan.from_dict(outcome["plan"])

    def start(self, order: TrainingOrder, plan: TrainingPlan) -> None:
        """Start a training, or let it wait for those before it.

        Files that a visitor brought are kept for it until it is done or removed from the list.

        Raises:
            SettingError: there is one of this name, or its files were deleted.
            OutputError: it cannot be stored.
        """
        folder = self._folder / order.name
        with self._changed:
            if folder.exists():
                raise SettingError(
                    f"There is a training {order.name!r} already. Choose another name."
                )
            try:
                folder.mkdir(parents=True, mode=0o700)
                _write(folder / PLANNED, json.dumps(asdict(plan)))
                _write(folder / trainer.ORDER, _with_files(order, folder).to_json())
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise OutputError(_not_written(error)) from error
            except SettingError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._enqueue(order.name, trainer.RUN)

    def resume(self, name: str, export: bool = False) -> None:
        """Start again what was stopped, interrupted or failed: a search continues.

        Args:
            name: of the training.
            export: whether to make a model of the best trial there is, and search no longer.
        """
        with self._changed:
            status = self._status(name)
            if status is not None and status.state not in (*ACTIVE, DONE):
                self._not_stored.pop(name, None)
                for file in (trainer.OUTCOME, trainer.PROGRESS, trainer.LOG):
                    (self._folder / name / file).unlink(missing_ok=True)
                self._enqueue(name, trainer.EXPORT if export else trainer.RUN)

    def stop(self, name: str) -> None:
        """Stop a training; what a search has finished is kept."""
        with self._changed:
            for entry in [entry for entry in self._waiting if entry[0] == name]:
                self._waiting.remove(entry)
                self._end(name, {"state": STOPPED})
            if self._child is not None and self._child.name == name and not self._asked_to_stop:
                self._asked_to_stop = time.monotonic()
                self._child.process.send_signal(signal.SIGINT)

    def forget(self, name: str) -> None:
        """Remove what has ended from the list; its search and its model stay."""
        with self._changed:
            status = self._status(name)
            if status is not None and status.state not in ACTIVE:
                shutil.rmtree(self._folder / name, ignore_errors=True)

    def all(self) -> tuple[TrainingStatus, ...]:
        """All trainings, the newest first."""
        with self._changed:
            try:
                names = [path.name for path in self._folder.iterdir() if path.name[0] != "."]
            except OSError:  # none was started yet
                return ()
            found = [status for name in names if (status := self._status(name))]
        return tuple(sorted(found, key=lambda status: -status.started))

    def close(self) -> None:
        """End the running process; it can be resumed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _enqueue(self, name: str, what: str) -> None:
        self._waiting.append((name, what))
        if self._thread is None:
            # A child ends with the thread that started it, so this one lives as long as the server.
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while not self._closed:
            with self._changed:
                while not (self._waiting or self._closed):
                    self._changed.wait()
                if self._closed:
                    return
                name, what = self._waiting.pop(0)
                try:
                    self._child, self._asked_to_stop = _start(self._folder / name, what), 0.0
                except OSError as error:
                    self._end(name, {"state": FAILED, "problem": _not_written(error)})
                    continue
            self._follow(self._child)

    def _follow(self, child: Child) -> None:
        """Wait for a process to end, and note how it did."""
        while child.process.poll() is None:
            with self._changed:
                self._changed.wait(POLL_SECONDS)
                if self._closed:
                    stop([child])
                    return
                asked = self._asked_to_stop
                if asked and time.monotonic() - asked > STOP_SECONDS:
                    child.process.kill()
        with self._changed:
            folder = self._folder / child.name
            order = TrainingOrder.from_json((folder / trainer.ORDER).read_text("utf-8"))
            outcome = _outcome(folder, child, order)
            if self._asked_to_stop and outcome["state"] != DONE:
                outcome = {"state": STOPPED}
            self._end(child.name, outcome)
            self._child = None

    def _end(self, name: str, outcome: dict[str, Any]) -> None:
        folder = self._folder / name
        if outcome["state"] == DONE:
            shutil.rmtree(folder / FILES, ignore_errors=True)
        (folder / trainer.RESERVE).unlink(missing_ok=True)
        if _read(folder / trainer.OUTCOME) == outcome:  # as the process wrote it
            return
        try:
            _write(self._folder / name / trainer.OUTCOME, json.dumps(outcome))
        except OSError:  # the next server will call it interrupted, and it can be resumed
            _log.exception("Cannot store how the training %s ended", name)
            self._not_stored[name] = outcome

    def _status(self, name: str) -> TrainingStatus | None:
        """A training as it stands; None where its files are damaged or gone."""
        folder = self._folder / name
        try:
            order = TrainingOrder.from_json((folder / trainer.ORDER).read_text("utf-8"))
            plan = TrainingPlan.from_dict(_read(folder / PLANNED))
            started = (folder / PLANNED).stat().st_mtime
            outcome, progress = _read(folder / trainer.OUTCOME), _read(folder / trainer.PROGRESS)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        outcome = outcome or self._not_stored.get(name, {})
        waiting = [waits for waits, _ in self._waiting]
        state = outcome.get("state", INTERRUPTED)
        if name in waiting:
            state = WAITING
        elif self._child is not None and self._child.name == name:
            state = STOPPING if self._asked_to_stop else RUNNING
        running = state in (RUNNING, STOPPING)
        return TrainingStatus(
            order=order,
            plan=plan,
            state=state,
            ahead=waiting.index(name) + (self._child is not None) if state == WAITING else 0,
            done=progress.get("done", 0) if running else 0,
            total=progress.get("total", 0) if running else 0,
            what=progress.get("what", "") if running else "",
            seconds_left=_seconds_left(progress) if running else None,
            problem=outcome.get("problem", ""),
            measures=tuple(tuple(pair) for pair in outcome.get("measures", [])),
            started=started,
        )


def _with_files(order: TrainingOrder, folder: Path) -> TrainingOrder:
    """An order on files that outlive the visitor who brought them, in the folder of its training.

    Raises:
        SettingError: they were deleted.
        OSError: they cannot be stored.
    """
    if not order.private:
        return order
    files = [path for path in order.data.rglob("*") if path.is_file()]
    if not files:
        raise SettingError(f"The files of {order.data.name} were deleted. Upload them again.")
    kept = folder / FILES / order.data.name
    for file in files:
        target = kept / file.relative_to(order.data)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _link(file, target)
    return replace(order, data=kept)


def _link(source: Path, target: Path) -> None:
    """Link a file, which takes no space; copy it where that is not possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _start(folder: Path, what: str) -> Child:
    (folder / trainer.RESERVE).write_bytes(bytes(trainer.RESERVE_BYTES))
    arguments = ["-m", "dashboards.service.trainer", what, str(folder)]
    return start(folder.name, [*arguments, "--parent", str(os.getpid())], folder / trainer.LOG, {})


def _outcome(folder: Path, child: Child, order: TrainingOrder) -> dict[str, Any]:
    """How a process ended: as it wrote itself, or that it was killed; failures with the log."""
    outcome = _read(folder / trainer.OUTCOME)
    code = child.process.returncode
    if not outcome:
        how = child.describe_exit().partition(":")[0]
        outcome = {"state": FAILED, "problem": (KILLED if code < 0 else DIED).format(how=how)}
    if outcome["state"] == FAILED:
        line = order.without_places(_last_log_line(child)).removeprefix("xai-tf: ")
        if line and line not in outcome["problem"]:
            outcome["problem"] = LOG_LINE.format(problem=outcome["problem"], line=line)
    return outcome


def _last_log_line(child: Child) -> str:
    try:
        return last_line(child.log.read_text("utf-8", errors="replace").splitlines())
    except OSError:
        return ""


def _seconds_left(progress: dict[str, Any]) -> float | None:
    if not progress or progress["done"] <= progress["first"]:
        return None
    done, spent = progress["done"] - progress["first"], progress["at"] - progress["since"]
    return float(spent * (progress["total"] - progress["done"]) / done)


def _not_written(error: OSError) -> str:
    return (
        f"Cannot store the training on this server ({error.strerror or error}). Free some disk "
        "space, and start it again."
    )


def _read(path: Path) -> dict[str, Any]:
    """A file as it was written; empty before it is."""
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda scratch: scratch.write_text(text, "utf-8"))
