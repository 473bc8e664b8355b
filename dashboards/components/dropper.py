"""The fields where visitors drop files, and folders of files."""

from __future__ import annotations

from typing import Any, ClassVar

import param

from dashboards.components.chunked_upload import CHUNK_BYTES, FileField
from dashboards.language import number, t


class Dropper(FileField):
    """A field to drop files on, to choose files with, and to paste pictures into.

    The server decides by content, not by name, what a file is; so every file is accepted here.
    """

    _bundle = "dropper.js"


class FolderDropper(Dropper):
    """A field for a .zip, or for a folder whose files are named by their path: `set/class/a.png`.

    Attributes:
        max_files: of a folder with more files, none is sent.
    """

    max_files = param.Integer(default=1)

    _constants: ClassVar[dict[str, Any]] = {"chunk": CHUNK_BYTES, "folders": True}

    def _handle_msg(self, data: Any) -> None:
        match data:
            case {"too_many": int(count)}:
                self.problem = ""  # so that the same text counts as a change
                self.problem = t(
                    "The folder holds {count} files; the limit is {limit}. Choose a part of it.",
                    count=number(count, ","),
                    limit=number(self.max_files, ","),
                )
            case _:
                super()._handle_msg(data)
