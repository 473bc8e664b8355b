"""A confusion matrix whose cells can be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Matrix(JSComponent):
    """Files by truth and by what they were called; a cell is a button, arrows move among them.

    Attributes:
        classes: their names, shown as text.
        counts: rows are the truth, columns what files were called.
        value: [true, called] of the chosen cell; empty for none. Set by either side; choosing the
            same cell again empties it.
    """

    classes = param.List(default=[], item_type=str)
    counts = param.List(default=[], item_type=list)
    value = param.List(default=[], item_type=int)

    _esm = Path(__file__).with_name("matrix.js")
    _stylesheets = [Path(__file__).with_name("matrix.css").read_text("utf-8")]  # noqa: RUF012

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
