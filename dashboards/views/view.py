"""The base class of the views."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


class Later(pn.viewable.Viewer):
    """A place for parts that are built when they are first needed: most visitors need only a few.

    Args:
        build: makes the parts.
        place: the layout of the place, as for `panel.Column`.
    """

    def __init__(self, build: Callable[[], Iterable[Any]], **place: Any) -> None:
        super().__init__()
        self._build: Callable[[], Iterable[Any]] | None = build
        self._place = pn.Column(**place)

    def fill(self) -> None:
        """Build the parts, unless they are there."""
        if self._build is not None:
            build, self._build = self._build, None
            self._place.extend(build())

    def __panel__(self) -> pn.viewable.Viewable:
        return self._place
