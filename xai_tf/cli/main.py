"""The command `xai-tf`: its groups put together, and how it ends."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points

# Before TensorFlow is loaded anywhere: its start-up chatter is no news to a person.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xai_tf.cli import (
    audit,
    compare,
    errors,
    explain,
    listen,
    listing,
    ood,
    predict,
    report,
    train,
)
from xai_tf.cli.console import NOTES, complain
from xai_tf.cli.options import app
from xai_tf.errors import XaiTfError

__all__ = [
    "app",
    "audit",
    "compare",
    "errors",
    "explain",
    "listen",
    "listing",
    "main",
    "ood",
    "predict",
    "report",
    "train",
]  # imported: their commands


for _entry in entry_points(group="xai_tf.commands"):  # those of packages that build on this one
    _entry.load()


def main() -> None:
    """Run the command; a problem the user can solve is one line and exit code 2."""
    try:
        app()
    except SystemExit as stop:
        if stop.code == 130:
            NOTES.print("Stopped; nothing half-written is left.")
        raise
    except XaiTfError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        NOTES.print("Stopped; nothing half-written is left.")
        sys.exit(130)
