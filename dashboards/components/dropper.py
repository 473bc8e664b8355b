"""The field where visitors drop files."""

from __future__ import annotations

from dashboards.components.chunked_upload import FileField


class Dropper(FileField):
    """A field to drop files on, to choose files with, and to paste pictures into.

    The server decides by content, not by name, what a file is; so every file is accepted here.
    """

    _bundle = "dropper.js"
