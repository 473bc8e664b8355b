"""The page's keys."""

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
CLIENT_KEYS = {"o": "overlay on or off", "m": "next of original, overlay, map, swipe"}


class Shortcuts(JSComponent):
    """Calls `on_key` with an entry of `KEYS` that was pressed; takes no room on the page.

    What needs no server, `CLIENT_KEYS`, goes to the stages directly. Keys pressed while typing, in
    a menu, a slider or a dialog, or with Ctrl, Alt or Meta are left alone.

    Args:
        on_key: called with the key.
    """

    enabled = param.Boolean(default=True, doc="Screen readers and speech need keys for themselves.")

    _bundle = "shortcuts.js"
    _constants = {"keys": list(KEYS)}  # noqa: RUF012

    def __init__(self, on_key: Callable[[str], None], **params: object) -> None:
        super().__init__(**{"width": 0, "height": 0, "margin": 0, **params})
        self._on_key = on_key

    def _handle_msg(self, data: object) -> None:
        if isinstance(data, str) and data in KEYS:
            self._on_key(data)
