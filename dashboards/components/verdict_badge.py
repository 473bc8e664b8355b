"""A button that says in a word how far a map can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Badge(JSComponent):
    """A button with a word, a color and an icon.

    Args:
        on_press: called when the button is pressed.

    Attributes:
        level: a name in `xai_tf.trust.LEVELS`, or "" while there is none; then it is hidden.
        word: the level as a word.
        label: what the word is about; with the word, the accessible name.
        description: a tooltip.
    """

    level = param.String(default="")
    word = param.String(default="")
    label = param.String(default="")
    description = param.String(default="")

    _esm = Path(__file__).with_name("verdict_badge.js")
    _stylesheets: ClassVar[list[str]] = [
        Path(__file__).with_name("verdict_badge.css").read_text("utf-8")
    ]

    def __init__(self, on_press: Callable[[], None], **params: Any) -> None:
        super().__init__(**{"margin": (4, 8), **params})
        self._on_press = on_press

    def _handle_msg(self, data: object) -> None:
        if data == "press":
            self._on_press()
