"""What all views have in common."""

from __future__ import annotations

from typing import Any

import panel as pn


class View(pn.viewable.Viewer):
    """A view that lays itself out once, however often Panel asks for it."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._laid_out: pn.viewable.Viewable | None = None

    def layout(self) -> pn.viewable.Viewable:
        """Put the panes together."""
        raise NotImplementedError

    def __panel__(self) -> pn.viewable.Viewable:
        if self._laid_out is None:
            self._laid_out = self.layout()
        return self._laid_out
