"""Figures as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from xai_tf.errors import OutputError
from xai_tf.files import SCRATCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=SCRATCH) as scratch:
            new = Path(scratch, "new.png")
            figure.savefig(new)
            new.replace(path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Free some space, or give another "
            "--out."
        ) from error
