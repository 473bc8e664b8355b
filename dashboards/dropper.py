"""A place to drop files that a hostile browser cannot fill the server's memory with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import param

from dashboards.uploads import MEGABYTE, Limits, safe_name

LONGEST_TEXT = 1000  # of a name or a type
SMALLEST_PART = 10_000  # bytes that a part counts at least, so that there are no millions of them


class BoundedDropper(pn.widgets.FileDropper):
    """Panel's FileDropper, with a limit on what it holds: half-sent files and `value` together.

    Whoever takes the files from `value` sets it to {} again.
    """

    limits = param.ClassSelector(default=Limits(), class_=Limits, doc="What may be sent.")
    problem = param.String(doc="Why a file was turned away last, for the visitor.")

    _rename: ClassVar[Mapping[str, str | None]] = {"value": None, "limits": None, "problem": None}

    def _process_event(self, event: Any) -> None:
        data = event.data if isinstance(event.data, dict) else {}
        name = data.get("name")
        if not isinstance(name, str) or len(name) > LONGEST_TEXT:
            return
        if event.event_name == "upload_event":
            piece = self._file_buffer.get(name, []) if data.get("chunk") != 1 else []
            if not _continues(data, piece):  # what follows a file that was turned away, too
                self._file_buffer.pop(name, None)
                return
            if not self._fits(name, len(data["data"])):
                self._file_buffer.pop(name, None)
                self.problem = ""
                self.problem = (
                    f"{safe_name(name)} was turned away: more than "
                    f"{self.limits.unfinished_bytes / MEGABYTE:g} MB were being sent at once. "
                    "Send fewer or smaller files."
                )
                return
        super()._process_event(event)
        self.mime_type.clear()  # would grow with every name; nobody asks what a file claims to be

    def _fits(self, name: str, size: int) -> bool:
        """Whether `size` more bytes, of a new file perhaps, can be held."""
        parts = [part for parts in self._file_buffer.values() for part in parts]
        held = sum(max(len(part), SMALLEST_PART) for part in parts)
        held += sum(len(whole) for whole in self.value.values())
        num_names = len({name, *self._file_buffer, *self.value})
        return held + size <= self.limits.unfinished_bytes and num_names <= self.limits.files


def _continues(data: dict[str, Any], parts: list[bytes]) -> bool:
    """Whether a message is the next part of a file of which `parts` are here."""
    return (
        isinstance(data.get("data"), bytes | memoryview)
        and isinstance(data.get("type"), str)
        and len(data["type"]) <= LONGEST_TEXT
        and isinstance(data.get("total_chunks"), int)
        and data.get("chunk") == len(parts) + 1
        and data["chunk"] <= data["total_chunks"]
    )
