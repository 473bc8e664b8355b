"""Help: a short tour for the first visit, and the keys."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboards.views.text import bullets, facts, heading, paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.narration.notices import MEDICAL

STEPS = (
    "Drop a file, record a sound, or take a sample. The model says what it is, and Grad-CAM shows "
    "where it looked.",
    "Choose a class to see what speaks for it. Choose another method: quick ones start by "
    "themselves, slow ones say first what they cost.",
    "Red speaks for the class, blue against it, white is zero. Unsigned maps run from black to "
    "yellow. A map of no signal is shown as none.",
    "Compare puts methods, classes and models side by side and says in numbers how far they agree. "
    "If they disagree, believe none of them alone.",
    "A map shows what the network used, which need not be what a person would use, nor the truth.",
)
KEYS = (
    ("1 to 9", "the first nine methods"),
    ("O", "map over the picture, or the picture alone"),
    ("left, right", "the previous or the next file"),
    ("space", "play or pause, with the sound in focus"),
    ("?", "this help"),
)


class HelpView(View):
    """A drawer that opens by itself on the first visit."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        text = (
            paragraph("Why did the network say that? Five things to know.")
            + bullets(STEPS)
            + heading("Keys", 3)
            + facts(KEYS)
            + paragraph(MEDICAL, "note")
        )
        self._close = pmui.Button(label="Start", color="primary", variant="contained")
        self.drawer = pmui.Dialog(
            words(text), self._close, title="How this works", open=False, show_close_button=True
        )
        self._close.on_click(lambda _: self.hide())

    def show(self) -> None:
        """Open it."""
        self.drawer.open = True

    def hide(self) -> None:
        """Close it."""
        self.drawer.open = False

    def layout(self) -> pn.viewable.Viewable:
        return self.drawer
