"""A single choice from a list of items with pictures, bars and notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Choices(JSComponent):
    """Radio buttons with pictures, bars and notes.

    Attributes:
        items: one dict per choice: `value` (str, unique), `label`, and optionally `note` (a second
            line), `share` (0 to 1, drawn as a bar), `picture` (data URL), `badge`, `disabled`.
            Everything is shown as text, never as markup.
        value: the value of the chosen item; "" for none. Set by the server and by the browser.
        label: the accessible name of the group.
        layout: "list", "bars", "tiles", or "sheet" of larger tiles.
    """

    items = param.List(default=[], item_type=dict)
    value = param.String(default="")
    label = param.String(default="")
    layout: param.Selector[str] = param.Selector(
        default="list", objects=["list", "bars", "tiles", "sheet"]
    )

    _priority_changes: ClassVar = ["value"]  # Panel delays other changes by 50 ms
    _bundle = "choices.js"
    _resources: ClassVar = {"js": ["dom.js"]}
    _stylesheets: ClassVar = [Path(__file__).with_name("choices.css").read_text("utf-8")]

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
