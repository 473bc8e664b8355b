"""One worker process with its supervisor, which restarts the process when it ends."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dashboards.service import worker
from dashboards.service.requests import ModelEntry

if TYPE_CHECKING:
    from dashboards.service.jobs import Flight

PAUSE = 5.0  # seconds between a failed start and the next
ENDING = 3.0  # seconds a process has to end before it is killed
STARTING, IDLE, BUSY, LOST = "starting", "idle", "busy", "lost"
_log = logging.getLogger(__name__)
_spawn = get_context("spawn")  # TensorFlow does not work after a fork


class Process:
    """A slot for a worker process. Changed only under the pool's lock.

    Attributes:
        state: "starting", "idle", "busy" or "lost" (the last start failed).
        flight: the flight it computes, or None.
        models: the models it has loaded.
        prepared: the models it was asked to load while it was idle.
        unfinished: those of them whose preparation was interrupted.
        failed_starts: number of consecutive starts that ended before the process was ready.
    """

    def __init__(
        self,
        store: Path,
        scratch: Path,
        on_message: Callable[[Process, tuple[Any, ...]], None],
        on_exit: Callable[[Process], None],
        *,
        after: threading.Event | None = None,
    ) -> None:
        """Start a process, and a thread that supervises it.

        Args:
            store: the folder of stored answers.
            scratch: the folder for temporary files; the process uses its own subfolder, which is
                emptied at each start.
            on_message: called with each message of the process, in the supervising thread.
            on_exit: called when the process has ended, in the supervising thread.
            after: the process is started once this is set; None to start it at once.
        """
        self._store, self._scratch = store, scratch / uuid4().hex
        self._on_message, self._on_exit = on_message, on_exit
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._closing, self._after = threading.Event(), after
        self.failed_starts = 0
        self.reset()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id, or None before the first start."""
        return self._process.pid if self._process else None

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, which its supervisor may not have noticed yet."""
        return self._process is not None and bool(wait([self._process.sentinel], timeout=0))

    def reset(self) -> None:
        """Reset the state for a new process."""
        self.state = LOST if self.failed_starts else STARTING
        self.flight: Flight | None = None
        self.models: tuple[ModelEntry, ...] = ()
        self.prepared: set[ModelEntry] = set()
        self.unfinished: set[ModelEntry] = set()

    def begin(self, flight: Flight) -> None:
        """Send a flight to the process."""
        self.flight, self.state = flight, BUSY
        self._send("do", flight.number, flight.begin())

    def stop(self) -> None:
        """Ask the process to cancel its flight."""
        self._send("cancel", self.flight.number)

    def kill(self) -> None:
        """Kill the process; the supervisor starts a new one."""
        _log.warning("Process %s does not stop and is killed", self.pid)
        self._process.kill()

    def end(self) -> None:
        """Ask the process to end, and do not restart it."""
        self._closing.set()
        self._send("end")

    def join(self) -> None:
        """Wait for the process after `end`, without the lock, and kill it if necessary."""
        self._thread.join(ENDING)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(ENDING)

    def _send(self, *message: Any) -> None:
        try:
            if self._connection is not None:
                self._connection.send(message)
        except OSError:  # the process is gone, which the supervisor notices
            pass

    def _supervise(self) -> None:
        if self._after is not None:
            self._after.wait()
        while not self._closing.is_set():
            try:
                self._listen(self._start())
            except OSError:
                _log.exception("Cannot start a worker process")
            self._on_exit(self)
            if self.failed_starts:
                self._closing.wait(PAUSE)

    def _start(self) -> Connection:
        ours, theirs = _spawn.Pipe()
        shutil.rmtree(self._scratch, ignore_errors=True)  # a killed process leaves files behind
        self._scratch.mkdir(parents=True)
        folders = self._store, self._scratch
        self._process = _spawn.Process(
            target=worker.main, args=(theirs, *folders), daemon=True, name="xai-tf worker"
        )
        self._process.start()
        theirs.close()
        self._connection = ours
        if self._closing.is_set():
            self._send("end")
        return ours

    def _listen(self, connection: Connection) -> None:
        """Pass on the messages of the process until it ends."""
        since = time.monotonic()
        while (message := _received(connection)) is not None:
            try:
                self._on_message(self, message)
            except Exception:  # the next message must be handled all the same
                _log.exception("Cannot handle a message of process %s", self.pid)
        self._process.join(ENDING)
        if self._process.is_alive():  # it has closed its pipe but goes on
            self._process.kill()
            self._process.join()
        if not self._closing.is_set():
            code, age = self._process.exitcode, time.monotonic() - since
            _log.warning("Process %s ended with code %s after %.0f s", self.pid, code, age)


def _received(connection: Connection) -> tuple[Any, ...] | None:
    """The next message, or None at the end."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None
