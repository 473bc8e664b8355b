"""Child processes that write to a log and never outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuning.trials import last_line

PATIENCE = 3.0  # seconds from asking to end to killing
ROOT = Path(__file__).parents[1]
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(eq=False)
class Child:
    """A running process.

    Attributes:
        name: what it is called in messages.
        process: the process.
        log: where its output goes.
        since: when it was started, or last known to be well, in seconds of `time.time`.
    """

    name: str
    process: subprocess.Popen
    log: Path
    since: float = field(default_factory=time.time)

    def ending(self) -> str:
        """How it ended, with the last line of its log."""
        code = self.process.returncode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{how}: {self.last_words()}" if code > 0 else how

    def last_words(self) -> str:
        return last_line(self.log.read_text(encoding="utf-8", errors="replace").splitlines())


def start(name: str, arguments: list[str], log: Path, variables: Mapping[str, str]) -> Child:
    """Start Python with arguments; its output is appended to the log.

    It gets a session of its own, so that Ctrl-C reaches the parent alone, who ends it in order.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(paths)}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment | variables,
            start_new_session=True,
        )
    return Child(name, process, log)


def stop(children: Iterable[Child]) -> None:
    """Ask all to end, and kill those that do not."""
    running = [child.process for child in children if child.process.poll() is None]
    for process in running:
        process.terminate()
    end = time.monotonic() + PATIENCE
    for process in running:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def follow(parent: int) -> None:
    """In a child: end when the parent does, however that ends.

    On Linux the kernel sees to it, even where this process hangs; elsewhere a thread looks each
    second.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def threads_each(processes: int) -> dict[str, str]:
    """Variables that share the cores among processes, where the user has not said otherwise."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    count = str(max(1, cores // processes))
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
    return {name: os.environ.get(name, count) for name in names}


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
