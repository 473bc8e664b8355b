"""A list to choose one of, with pictures, bars and notes where words alone say too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Choices(JSComponent):
    """Radio buttons that show what they stand for.

    Attributes:
        items: one dict a choice: `value` (str, unique), `label`, and where wanted `note` (a second
            line), `share` (0 to 1, drawn as a bar), `picture` (data URL), `badge`, `disabled`.
            Everything is shown as text.
        value: of the chosen one; "" for none. Set by either side.
        label: what is chosen, for screen readers.
        layout: "list", "bars" or "tiles".
    """

    items = param.List(default=[], item_type=dict)
    value = param.String(default="")
    label = param.String(default="")
    layout = param.Selector(default="list", objects=["list", "bars", "tiles"])

    _priority_changes: ClassVar = ["value"]  # Panel lets other changes wait for 50 ms
    _esm = Path(__file__).with_name("choices.js")
    _stylesheets: ClassVar = [Path(__file__).with_name("choices.css").read_text("utf-8")]

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
