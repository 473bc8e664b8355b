"""One worker process, kept alive: started, listened to, ended, and started again."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dashboards.service import worker
from dashboards.service.requests import ModelEntry

if TYPE_CHECKING:
    from dashboards.service.jobs import Flight

PAUSE = 5.0  # seconds from a failed start to the next
ENDING = 3.0  # seconds for a process to end by itself
STARTING, IDLE, BUSY, LOST = "starting", "idle", "busy", "lost"
_log = logging.getLogger(__name__)
_spawn = get_context("spawn")  # TensorFlow survives no fork


class Process:
    """A place for a worker process. It is changed under the pool's lock.

    Attributes:
        state: "starting", "idle", "busy" or "lost", which is when it does not start.
        flight: what it works on, or None.
        models: those it has at hand.
        prepared: those it was asked to have at hand while it was idle.
        failed_starts: how often in a row it ended before it was ready.
    """

    def __init__(
        self,
        store: Path,
        scratch: Path,
        heard: Callable[[Process, tuple], None],
        lost: Callable[[Process], None],
    ) -> None:
        """Start a process, and a thread that listens to it.

        Args:
            store: the folder of `worker.main`.
            scratch: holds a folder of this process's own, which is emptied at each start.
            heard: called with whatever the process says, in that thread.
            lost: called when it has ended, in that thread.
        """
        self._store, self._scratch = store, scratch / uuid4().hex
        self._heard, self._lost = heard, lost
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._closing = threading.Event()
        self.failed_starts = 0
        self.reset()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the process, or None before there is one."""
        return self._process.pid if self._process else None

    def reset(self) -> None:
        """Nothing is known of the process that starts now."""
        self.state = LOST if self.failed_starts else STARTING
        self.flight: Flight | None = None
        self.models: tuple[ModelEntry, ...] = ()
        self.prepared: set[ModelEntry] = set()

    def begin(self, flight: Flight) -> None:
        """Work on a flight."""
        self.flight, self.state = flight, BUSY
        self._send("do", flight.number, flight.begin())

    def stop(self) -> None:
        """Ask it to drop what it works on."""
        self._send("cancel", self.flight.number)

    def kill(self) -> None:
        """End the process at once; another is started."""
        _log.warning("process %s does not stop, and is killed", self.pid)
        self._process.kill()

    def end(self) -> None:
        """Ask the process to end, and start no other."""
        self._closing.set()
        self._send("end")

    def join(self) -> None:
        """After `end`, without the lock: wait, and kill the process where it does not end."""
        self._thread.join(ENDING)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(ENDING)

    def _send(self, *message: Any) -> None:
        try:
            if self._connection is not None:
                self._connection.send(message)
        except OSError:  # it is gone, as the thread that listens finds out by itself
            pass

    def _live(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen(self._start())
            except OSError:
                _log.exception("no process can be started")
            self._lost(self)
            if self.failed_starts:
                self._closing.wait(PAUSE)

    def _start(self) -> Connection:
        ours, theirs = _spawn.Pipe()
        shutil.rmtree(self._scratch, ignore_errors=True)  # a killed one leaves a visitor's sound
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
        """Pass on what the process says until it ends."""
        since = time.monotonic()
        while (message := _received(connection)) is not None:
            try:
                self._heard(self, message)
            except Exception:  # whatever it is, the next message has to be heard
                _log.exception("a message of process %s was not understood", self.pid)
        self._process.join(ENDING)
        if self._process.is_alive():  # it closed its pipe and goes on, which is of no use
            self._process.kill()
            self._process.join()
        if not self._closing.is_set():
            code, age = self._process.exitcode, time.monotonic() - since
            _log.warning("process %s ended with code %s after %.0f s", self.pid, code, age)


def _received(connection: Connection) -> tuple | None:
    """The next message, or None at the end."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None
