"""In words: the text from templates, and on request a text by a language model."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.components.select import Select
from dashboards.language import t
from dashboards.state.narrator import Narrator
from dashboards.views.text import paragraph
from dashboards.views.theme import card, words
from dashboards.views.view import Later


class NarrationView(pn.viewable.Viewer):
    """The card of the narration; its widgets belong to the parameters of the narrator."""

    narrator = param.ClassSelector(class_=Narrator)

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        narrator = self.narrator
        self._text = words(self._paragraphs)
        self._wanted = pmui.Switch.from_param(
            narrator.param.wanted, label=t("Add a text by a language model")
        )
        self._spoken = Later(self._parts, sizing_mode="stretch_width", margin=0)
        narrator.param.watch(self._show, "wanted")
        self._show()

    def _show(self, *_: object) -> None:
        if self.narrator.wanted:
            self._spoken.fill()

    def _parts(self) -> list[pn.viewable.Viewable]:
        """What belongs to the text by a language model."""
        narrator = self.narrator
        confirmed = pmui.Checkbox.from_param(
            narrator.param.confirmed,
            label=t(
                "I understand that a language model can be wrong and that its text is not a "
                "diagnosis"
            ),
            visible=self._needs_confirmation,
        )
        model = Select.from_param(
            narrator.param.model,
            label=t("Language model"),
            width=240,
            visible=self._has_models,
        )
        start = pmui.Button(
            label=t("Write"),
            icon="edit_note",
            disabled=self._cannot_start,
            visible=self._has_models,
            on_click=lambda _: narrator.start(),
        )
        stop = pmui.Button(
            label=t("Stop"),
            icon="stop",
            color="error",
            variant="outlined",
            visible=self._speaking,
            on_click=lambda _: narrator.stop(),
        )
        retry = pmui.Button(
            label=t("Retry"),
            icon="refresh",
            variant="outlined",
            visible=self._can_retry,
            on_click=lambda _: narrator.find_models(),
        )
        shown: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (4, 8)}
        return [
            confirmed,
            pn.FlexBox(model, start, stop, retry, gap="8px", align_items="center"),
            Live(paragraphs=self._status_lines, **shown),
            Live(paragraphs=self._voice_lines, variant="said", **shown),
            Live(paragraphs=self._withheld_lines, variant="warning", **shown),
            words(self._label_lines),
        ]

    @param.depends("narrator.text")
    def _paragraphs(self) -> str:
        *paragraphs, disclaimer = self.narrator.text or ("",)
        html = "".join(paragraph(text) for text in paragraphs)
        return html + paragraph(disclaimer, "note")

    @param.depends("narrator.sentences", "narrator.medical")
    def _label_lines(self) -> str:
        lines = (self.narrator.label(), self.narrator.disclaimer())
        return "".join(paragraph(text, "note") for text in lines if lines[0])

    @param.depends("narrator.status", "narrator.refused", "narrator.model")
    def _status_lines(self) -> list[str]:
        lines = (self.narrator.message(), self.narrator.left_out_message())
        return [text for text in lines if text and self.narrator.wanted]

    @param.depends("narrator.sentences")
    def _voice_lines(self) -> list[str]:
        return list(self.narrator.sentences)

    @param.depends("narrator.withheld")
    def _withheld_lines(self) -> list[str]:
        return list(filter(None, [self.narrator.withheld_message()]))

    @param.depends("narrator.wanted", "narrator.medical")
    def _needs_confirmation(self) -> bool:
        return self.narrator.wanted and self.narrator.medical

    @param.depends("narrator.wanted", "narrator.status")
    def _has_models(self) -> bool:
        return self.narrator.wanted and bool(self.narrator.param.model.objects)

    @param.depends(
        "narrator.status",
        "narrator.facts",
        "narrator.model",
        "narrator.confirmed",
        "narrator.medical",
    )
    def _cannot_start(self) -> bool:
        return self.narrator.speaking or not self.narrator.may_speak

    @param.depends("narrator.status")
    def _speaking(self) -> bool:
        return self.narrator.speaking

    @param.depends("narrator.wanted", "narrator.status")
    def _can_retry(self) -> bool:
        return self.narrator.wanted and self.narrator.status in (
            "not_running",
            "no_model",
            "not_ollama",
            "not_pulled",
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return card(t("In words"), self._text, self._wanted, self._spoken)
