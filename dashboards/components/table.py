"""A table that sorts, stays steady while data changes, and whose rows can be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Table(JSComponent):
    """A table with sortable columns; the first cell of a row is a button that chooses it.

    Attributes:
        columns: one dict per column: `name` (the key in the rows), `label`, and for numbers
            `number` with the `digits` after the point, or `percent`; for words `words`, what is
            shown for each value. Everything is shown as text.
        rows: one dict per row. The value of the first column is a text that identifies the row.
        value: the first column of the chosen row; "" for none. Set by the server and by the
            browser.
        label: the accessible name of the table.
    """

    columns = param.List(default=[], item_type=dict)
    rows = param.List(default=[], item_type=dict)
    value = param.String(default="")
    label = param.String(default="")

    _bundle = "table.js"
    _resources: ClassVar = {"js": ["dom.js"]}
    _stylesheets: ClassVar[list[str]] = [Path(__file__).with_name("table.css").read_text("utf-8")]

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
