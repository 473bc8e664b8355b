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

GRACE_SECONDS = 3.0  # between terminating and killing a process
ROOT = Path(__file__).parents[1]
_PR_SET_PDEATHSIG = 1


@dataclass(eq=False)
class Child:
    """A child process.

    Attributes:
        name: its name in messages.
        process: the process.
        log: the file with its output.
        since: when it was started, or last known to be alive, in seconds of `time.time`.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    since: float = field(default_factory=time.time)

    def describe_exit(self) -> str:
        """How it ended, with the last line of its log."""
        code = self.process.returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}: {self.last_log_line()}" if code else "exit code 0"

    def last_log_line(self) -> str:
        """The last line of its log that is not blank."""
        return last_line(self.log.read_text(encoding="utf-8", errors="replace").splitlines())


def start(name: str, arguments: list[str], log: Path, variables: Mapping[str, str]) -> Child:
    """Start Python with arguments in a session of its own; its output is appended to the log.

    Because of the session, Ctrl-C reaches only the parent, which then stops its children.

    Args:
        name: the name of the process in messages.
        arguments: what follows `python`.
        log: the file for its output.
        variables: environment variables, besides those of this process.
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
            env=environment | dict(variables),
            start_new_session=True,
        )
    return Child(name, process, log)


def stop(children: Iterable[Child]) -> None:
    """Terminate processes, and kill those that have not ended after `GRACE_SECONDS`."""
    running = [child.process for child in children if child.process.poll() is None]
    for process in running:
        process.terminate()
    end = time.monotonic() + GRACE_SECONDS
    for process in running:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def exit_with_parent(parent: int) -> None:
    """In a child: end when the parent does, however that ends.

    On Linux the kernel ends this process even while it hangs; elsewhere a thread checks every
    second.

    Args:
        parent: the process id of the parent.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the lines above
        os._exit(1)


def thread_limits(processes: int) -> dict[str, str]:
    """Environment variables that divide the cores among processes, unless the user set them."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    count = str(max(1, cores // processes))
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
    return {name: os.environ.get(name, count) for name in names}


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
