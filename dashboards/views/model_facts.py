"""The model: how well it did on test files, and how fast it is here."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.language import library_text, number, t
from dashboards.state.workspace import Workspace
from dashboards.views.classes import model_title
from dashboards.views.text import paragraph
from dashboards.views.theme import section, words
from dashboards.views.view import View


class ModelFactsView(View):
    """The test results and the speed of the current model."""

    workspace = param.ClassSelector(class_=Workspace)

    def _describe(self, model: Any, facts: Any) -> str:
        if model is None:
            none = not self.workspace.models
            text = t("There is no model on this server. Restart it with --models FOLDER.")
            return paragraph(text, "error") if none else paragraph(t("No model yet."), "note")
        state = t("Loading.")
        if facts is not None:
            state = t(
                "{height} x {width} pixels; forward pass {forward} ms, gradient pass {gradient} "
                "ms.",
                height=facts.image_size[0],
                width=facts.image_size[1],
                forward=number(1000 * facts.forward_seconds, ".0f"),
                gradient=number(1000 * facts.gradient_seconds, ".0f"),
            )
        device = self.workspace.service.status().device
        running = t("Running on {device}.", device=device) if device else ""
        summary = paragraph(f"{model_title(model)} ({model.name}). {library_text(model.summary)}")
        return summary + paragraph(f"{state} {running}", "note")

    def layout(self) -> pn.viewable.Viewable:
        """The facts."""
        workspace = self.workspace
        text: Any = pn.bind(self._describe, workspace.param.model, workspace.param.facts)
        return section(t("Model"), words(text))
