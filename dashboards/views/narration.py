"""In words: the text from templates, and on request a text by a language model."""

from __future__ import annotations

from html import escape

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.state.narrator import Narrator
from dashboards.views.text import paragraph
from dashboards.views.theme import card, words


class NarrationView(pn.viewable.Viewer):
    """The card of the narration; its widgets belong to the parameters of the narrator."""

    narrator = param.ClassSelector(class_=Narrator)

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        narrator = self.narrator
        self._text = words(self._paragraphs)
        self._language = pmui.RadioButtonGroup.from_param(
            narrator.param.language, size="small", align="end", margin=(0, 8)
        )
        self._wanted = pmui.Switch.from_param(narrator.param.wanted)
        self._confirmed = pmui.Checkbox.from_param(
            narrator.param.confirmed, visible=self._needs_confirmation
        )
        self._model = pmui.Select.from_param(
            narrator.param.model, size="small", min_width=180, visible=self._has_models
        )
        self._start = pmui.Button(
            label="Write",
            icon="edit_note",
            disabled=self._cannot_start,
            visible=self._has_models,
            on_click=lambda _: narrator.start(),
        )
        self._stop = pmui.Button(
            label="Stop",
            icon="stop",
            color="error",
            variant="outlined",
            visible=self._speaking,
            on_click=lambda _: narrator.stop(),
        )
        self._retry = pmui.Button(
            label="Retry",
            icon="refresh",
            variant="outlined",
            visible=self._can_retry,
            on_click=lambda _: narrator.find_models(),
        )
        language, shown = (
            narrator.param.language,
            {"sizing_mode": "stretch_width", "margin": (4, 8)},
        )
        self._status = Live(paragraphs=self._status_lines, language=language, **shown)
        self._voice = Live(paragraphs=self._voice_lines, language=language, variant="said", **shown)
        self._withheld = Live(
            paragraphs=self._withheld_lines, language=language, variant="warning", **shown
        )
        self._label = words(self._label_lines)

    @param.depends("narrator.text", "narrator.language")
    def _paragraphs(self) -> str:
        *paragraphs, disclaimer = self.narrator.text or ("",)
        html = "".join(paragraph(text) for text in paragraphs)
        return self._in_language(html + paragraph(disclaimer, "note"))

    @param.depends("narrator.sentences", "narrator.language", "narrator.medical")
    def _label_lines(self) -> str:
        lines = (self.narrator.label(), self.narrator.disclaimer())
        return self._in_language("".join(paragraph(text, "note") for text in lines if lines[0]))

    @param.depends("narrator.status", "narrator.refused", "narrator.language", "narrator.model")
    def _status_lines(self) -> list[str]:
        lines = (self.narrator.message(), self.narrator.left_out_message())
        return [text for text in lines if text and self.narrator.wanted]

    @param.depends("narrator.sentences")
    def _voice_lines(self) -> list[str]:
        return list(self.narrator.sentences)

    @param.depends("narrator.withheld", "narrator.language")
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

    def _in_language(self, html: str) -> str:
        return html and f'<div lang="{escape(self.narrator.language)}">{html}</div>'

    def __panel__(self) -> pn.viewable.Viewable:
        buttons = pn.FlexBox(
            self._model, self._start, self._stop, self._retry, gap="8px", align_items="center"
        )
        return card(
            "In words",
            self._language,
            self._text,
            self._wanted,
            self._confirmed,
            buttons,
            self._status,
            self._voice,
            self._withheld,
            self._label,
        )
