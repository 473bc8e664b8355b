"""The worker process: it answers requests from a pipe, one after the other."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.cli.console import quiet_others

PROGRESS_SECONDS = 0.1  # between two reports
NICENESS = int(os.environ.get("XAI_TF_NICENESS", "10"))  # 0 gives way to no other program
OUT_OF_MEMORY = (
    "The server has too little memory for this request. Use fewer samples, a smaller model or a "
    "shorter recording."
)


class Cancelled(BaseException):
    """The request was cancelled. A BaseException, so that no `except Exception` catches it."""


def main(connection: Connection, store: Path, scratch: Path) -> None:
    """Answer requests until the pipe closes.

    It receives ("do", number, request), ("cancel", number) and ("end",). It sends ("ready", device)
    once; then for each request any number of ("progress", done, total), ("partial", map) and
    ("step", name), and finally one of ("answer", bytes or object), ("problem", kind, text),
    ("defect", traceback) and ("cancelled",). It sends ("models", entries) whenever its loaded
    models change.

    Args:
        connection: the worker's end of the pipe.
        store: the folder of stored answers, which is only read.
        scratch: a folder for temporary files.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server, which ends us
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # all processes share the GPU
    quiet_others()
    logging.captureWarnings(True)  # those of Keras about old models
    inbox = _Inbox(connection)
    from dashboards.service.handlers import device, warm_up
    from dashboards.service.worker_context import WorkerContext

    context = WorkerContext(store, scratch, _Reporter(connection, inbox))
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # the server that sends pages has priority
    connection.send(("ready", device()))
    for step in warm_up():
        if not inbox.is_empty:
            break
        step()
    while True:
        _answer(connection, context, inbox.next())


def _answer(connection: Connection, context: Any, request: Any) -> None:
    from dashboards.service.handlers import HANDLERS
    from dashboards.service.requests import is_packed
    from dashboards.service.serialization import pack, without_places
    from xai_tf.errors import XaiTfError

    before = tuple(context.classifiers)
    try:
        answer = HANDLERS[type(request)](context, request)
        message: tuple[Any, ...] = ("answer", pack(answer) if is_packed(request) else answer)
    except Cancelled:
        message = ("cancelled",)
    except XaiTfError as error:
        message = ("problem", type(error).__name__, without_places(str(error), request))
    except Exception as error:
        message = ("defect", traceback.format_exc())
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            message = ("problem", "JobError", OUT_OF_MEMORY)
    if tuple(context.classifiers) != before:
        connection.send(("models", tuple(context.classifiers)))
    connection.send(message)


class _Inbox:
    """Reads the pipe in its own thread, so that a busy process can be cancelled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._at_work, self._cancelled = 0, 0
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def cancelled(self) -> bool:
        """Whether the current request was cancelled."""
        return self._at_work == self._cancelled

    @property
    def is_empty(self) -> bool:
        """Whether no request is waiting."""
        return self._requests.empty()

    def next(self) -> Any:
        """Wait for the next request."""
        self._at_work, request = self._requests.get()
        return request

    def _listen(self) -> None:
        while True:
            try:
                kind, *content = self._connection.recv()
            except (EOFError, OSError):  # the server has ended
                os._exit(0)
            if kind == "do":
                self._requests.put(content)
            elif kind == "cancel":
                self._cancelled = content[0]
            else:
                os._exit(0)


class _Reporter:
    """Sends progress and previews, and raises `Cancelled` if the request was cancelled."""

    def __init__(self, connection: Connection, inbox: _Inbox) -> None:
        self._connection, self._inbox = connection, inbox
        self._last = 0.0

    def progress(self, done: int, total: int, what: str = "") -> None:
        self.check()
        if done == total or time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._connection.send(("progress", done, total))
            self._last = time.monotonic()

    def partial(self, attribution: np.ndarray) -> None:
        self.check()
        self._connection.send(("partial", attribution))

    def step(self, name: str) -> None:
        self.check()
        self._connection.send(("step", name))

    def check(self) -> None:
        if self._inbox.cancelled:
            raise Cancelled
