"""A confusion matrix with cells that can be chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Matrix(JSComponent):
    """File counts by true and predicted class; each cell is a button, arrow keys move.

    Attributes:
        classes: the names of the classes, shown as text.
        counts: one row per true class, one column per predicted class.
        value: [true, predicted] of the chosen cell; empty for none. Set by the server and by the
            browser; choosing the same cell again clears it.
    """

    classes = param.List(default=[], item_type=str)
    counts = param.List(default=[], item_type=list)
    value = param.List(default=[], item_type=int)

    _bundle = "matrix.js"
    _resources = {"js": ["dom.js"]}  # noqa: RUF012
    _stylesheets = [Path(__file__).with_name("matrix.css").read_text("utf-8")]  # noqa: RUF012

    def __init__(self, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
