"""A sound to listen to, with the browser's own controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Player(JSComponent):
    """Plays a sound as soon as it changes; only one sound of a page plays at a time.

    Attributes:
        sound: data URL of a WAV; hidden while it is empty.
        label: what is heard, for screen readers.
    """

    sound = param.String()
    label = param.String()

    _esm = Path(__file__).with_name("player.js")

    def __init__(self, **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (4, 8), **params})
