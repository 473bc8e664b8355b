"""The base class of the views."""

from __future__ import annotations

from typing import Any

import panel as pn


class View(pn.viewable.Viewer):
    """A view whose layout is built once, however often Panel asks for it."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._laid_out: pn.viewable.Viewable | None = None

    def layout(self) -> pn.viewable.Viewable:
        """Build the layout from the panes."""
        raise NotImplementedError

    def __panel__(self) -> pn.viewable.Viewable:
        if self._laid_out is None:
            self._laid_out = self.layout()
        return self._laid_out
