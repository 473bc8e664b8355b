"""Help: a short introduction for the first visit, and the keyboard shortcuts."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboards.views.text import bullets, facts, heading, paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.narration.notices import MEDICAL

STEPS = (
    "Drop a file, record a sound, or choose a sample. The model predicts its class, and Grad-CAM "
    "shows which part of the input supports that class.",
    "Choose another class to explain it, or choose another method. Quick methods start "
    "automatically; slow ones show their cost first.",
    "Red is evidence for the class, blue is evidence against it, white is zero. Unsigned maps run "
    "from black (weak) to yellow (strong). A map without signal is marked as such.",
    "The Compare tab shows methods, classes and models side by side and measures how far they "
    "agree. If they disagree, do not rely on any one of them.",
    "A map shows what the network used. That may differ from what a person would use, and it can "
    "be wrong.",
)
KEYS = (
    ("1 to 9", "the first nine methods"),
    ("O", "show or hide the map over the picture"),
    ("M", "next view: original, overlay, map, swipe"),
    ("left, right", "the previous or the next file"),
    ("space", "play or pause, with the sound in focus"),
    ("?", "this help"),
)


class HelpView(View):
    """A dialog that opens automatically on the first visit."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        text = (
            paragraph("Why did the network predict that? Five things to know:")
            + bullets(STEPS)
            + heading("Keyboard shortcuts", 3)
            + facts(KEYS)
            + paragraph(MEDICAL, "note")
        )
        self._close = pmui.Button(label="Start", color="primary", variant="contained")
        self.dialog = pmui.Dialog(
            words(text),
            self._close,
            title="How this works",
            open=False,
            show_close_button=True,
            close_on_click=True,
        )
        self._close.on_click(lambda _: self.close())

    def open(self) -> None:
        """Open the dialog."""
        self.dialog.open = True

    def close(self) -> None:
        """Close the dialog."""
        self.dialog.open = False

    def layout(self) -> pn.viewable.Viewable:
        """The dialog."""
        return self.dialog
