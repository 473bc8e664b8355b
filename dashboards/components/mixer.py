"""Buttons that choose the part of a sound to play, and solo or mute its regions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

MAX_NUMBER = 99  # of regions


class Mixer(JSComponent):
    """Toggle buttons for parts, and a table of regions with two buttons each.

    Args:
        on_press: called with (part, 0), or with ("solo" or "mute", number of the region).

    Attributes:
        parts: one dict per button: `value` and `label`.
        regions: one dict per row: `where` and `share`; the first region has number 1.
        part: the value of the pressed button, or "solo" or "mute".
        chosen: the numbers of the regions that are soloed or muted.
        disabled: whether there is nothing to play yet.
    """

    parts = param.List(default=[], item_type=dict)
    regions = param.List(default=[], item_type=dict)
    part = param.String()
    chosen = param.List(default=[], item_type=int)
    disabled = param.Boolean()

    _bundle = "mixer.js"
    _resources: ClassVar = {"js": ["dom.js"]}
    _stylesheets: ClassVar[list[str]] = [Path(__file__).with_name("mixer.css").read_text("utf-8")]

    def __init__(self, on_press: Callable[[str, int], None], **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (4, 8), **params})
        self._on_press = on_press

    def _handle_msg(self, data: object) -> None:
        match data:
            case {"part": str(part), "number": int(number)} if 0 <= number <= MAX_NUMBER:
                self._on_press(part, number)
