"""The watch over the page's connection to its server."""

from __future__ import annotations

from typing import ClassVar

from panel.custom import JSComponent


class Connection(JSComponent):
    """Says so when the server cannot be reached, and opens the page again when it can.

    It takes no space: the bar it shows lies over the top of the page. The page is loaded anew
    instead of joined again, because after a restart its session is gone; the address holds the
    view.
    """

    _bundle = "connection.js"
    _resources: ClassVar = {"js": ["dom.js"]}

    def __init__(self, **params: object) -> None:
        super().__init__(**{"width": 0, "height": 0, "margin": 0, **params})
