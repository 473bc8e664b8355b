"""Keyboard shortcuts of the page."""

from __future__ import annotations

from collections.abc import Callable

import param
from panel.custom import JSComponent

KEYS = {
    **{str(number): f"method {number}" for number in range(1, 10)},
    "ArrowLeft": "previous sample",
    "ArrowRight": "next sample",
    "?": "help",
}
CLIENT_KEYS = {"o": "overlay on or off", "m": "next view: original, overlay, map, swipe"}


class Shortcuts(JSComponent):
    """Calls `on_key` when a key of `KEYS` is pressed; takes no space on the page.

    The `CLIENT_KEYS` go directly to the attribution viewers. Keys are ignored while typing, in a
    menu, a slider or a dialog, and together with Ctrl, Alt or Meta.

    Args:
        on_key: called with the key.
    """

    enabled = param.Boolean(default=True, doc="Off for users of screen readers or speech input.")

    _bundle = "shortcuts.js"
    _constants = {"keys": list(KEYS)}  # noqa: RUF012

    def __init__(self, on_key: Callable[[str], None], **params: object) -> None:
        super().__init__(**{"width": 0, "height": 0, "margin": 0, **params})
        self._on_key = on_key

    def _handle_msg(self, data: object) -> None:
        if isinstance(data, str) and data in KEYS:
            self._on_key(data)
