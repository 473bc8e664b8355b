"""KerasTuner's chief and workers on one machine: started, watched, and restarted.

| event | reaction |
|---|---|
| a worker dies or hangs | it is started again under its id; the chief gives it its trial back |
| a trial kills its worker | after three times the trial fails (`tuner.MAX_STARTS`) |
| a worker dies again and again while no trial ends | the search stops and names its log |
| the chief dies | the workers are stopped, so that no trial runs twice; then all start again |
| the chief waits for a worker that was told to stop | it is stopped: everything is on disk |
| this process ends, for whatever reason | all its children end (`subprocesses.exit_with_parent`) |

The chief listens on the loopback address only. Its port asks for no password, so other users of
this machine could reach it. For several machines see `tuning.worker`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.failures import raise_for_failures
from tuning.subprocesses import Child, start, stop
from tuning.trials import COMPLETED, FAILED, Search, read_search
from tuning.worker import USER_ERROR, heartbeat_file, write_worker_files
from xai_tf.errors import ModelError
from xai_tf.progress import Progress

if TYPE_CHECKING:
    from tuning.networks import Networks

CHIEF = "chief"
ADDRESS = "127.0.0.1"
LOGS = "logs"
STALL_SECONDS = 600.0
POLL_SECONDS = 1.0
# If more time passes between two polls, the machine or this process was suspended.
SUSPENDED_SECONDS = 30.0
MAX_DEATHS = 5  # in a row; a trial may cause three of them before it fails


def supervise(
    networks: Networks, progress: Progress, workers: int, stall_seconds: float = STALL_SECONDS
) -> None:
    """Run trials in several processes until none is left.

    Args:
        networks: of a study whose folder holds `study.json` already and is locked by this process.
        progress: is called with epochs done, epochs in all, and the state of the search.
        workers: the number of processes that train.
        stall_seconds: a worker that shows no sign of life for this long is started again.

    Raises:
        ModelError: too many trials failed in a row, or a process died again and again.
    """
    write_worker_files(networks)
    folder = networks.data.study.folder
    for path in folder.glob("trial_*/starts"):
        path.unlink()  # a person may have killed these processes, not the trial
    num_ended = len(_ended_ids(folder))
    processes = _Processes(folder, progress, workers, stall_seconds)
    try:
        while processes.poll():
            time.sleep(POLL_SECONDS)
    finally:
        processes.stop()
    if _gave_up(folder, num_ended):
        raise_for_failures(folder)


class _Processes:
    """The chief and the workers of one search."""

    def __init__(
        self, folder: Path, progress: Progress, workers: int, stall_seconds: float
    ) -> None:
        self._folder, self._progress = folder, progress
        self._workers = [f"worker{number}" for number in range(workers)]
        self._stall_seconds = stall_seconds
        self._children: dict[str, Child] = {}
        self._deaths: Counter[str] = Counter()
        self._num_ended = 0
        self._last_poll = time.time()
        self._port = 0

    def poll(self) -> bool:
        """Start missing processes and report progress; whether the search continues."""
        # Workers before the chief: when it dies they end too, which is no fault of theirs.
        ended = [n for n in self._workers if n in self._children and self._code(n) is not None]
        if any(self._code(name) == 0 for name in [*ended, CHIEF] if name in self._children):
            self._report()
            return False  # no process exits with 0 before all trials have ended
        self._forgive_suspension()
        self._report()
        if CHIEF not in self._children or self._code(CHIEF) is not None:
            self._start_all()
        else:
            stalled = self._kill_stalled()
            for name in [*ended, *stalled]:
                hung = f"no sign of life for {self._stall_seconds:g} s" if name in stalled else ""
                self._count_death(name, hung or self._children[name].describe_exit())
                self._start(name)
        return True

    def stop(self) -> None:
        """Stop all processes."""
        stop(self._children.values())

    def _code(self, name: str) -> int | None:
        return self._children[name].process.poll()

    def _start_all(self) -> None:
        if CHIEF in self._children:
            self._count_death(CHIEF, self._children[CHIEF].describe_exit())
        self.stop()
        self._port = _free_port()
        for name in [CHIEF, *self._workers]:
            self._start(name)

    def _start(self, name: str) -> None:
        variables = {
            "KERASTUNER_TUNER_ID": name,
            "KERASTUNER_ORACLE_IP": ADDRESS,
            "KERASTUNER_ORACLE_PORT": str(self._port),
            "TF_FORCE_GPU_ALLOW_GROWTH": os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
            "no_grpc_proxy": ADDRESS,
        }
        if name == CHIEF:
            variables["CUDA_VISIBLE_DEVICES"] = "-1"  # it trains nothing
        self._children[name] = start(
            name,
            ["-m", "tuning.worker", str(self._folder), "--parent", str(os.getpid())],
            self._folder / LOGS / f"{name}.log",
            variables,
        )

    def _count_death(self, name: str, cause: str) -> None:
        """Count the death of a process and report it.

        Raises:
            ModelError: it died too often, or for a reason that the user must fix.
        """
        child = self._children[name]
        if child.process.returncode == USER_ERROR:
            raise ModelError(child.last_log_line().removeprefix("xai-tf: "))
        self._deaths[name] += 1
        if self._deaths[name] >= MAX_DEATHS:
            raise ModelError(
                f"{name} of {self._folder} died {MAX_DEATHS} times while no trial ended ({cause}). "
                f"See {child.log}, fix the cause, and run the same command again to resume."
            )
        self._report(f"{name} died ({cause}) and starts again")

    def _kill_stalled(self) -> list[str]:
        """Kill the workers that showed no sign of life for too long, and return their names."""
        stalled = []
        for name in self._workers:
            child, heartbeat = self._children[name], heartbeat_file(self._folder, name)
            last = max(child.since, heartbeat.stat().st_mtime if heartbeat.is_file() else 0)
            if child.process.poll() is None and time.time() - last > self._stall_seconds:
                child.process.kill()
                child.process.wait()
                stalled.append(name)
        return stalled

    def _forgive_suspension(self) -> None:
        """After the machine was suspended, give every process its full time again."""
        now = time.time()
        if now - self._last_poll > SUSPENDED_SECONDS:
            for child in self._children.values():
                child.since = now
        self._last_poll = now

    def _report(self, news: str = "") -> None:
        search = read_search(self._folder)
        ended = [t for t in search.trials if t.status in (COMPLETED, FAILED)]
        if len(ended) > self._num_ended:
            self._num_ended = len(ended)
            self._deaths.clear()
        done = sum(
            t.last_epoch - t.first_epoch if t in ended else len(t.curve) for t in search.trials
        )
        total = search.study["plan"]["epochs"]
        self._progress(done, max(done, total), news or _state(search, len(ended)))


def _state(search: Search, num_ended: int) -> str:
    if not search.trials:
        return "starting workers"
    last, best = search.trials[-1], next(iter(search.ranked()), None)
    text = f"bracket {last.bracket}, round {last.round}, {num_ended} done"
    return text + (f", best {search.objective} {best.score:.4f}" if best else "")


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind((ADDRESS, 0))
        return int(unused.getsockname()[1])


def _ended_ids(folder: Path) -> list[str]:
    """The ids of the trials that have ended, in that order."""
    path = folder / "oracle.json"
    return json.loads(path.read_text(encoding="utf-8"))["end_order"] if path.is_file() else []


def _gave_up(folder: Path, num_before: int) -> bool:
    """Whether the last trials failed, of those that ended after the first `num_before`."""
    from tuning.oracle import MAX_FAILURES

    trials = read_search(folder).by_id
    last = [trials[name].status for name in _ended_ids(folder)[num_before:]][-MAX_FAILURES:]
    return len(last) == MAX_FAILURES and set(last) == {FAILED}
