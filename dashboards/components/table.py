"""A table that sorts, follows live data without jumping, and whose rows can be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class Table(JSComponent):
    """Rows under columns that sort; the first cell of a row is a button that chooses it.

    Attributes:
        columns: one dict a column: `name` (in the rows), `label`, and where it holds `number`s
            their `digits` after the point, or `percent`. Everything is shown as text.
        rows: one dict a row. The value of the first column is text and names the row.
        value: of the first column in the chosen row; "" for none. Set by either side.
        label: what the table shows, for screen readers.
    """

    columns = param.List(default=[], item_type=dict)
    rows = param.List(default=[], item_type=dict)
    value = param.String(default="")
    label = param.String(default="")

    _esm = Path(__file__).with_name("table.js")
    _stylesheets: ClassVar[list[str]] = [Path(__file__).with_name("table.css").read_text("utf-8")]

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
