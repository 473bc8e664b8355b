"""The methods as a strip of tiles below the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Filmstrip(JSComponent):
    """A toolbar of tiles: click one to show or compute it, point at it to preview it.

    Attributes:
        items: one dict per tile: `value` (str, unique), `label`, and optionally `note`, `badge`,
            `picture` (data URL), `star` (recommended) and `disabled`. All is shown as text.
        value: the value of the tile that is shown large.
        hovered: the value of the tile the pointer rests on; "" for none.
        running: the value of the tile that is being computed; "" for none.
        progress: its share done, 0 to 1; -1 while it waits.
        stops: how often Stop was pressed.
        label: the accessible name of the toolbar.
    """

    items = param.List(default=[], item_type=dict)
    value = param.String(default="")
    hovered = param.String(default="")
    running = param.String(default="")
    progress = param.Number(default=-1.0, bounds=(-1, 1))
    stops = param.Integer(default=0)
    label = param.String(default="")

    _priority_changes: ClassVar = ["hovered", "stops"]  # Panel delays other changes by 50 ms
    _bundle = "filmstrip.js"
    _resources = {"js": ["dom.js"]}  # noqa: RUF012
    _stylesheets: ClassVar = [Path(__file__).with_name("filmstrip.css").read_text("utf-8")]

    def __init__(self, on_choice: Callable[[str], None], **params: Any) -> None:
        """`on_choice` is called with the value of a tile that was clicked, also if it is shown."""
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
        self._on_choice = on_choice

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("chosen"), str):
            self._on_choice(data["chosen"])
