"""Sound from the visitor's microphone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboards.components.pieces import FileField
from dashboards.uploads import Limits

SECONDS = 60
MAX_BYTES = 44 + SECONDS * 192_000 * 2  # at the highest rate of sound cards


class Recorder(FileField):
    """A button that records; `wav` is set once a recording is whole.

    The browser writes the WAV itself (16 bits, mono, at the rate of its sound card), because what
    it would compress would not be what was heard.
    """

    wav = param.Bytes(doc="The latest recording, a WAV file; none if there is none.")
    seconds = param.Number(default=SECONDS, bounds=(1, SECONDS), doc="Recording stops after these.")

    _bundle = "recorder.js"
    # It came from the browser: no need to send it back.
    _rename: ClassVar[Mapping[str, str | None]] = {"wav": None}

    def __init__(self, **params: object) -> None:
        limits = Limits(sound_bytes=MAX_BYTES, picture_bytes=0, files=2)
        super().__init__(limits, self._keep, **params)

    def _keep(self, _: str, data: bytes) -> None:
        self.wav = data
