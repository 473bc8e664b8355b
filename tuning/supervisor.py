"""KerasTuner's chief and workers on one machine, started, watched and mended.

| what happens | what is done |
|---|---|
| a worker dies, or hangs | it starts again under its id, and the chief gives it its trial back |
| a trial kills its worker | after three times it fails for that reason (`tuner.MAX_STARTS`) |
| a worker dies again and again while no trial ends | the search stops and names its log |
| the chief dies | the workers are ended too, so that no trial runs twice; then all start again |
| the chief waits for a worker that was told to stop | nobody waits: all is on the disk |
| this process ends, however it does | all its children end (`children.follow`) |

The chief listens on the loopback address only. Its port asks for no password, so other users of
this machine could reach it; for several machines see `tuning.worker`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.failures import tell_failures
from tuning.subprocesses import Child, start, stop
from tuning.trials import COMPLETED, FAILED, Search, read_search
from tuning.worker import USER_ERROR, hand_over, heartbeat
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from tuning.settings import Report, StudySettings

CHIEF = "chief"
ADDRESS = "127.0.0.1"
LOGS = "logs"
STALL_SECONDS = 600.0
PAUSE = 1.0  # seconds between two looks
ASLEEP = 30.0  # a longer time between two looks: the machine or this process was suspended
MAX_DEATHS = 5  # in a row; a trial may cause three of them before it fails


def supervise(
    study: StudySettings,
    training_data: TrainingData,
    report: Report,
    workers: int,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Search with several processes until no trial is left.

    Args:
        study: its folder holds `study.json` already, and is locked by this process.
        training_data: its data.
        report: called with (where the search stands, epochs done, epochs in all).
        workers: how many train at a time.
        stall_seconds: a worker that gives no sign for so long is started again.

    Raises:
        ModelError: too many trials failed in a row, or a process could not be kept alive.
    """
    hand_over(study, training_data)
    for path in study.folder.glob("trial_*/starts"):
        path.unlink()  # of processes that a person killed, perhaps
    before = len(_ended(study.folder))
    crew = _Crew(study, report, workers, stall_seconds)
    try:
        while crew.look():
            time.sleep(PAUSE)
    finally:
        crew.stop()
    if _gave_up(study.folder, before):
        tell_failures(study)


class _Crew:
    """The processes of one search."""

    def __init__(
        self, study: StudySettings, report: Report, workers: int, stall_seconds: float
    ) -> None:
        self._study, self._report = study, report
        self._names = [f"worker{number}" for number in range(workers)]
        self._stall_seconds = stall_seconds
        self._children: dict[str, Child] = {}
        self._deaths: Counter[str] = Counter()
        self._num_ended = 0
        self._looked = time.time()
        self._port = 0

    def look(self) -> bool:
        """Start what is missing and tell where the search stands; whether it goes on."""
        # The workers before the chief: its death ends theirs, and is no fault of them.
        ended = [n for n in self._names if n in self._children and self._code(n) is not None]
        if any(self._code(name) == 0 for name in [*ended, CHIEF] if name in self._children):
            self._tell()
            return False  # nobody is told to stop before all trials have ended
        self._wake()
        self._tell()
        if CHIEF not in self._children or self._code(CHIEF) is not None:
            self._start_all()
        else:
            stalled = self._stalled()
            for name in [*ended, *stalled]:
                hung = f"no sign of life for {self._stall_seconds:g} s" if name in stalled else ""
                self._mourn(name, hung or self._children[name].ending())
                self._start(name)
        return True

    def stop(self) -> None:
        stop(self._children.values())

    def _code(self, name: str) -> int | None:
        return self._children[name].process.poll()

    def _start_all(self) -> None:
        if CHIEF in self._children:
            self._mourn(CHIEF, self._children[CHIEF].ending())
        self.stop()
        self._port = _free_port()
        for name in [CHIEF, *self._names]:
            self._start(name)

    def _start(self, name: str) -> None:
        folder = self._study.folder
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
            ["-m", "tuning.worker", str(folder), "--parent", str(os.getpid())],
            folder / LOGS / f"{name}.log",
            variables,
        )

    def _mourn(self, name: str, cause: str) -> None:
        """Count a death and tell it.

        Raises:
            ModelError: it was one too many, or one that a person has to see to.
        """
        child = self._children[name]
        if child.process.returncode == USER_ERROR:
            raise ModelError(child.last_words().removeprefix("xai-tf: "))
        self._deaths[name] += 1
        if self._deaths[name] >= MAX_DEATHS:
            raise ModelError(
                f"{name} of {self._study.folder} died {MAX_DEATHS} times while no trial ended "
                f"({cause}). See {child.log}, mend the cause and run the same command "
                "again: it goes on."
            )
        self._tell(f"{name} died ({cause}) and starts again")

    def _stalled(self) -> list[str]:
        """Workers that gave no sign for too long. They are dead now."""
        found = []
        for name in self._names:
            child, beat = self._children[name], heartbeat(self._study.folder, name)
            last = max(child.since, beat.stat().st_mtime if beat.is_file() else 0)
            if child.process.poll() is None and time.time() - last > self._stall_seconds:
                child.process.kill()
                child.process.wait()
                found.append(name)
        return found

    def _wake(self) -> None:
        """After a sleep of the machine nobody has stalled."""
        now = time.time()
        if now - self._looked > ASLEEP:
            for child in self._children.values():
                child.since = now
        self._looked = now

    def _tell(self, news: str = "") -> None:
        search = read_search(self._study.folder)
        ended = [t for t in search.trials if t.status in (COMPLETED, FAILED)]
        if len(ended) > self._num_ended:
            self._num_ended = len(ended)
            self._deaths.clear()
        done = sum(
            t.last_epoch - t.first_epoch if t in ended else len(t.curve) for t in search.trials
        )
        total = search.study["plan"]["epochs"]
        self._report(news or _standing(search, len(ended)), done, max(done, total))


def _standing(search: Search, num_ended: int) -> str:
    if not search.trials:
        return "starting workers"
    last, best = search.trials[-1], next(iter(search.ranked()), None)
    text = f"bracket {last.bracket}, round {last.round}, {num_ended} done"
    return text + (f", best {search.objective} {best.score:.4f}" if best else "")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((ADDRESS, 0))
        return found.getsockname()[1]


def _ended(folder: Path) -> list[str]:
    """The ids of the trials that ended, in that order."""
    path = folder / "oracle.json"
    return json.loads(path.read_text(encoding="utf-8"))["end_order"] if path.is_file() else []


def _gave_up(folder: Path, before: int) -> bool:
    """Whether the last trials to end failed, of those that ended since there were `before`."""
    from tuning.oracle import MAX_FAILURES

    trials = read_search(folder).by_id
    last = [trials[name].status for name in _ended(folder)[before:]][-MAX_FAILURES:]
    return len(last) == MAX_FAILURES and set(last) == {FAILED}
