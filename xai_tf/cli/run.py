"""The command `xai-tf`: loads all commands and turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points

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
from xai_tf.cli.console import NOTES, complain
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


def main() -> None:
    """Run the command; an error that the user can fix is printed in one line, with exit code 2."""
    try:
        app()
    except SystemExit as stop:
        if stop.code == 130:
            NOTES.print(STOPPED)
        raise
    except XaiTfError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        NOTES.print(STOPPED)
        sys.exit(130)
