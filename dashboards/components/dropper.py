"""Where a visitor drops files."""

from __future__ import annotations

from dashboards.components.chunked_upload import FileField


class Dropper(FileField):
    """A field to drop files in, to choose them from, and to paste a picture in.

    What a file is, its content tells and not its name, so none is refused here.
    """

    _bundle = "dropper.js"
