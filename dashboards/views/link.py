"""The link that restores the view: in the address bar, behind a button, in the other language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import param

from dashboards.components.address import Address
from dashboards.state.session import Session
from dashboards.views.view import View
from xai_tf.narration.templates import LANGUAGES


class LinkView(View):
    """Keeps the link up to date with the session."""

    session = param.ClassSelector(class_=Session)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        session = self.session
        self._other = next(name for name in LANGUAGES if name != session.language)
        self._address = Address(
            language=self._other,
            language_name=LANGUAGES[self._other],
            translated=session.link(self._other),
            margin=(0, 8),
            align="center",
        )
        names = ["method", "target", "contrast", "layer", "seed", "settings"]
        for state, watched in (
            (session, ["tab"]),
            (session.workspace, ["file", "model", "window"]),
            (session.explorer, names),
            (session.comparison, ["methods", "across", "classes", "models"]),
            (session.layer_sweep, ["method", "left", "right"]),
        ):
            state.param.watch(self._follow, watched)

    @property
    def narrow(self) -> bool:
        """Whether the window is so narrow that the sidebar covers the page."""
        return self._address.narrow

    def on_dark(self, call: Callable[[], None]) -> None:
        """Call back if the system of the visitor prefers dark colors."""
        self._address.param.watch(lambda _: call(), "dark")

    def _follow(self, *_: Any) -> None:
        session = self.session
        self._address.param.update(query=session.link(), translated=session.link(self._other))

    def layout(self) -> pn.viewable.Viewable:
        """The button that copies the link."""
        return self._address
