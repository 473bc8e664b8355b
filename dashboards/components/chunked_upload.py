"""Files that a browser sends in pieces, and a hostile one cannot fill the server's memory with."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from dashboards.files.uploads import MEGABYTE, Limits, safe_name
from xai_tf.errors import InputError

PIECE = 4 * 2**20  # bytes; the server takes five times as much in a message
LONGEST_TEXT = 1000  # of a name
LARGEST_NUMBER = 2**53  # that a browser counts to


@dataclass(frozen=True, eq=False)
class Arrival:
    """A file of which some is here, in one buffer however small its pieces are."""

    name: str
    size: int
    data: io.BytesIO = field(default_factory=io.BytesIO)


class FileField(JSComponent):
    """What sends files with `chunked_upload.js`.

    The browser says {"file": a number of its choice, "name", "size": of the whole, "at": where the
    piece begins, "data": its bytes}, the first time with at = 0. The answer {"file", "next"} is
    where the next piece begins, or None where the file is whole or was turned away.

    Args:
        limits: what may be sent; files count with all their bytes from their first piece on.
        on_file: called with the name and the bytes of each file that is whole.
    """

    largest = param.Integer(doc="Bytes of a file; of a larger one nothing but its size is sent.")
    problem = param.String(doc="Why a file was turned away last, for the visitor.")

    _resources: ClassVar = {"js": ["chunked_upload.js", "dom.js"]}
    _constants: ClassVar[dict[str, Any]] = {"piece": PIECE}
    _rename: ClassVar[Mapping[str, str | None]] = {"problem": None}

    def __init__(
        self, limits: Limits, on_file: Callable[[str, bytes], None], **params: Any
    ) -> None:
        super().__init__(**{"largest": limits.file_bytes, "sizing_mode": "stretch_width", **params})
        self._limits, self._on_file = limits, on_file
        self._arrivals: dict[int, Arrival] = {}

    def _handle_msg(self, data: Any) -> None:
        match data:
            case {
                "file": int(number),
                "name": str(name),
                "size": int(size),
                "at": int(at),
                "data": bytes(piece),
            } if _plausible(number, name, size):
                following, whole = self._take(number, name, size, at, piece)
                # Before the file is handed over: whatever fails there, the next one can come.
                self._send_msg({"file": number, "next": following})
                if whole:
                    self._on_file(whole.name, whole.data.getvalue())

    def _take(
        self, number: int, name: str, size: int, at: int, piece: bytes
    ) -> tuple[int | None, Arrival | None]:
        """Take a piece: where the next begins, None if there is to be none; the file if whole."""
        arrival = self._arrivals.pop(number, Arrival(name, 0))
        try:
            if at == 0:
                arrival = self._begin(name, size)
            _add(arrival, at, piece)
        except InputError as error:
            self.problem = ""  # the same words again are news, too
            self.problem = str(error)
            return None, None
        if at + len(piece) < arrival.size:
            self._arrivals[number] = arrival
            return at + len(piece), None
        return None, arrival

    def _begin(self, name: str, size: int) -> Arrival:
        """A new file, if there is room for all of it."""
        self._limits.check(name, size)
        held = sum(arrival.size for arrival in self._arrivals.values())
        room = self._limits.unfinished_bytes
        if held + size > room or len(self._arrivals) >= self._limits.files:
            raise InputError(
                f"{safe_name(name)} was turned away: more than {self._limits.files} files or "
                f"{room / MEGABYTE:g} MB were being sent at once. Send fewer or smaller files."
            )
        return Arrival(name, size)


def _plausible(number: int, name: str, size: int) -> bool:
    """Whether a browser can say this of a file."""
    return len(name) <= LONGEST_TEXT and all(
        0 <= value <= LARGEST_NUMBER and not isinstance(value, bool) for value in (number, size)
    )


def _add(arrival: Arrival, at: int, piece: bytes) -> None:
    """Add a piece to those before it. Of what it cannot read, a browser sends an empty one."""
    held = arrival.data.tell()
    fits = at == held and held + len(piece) <= arrival.size
    if not fits or (not piece and arrival.size > 0):
        raise InputError(
            f"{safe_name(arrival.name)} could not be read to its end by the browser. "
            "Give it again; of a folder, give its files."
        )
    arrival.data.write(piece)
