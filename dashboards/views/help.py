"""Help: a short introduction, and the keyboard shortcuts."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboards.language import mark, t
from dashboards.views.text import bullets, facts, heading, paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.narration.notices import MEDICAL

STEPS = (
    mark(
        "Drop a file, record a sound, or choose a sample. The page finds the model that knows such "
        "files; its answer and a first map follow by themselves."
    ),
    mark(
        "The strip below the picture holds the methods. Point at one to preview it, click it to "
        "compute it; the time it takes is written on it. Stop keeps what there is."
    ),
    mark(
        "Red is evidence for the class, blue is evidence against it, white is zero. Unsigned maps "
        "run from black (weak) to yellow (strong). A map without signal is marked as such."
    ),
    mark(
        "Draw a box or a stroke on the picture to hide that part: if the answer changes, the model "
        "needs it."
    ),
    mark(
        "The Compare tab shows methods, classes and models side by side and measures how far they "
        "agree. If they disagree, do not rely on any one of them."
    ),
    mark(
        "A map shows what the network used. That may differ from what a person would use, and it "
        "can be wrong."
    ),
)
KEYS = (
    (mark("1 to 9"), mark("the first nine methods")),
    ("O", mark("show or hide the map over the picture")),
    ("M", mark("next view: original, overlay, map, swipe")),
    (mark("left, right"), mark("the previous or the next file")),
    (mark("space"), mark("play or pause, with the sound in focus")),
    ("?", mark("this help")),
)


class HelpView(View):
    """A dialog that opens on request; Escape and a click outside close it."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        text = (
            paragraph(t("Why did the network predict that? Six things to know:"))
            + bullets(map(t, STEPS))
            + heading(t("Keyboard shortcuts"), 3)
            + facts((t(key), t(meaning)) for key, meaning in KEYS)
            + paragraph(t(MEDICAL), "note")
        )
        self._close = pmui.Button(label=t("Start"), color="primary", variant="contained")
        self.dialog = pmui.Dialog(
            words(text),
            self._close,
            title=t("How this works"),
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
