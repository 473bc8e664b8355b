"""A panel that is a sheet at the bottom of a narrow window."""

from __future__ import annotations

from typing import Any, ClassVar

import param
from panel.custom import JSComponent


class SheetHandle(JSComponent):
    """The handle of the sheet it is put into: opens it, closes it, and marks it `open`.

    A click on the head of the closed sheet opens it as well. In a wide window it is not seen.

    Attributes:
        opened: the sheet opens whenever this number grows.
    """

    opened = param.Integer(default=0)

    _bundle = "sheet.js"
    _resources: ClassVar = {"js": ["dom.js"]}

    def __init__(self, **params: Any) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", "margin": 0, **params})
