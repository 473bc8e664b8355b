"""Sound from the visitor's microphone."""

from __future__ import annotations

import base64
import binascii

import param
from panel.custom import JSComponent

SECONDS = 60
CHUNK = 384 * 1024  # bytes a message, half a megabyte as base64: the server's limit is far off
MAX_BYTES = 44 + SECONDS * 192_000 * 2  # at the highest rate of sound cards


class Recorder(JSComponent):
    """A button that records; `wav` is set once a recording is whole.

    The browser writes the WAV itself (16 bits, mono, at the rate of its sound card), because what
    it would compress would not be what was heard. It arrives in pieces.
    """

    wav = param.Bytes(doc="The latest recording, a WAV file; none if there is none.")
    seconds = param.Number(default=SECONDS, bounds=(1, SECONDS), doc="Recording stops after these.")

    _bundle = "recorder.js"
    _constants = {"chunk": CHUNK}  # noqa: RUF012
    _rename = {"wav": None}  # noqa: RUF012  # it came from the browser: no need to send it back

    def __init__(self, **params: object) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", **params})
        self._pieces: list[bytes] = []

    def _handle_msg(self, data: object) -> None:
        """Take a piece: {"piece": base64, "number": from 0, "last": whether it is the last}."""
        if not isinstance(data, dict):
            return
        try:
            piece = base64.b64decode(data["piece"], validate=True)
            number, last = int(data["number"]), bool(data["last"])
        except (KeyError, TypeError, ValueError, binascii.Error):
            self._pieces = []
            return
        if number == 0:
            self._pieces = []
        size = sum(map(len, self._pieces)) + len(piece)
        if number != len(self._pieces) or size > MAX_BYTES:
            self._pieces = []
            return
        self._pieces.append(piece)
        if last:
            recording, self._pieces = b"".join(self._pieces), []
            self.param.update(wav=recording)
