"""The command `xai-tf`: loads all commands and turns errors into exit codes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from importlib.metadata import entry_points
from typing import NoReturn

# Before TensorFlow is loaded anywhere: its start-up messages are noise here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xai_tf.cli import (
    audit,
    compare,
    errors,
    explain,
    inspect,
    listen,
    listing,
    models,
    ood,
    predict,
    report,
    train,
)
from xai_tf.cli.app import app
from xai_tf.cli.console import INTERRUPTION, NOTES, complain
from xai_tf.errors import XaiTfError

__all__ = [
    "app",
    "audit",
    "compare",
    "errors",
    "explain",
    "inspect",
    "listen",
    "listing",
    "main",
    "models",
    "ood",
    "predict",
    "report",
    "train",
]  # imported for their commands


for _entry in entry_points(group="xai_tf.commands"):  # those of packages that build on this one
    _entry.load()

STOPPED = "Stopped; nothing half-written is left."
INTERRUPTED = 130  # the exit code of what Ctrl-C ended


def main() -> None:
    """Run the command; an error that the user can fix is printed in one line, with exit code 2."""
    INTERRUPTION.requested = False
    before = signal.signal(signal.SIGINT, INTERRUPTION.on_signal)
    logging.captureWarnings(True)  # those of other packages, which `--verbose` shows
    try:
        app()
    except SystemExit as stop:
        if stop.code == INTERRUPTED or INTERRUPTION.requested:
            _stop()
        raise
    except KeyboardInterrupt:
        _stop()
    except XaiTfError as error:
        if INTERRUPTION.requested:
            _stop()
        complain(error)
        sys.exit(2)
    except Exception:
        if INTERRUPTION.requested:  # it broke what ran then, such as an import
            _stop()
        raise
    finally:
        logging.captureWarnings(False)
        signal.signal(signal.SIGINT, before)


def _stop() -> NoReturn:
    NOTES.print(STOPPED)
    sys.exit(INTERRUPTED)
