"""A sound player with the browser's controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Player(JSComponent):
    """Plays a sound as soon as it changes; only one sound on a page plays at a time.

    Attributes:
        sound: data URL of a WAV; the player is hidden while it is empty.
        label: the accessible name of the player.
    """

    sound = param.String()
    label = param.String()

    _esm = Path(__file__).with_name("player.js")

    def __init__(self, **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (4, 8), **params})
