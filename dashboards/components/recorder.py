"""Recording from the visitor's microphone."""

from __future__ import annotations

from collections.abc import Callable

import param

from dashboards.components.chunked_upload import FileField
from dashboards.files.uploads import Limits

SECONDS = 60
MAX_BYTES = 44 + SECONDS * 192_000 * 2  # at the highest sample rate of sound cards


class Recorder(FileField):
    """A button that records.

    The browser writes an uncompressed WAV (16 bit, mono, at the rate of its sound card), because
    compression would leave artifacts in the sound.

    Args:
        on_file: called with the name and the bytes of each complete recording.
    """

    seconds = param.Number(default=SECONDS, bounds=(1, SECONDS), doc="Maximum length in seconds.")

    _bundle = "recorder.js"

    def __init__(self, on_file: Callable[[str, bytes], None], **params: object) -> None:
        limits = Limits(sound_bytes=MAX_BYTES, picture_bytes=0, files=2)
        super().__init__(limits, on_file, **params)
