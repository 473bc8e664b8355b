"""What if: the card that hides parts of the input, and shows the answer before and after."""

from __future__ import annotations

from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.language import mark, number, t
from dashboards.service.hiding import WhatIf
from dashboards.service.requests import TRIM
from dashboards.state.what_if import WhatIfEditor
from dashboards.turns import once_a_turn
from dashboards.views.text import paragraph
from dashboards.views.theme import section, words
from dashboards.views.view import View
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction

FILL_TITLES = {
    mark("Erase"): "erase",
    mark("Blur"): "blur",
    mark("Mean color"): "mean",
    mark("Trim"): TRIM,
}
HOW = mark(
    "Draw a box or a stroke on the picture: where the answer changes, the model needs what was "
    "there. Something erased is itself a thing the model has never seen, so try a blur, too."
)
HOW_TO_TRIM = mark(
    "Trim cuts the marked times out of the recording and joins the rest; with “Hide everything "
    "else instead”, only the marked times are left."
)
SHOWN = 4  # classes


class WhatIfView(View):
    """Tools to mark a part, how it is hidden, and the answer without it."""

    editor = param.ClassSelector(class_=WhatIfEditor)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        editor = self.editor
        group: dict[str, Any] = {"size": "small", "margin": (4, 8)}
        self._fill = pmui.RadioButtonGroup(
            label=t("Hide by"), options=self._fills(), value=editor.fill, **group
        )
        self._keep = pmui.Switch(label=t("Hide everything else instead"), value=editor.keep)
        self._tenth = pmui.Button(
            label=t("Hide the strongest tenth of the map"), variant="outlined", size="small"
        )
        self._undo = pmui.Button(label=t("Undo"), icon="undo", variant="text", size="small")
        self._clear = pmui.Button(label=t("Show all again"), variant="text", size="small")
        self._how_to_trim = words(paragraph(t(HOW_TO_TRIM), "note"), visible=False)
        self._answer = words(pn.bind(what_if_words, editor.param.result))
        self._problem = Live(variant="error", urgent=True, sizing_mode="stretch_width")
        self._fill.param.watch(lambda event: setattr(editor, "fill", event.new), "value")
        self._keep.param.watch(lambda event: setattr(editor, "keep", event.new), "value")
        self._tenth.on_click(lambda _: setattr(editor, "strongest", not editor.strongest))
        self._undo.on_click(lambda _: editor.undo())
        self._clear.on_click(lambda _: editor.clear())
        editor.param.watch(
            self._show, ["shapes", "regions", "strongest", "result", "problem", "keep", "fill"]
        )
        editor.explorer.param.watch(self._show, "explanation")
        editor.explorer.workspace.param.watch(self._show, ["reading", "window"])
        self._show()

    def _fills(self) -> dict[str, str]:
        fills = self.editor.fills
        return {t(title): fill for title, fill in FILL_TITLES.items() if fill in fills}

    @once_a_turn
    def _show(self) -> None:
        editor = self.editor
        if self._fill.options != self._fills():
            self._fill.param.update(options=self._fills(), value=editor.fill)
        self._fill.value = editor.fill
        self._how_to_trim.visible = TRIM in editor.fills
        self._keep.value = editor.keep
        self._undo.visible, self._clear.visible = bool(editor.shapes), editor.marked
        self._tenth.visible = editor.explorer.explanation is not None
        self._tenth.label = (
            t("Show the strongest tenth again")
            if editor.strongest
            else t("Hide the strongest tenth of the map")
        )
        self._problem.paragraphs = [editor.problem] if editor.problem else []

    def layout(self) -> pn.viewable.Viewable:
        """The tools, and the answer."""
        return section(
            t("What if this were hidden?"),
            words(paragraph(t(HOW), "note")),
            self._fill,
            self._how_to_trim,
            pn.FlexBox(self._tenth, self._undo, self._clear, gap="8px", margin=(4, 8)),
            self._keep,
            self._answer,
            self._problem,
        )


def what_if_words(result: WhatIf | None) -> str:
    """The probabilities before and after as a table, and what follows from them."""
    if result is None:
        return ""
    before, after = result.before, result.after
    labels = list(dict.fromkeys((*before.ranked[:SHOWN], *after.ranked[:2])))
    titles = (t("Class"), t("Before"), t("After"))
    heads = "".join(f"<th scope=col>{escape(title)}" for title in titles)
    rows = "".join(
        f"<tr><th scope=row>{escape(readable(before.classes[label]))}"
        f"<td>{_bar(before, label)}<td>{_bar(after, label)}</tr>"
        for label in labels
    )
    return (
        paragraph(what_if_sentence(result))
        + f"<table><thead><tr>{heads}</tr></thead>{rows}</table>"
    )


def _bar(prediction: Prediction, label: int) -> str:
    share = float(prediction.probabilities[label])
    text = number(share, ".1%")
    return f'<meter value="{share:.4f}">{text}</meter> {text}'


def what_if_sentence(result: WhatIf) -> str:
    """Whether the answer follows what is hidden, in a sentence."""
    before, after = result.before, result.after
    label, share = before.label, number(result.share, ".0%")
    if result.trimmed:
        hidden = t("Without {share} of the recording", share=share)
    else:
        hidden = t("Without {share} of the picture", share=share)
    old, new = (number(each.probabilities[label], ".1%") for each in (before, after))
    if after.label != label and not before.multi_label:
        return t(
            "{hidden}, the answer becomes {after}: {before} {old} → {new}.",
            hidden=hidden,
            after=readable(after.name),
            before=readable(before.name),
            old=old,
            new=new,
        )
    return t(
        "{hidden}, the answer stays {before}: {old} → {new}.",
        hidden=hidden,
        before=readable(before.name),
        old=old,
        new=new,
    )
