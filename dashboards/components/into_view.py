"""A place on the page that the server can scroll to."""

from __future__ import annotations

import param
from panel.custom import JSComponent


class IntoView(JSComponent):
    """Nothing to see; `come` scrolls the page to where it stands.

    Attributes:
        shown: how often the page was scrolled here.
    """

    shown = param.Integer(default=0)

    _esm = """
    export function render({ model, el }) {
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      model.on("shown", () => {
        el.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
      });
    }
    """

    def come(self) -> None:
        """Scroll the page here."""
        self.shown += 1
