"""Uploads in chunks, with limits that keep a hostile browser from filling the memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from dashboards.files.drops import Drop
from dashboards.files.uploads import Limits, megabytes, safe_name
from dashboards.language import t
from xai_tf.errors import InputError

CHUNK_BYTES = 4 * 2**20  # the server accepts messages of five times this size
MAX_NAME = 1000  # characters
MAX_INTEGER = 2**53  # the largest integer that is exact in JavaScript


@dataclass(frozen=True, eq=False)
class PartialUpload:
    """A file that has arrived in part, in one buffer however small its chunks are."""

    name: str
    size: int
    data: io.BytesIO = field(default_factory=io.BytesIO)


class FileField(JSComponent):
    """The base class of components that send files with `chunked_upload.js`.

    The browser sends {"file": a number of its choice, "name", "size": total bytes, "at": offset of
    the chunk, "data": its bytes, "drop": {"number", "count"} of the files given at once}, starting
    with at = 0. The reply {"file", "next"} holds the offset of the next chunk, or None if the file
    is complete or was rejected.

    Args:
        limits: limits of the uploads; a file counts with its full size from its first chunk on.
        on_file: called with the name and the bytes of each complete file.

    Attributes:
        drop: the drop of the file that is handed over or rejected.
        file_name: its name, as the browser gave it.
    """

    max_bytes = param.Integer(doc="Largest file in bytes; of a larger file only the size is sent.")
    problem = param.String(doc="Why the last rejected file was rejected, for the visitor.")

    _resources: ClassVar = {"js": ["chunked_upload.js", "dom.js"]}
    _constants: ClassVar[dict[str, Any]] = {"chunk": CHUNK_BYTES}
    _rename: ClassVar[Mapping[str, str | None]] = {"problem": None}

    def __init__(
        self, limits: Limits, on_file: Callable[[str, bytes], None], **params: Any
    ) -> None:
        super().__init__(
            **{"max_bytes": limits.file_bytes, "sizing_mode": "stretch_width", **params}
        )
        self._limits, self._on_file = limits, on_file
        self.drop, self.file_name = Drop(0), ""
        self._uploads_under_way: dict[int, PartialUpload] = {}

    def _handle_msg(self, data: Any) -> None:
        match data:
            case {
                "file": int(number),
                "name": str(name),
                "size": int(size),
                "at": int(at),
                "data": bytes(chunk),
            } if _plausible(number, name, size):
                self.drop, self.file_name = _drop_of(data.get("drop")), name
                offset, complete = self._receive(number, name, size, at, chunk)
                # Reply before the file is processed, so that an error there does not block others.
                self._send_msg({"file": number, "next": offset})
                if complete:
                    self._on_file(complete.name, complete.data.getvalue())

    def _receive(
        self, number: int, name: str, size: int, at: int, chunk: bytes
    ) -> tuple[int | None, PartialUpload | None]:
        """Add a chunk; the offset of the next one or None, and the file if it is complete."""
        upload = self._uploads_under_way.pop(number, PartialUpload(name, 0))
        try:
            if at == 0:
                upload = self._start(name, size)
            _append(upload, at, chunk)
        except InputError as error:
            self.problem = ""  # so that the same text counts as a change
            self.problem = str(error)
            return None, None
        if at + len(chunk) < upload.size:
            self._uploads_under_way[number] = upload
            return at + len(chunk), None
        return None, upload

    def _start(self, name: str, size: int) -> PartialUpload:
        """A new upload, if there is room for all of it."""
        self._limits.check(name, size)
        received = sum(upload.size for upload in self._uploads_under_way.values())
        room = self._limits.unfinished_bytes
        if received + size > room or len(self._uploads_under_way) >= self._limits.files:
            raise InputError(
                t(
                    "{name} was rejected: more than {count} files or {size} were being uploaded at "
                    "once. Upload fewer or smaller files.",
                    name=safe_name(name),
                    count=self._limits.files,
                    size=megabytes(room),
                )
            )
        return PartialUpload(name, size)


def _plausible(number: int, name: str, size: int) -> bool:
    """Whether a browser could send these values."""
    return len(name) <= MAX_NAME and all(
        0 <= value <= MAX_INTEGER and not isinstance(value, bool) for value in (number, size)
    )


def _drop_of(data: Any) -> Drop:
    match data:
        case {"number": int(number), "count": int(count)}:
            return Drop(number, count)
    return Drop(0)


def _append(upload: PartialUpload, at: int, chunk: bytes) -> None:
    """Append a chunk. For data it cannot read, a browser sends an empty chunk."""
    received = upload.data.tell()
    fits = at == received and received + len(chunk) <= upload.size
    if not fits or (not chunk and upload.size > 0):
        raise InputError(
            t(
                "The browser could not read all of {name}. Upload it again; for a folder, choose "
                "the files in it.",
                name=safe_name(upload.name),
            )
        )
    upload.data.write(chunk)
