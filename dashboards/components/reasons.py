"""A list of reasons, each with buttons for what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

MAX_REASONS = 99


class Reasons(JSComponent):
    """A list of sentences with a mark of their severity and up to two buttons.

    Args:
        on_press: called with ("remedy" or "region", the number of the reason from 0).

    Attributes:
        items: one dict per reason: `text`, `severity` (a name in `xai_tf.trust.SEVERITIES`), `word`
            (the severity as a word), and the labels of its buttons, `remedy` and `region`, empty
            for none. Everything is shown as text.
        label: the accessible name of the list.
    """

    items = param.List(default=[], item_type=dict)
    label = param.String(default="")

    _bundle = "reasons.js"
    _resources: ClassVar = {"js": ["dom.js"]}
    _stylesheets: ClassVar[list[str]] = [Path(__file__).with_name("reasons.css").read_text("utf-8")]

    def __init__(self, on_press: Callable[[str, int], None], **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (4, 8), **params})
        self._on_press = on_press

    def _handle_msg(self, data: object) -> None:
        match data:
            case {"button": "remedy" | "region" as button, "number": int(number)} if (
                0 <= number < MAX_REASONS
            ):
                self._on_press(button, number)
