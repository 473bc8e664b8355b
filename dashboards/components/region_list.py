"""The regions of a picture, each with its share of the evidence and a button to hide it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class RegionList(JSComponent):
    """Rows of regions: pointing at one shows it on the picture, its button hides it.

    Attributes:
        items: one dict per row: `value` (str, unique), `label`, `group`, `share` (0 to 1, of the
            evidence), `area` (0 to 1), `text` (both in words), and optionally `note` and `alarm`.
        hidden: the values of the rows that are hidden.
        pointed: the value of the row that is pointed at or in focus; "" for none.
        label: the accessible name of the list.
    """

    items = param.List(default=[], item_type=dict)
    hidden = param.List(default=[], item_type=str)
    pointed = param.String(default="")
    label = param.String(default="")

    _priority_changes: ClassVar = ["pointed"]  # Panel delays other changes by 50 ms
    _bundle = "region_list.js"
    _resources = {"js": ["dom.js"]}  # noqa: RUF012
    _stylesheets: ClassVar = [Path(__file__).with_name("region_list.css").read_text("utf-8")]

    def __init__(self, on_hide: Callable[[str], None], **params: Any) -> None:
        """`on_hide` is called with the value of a row whose button was pressed."""
        super().__init__(**{"sizing_mode": "stretch_width", "margin": (4, 8), **params})
        self._on_hide = on_hide

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("hide"), str):
            self._on_hide(data["hide"])
