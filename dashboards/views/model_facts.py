"""The model: how well it did on test files, and how fast it is here."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.state.workspace import Workspace
from dashboards.views.text import paragraph
from dashboards.views.theme import section, words
from dashboards.views.view import View


class ModelFactsView(View):
    """The test results and the speed of the current model."""

    workspace = param.ClassSelector(class_=Workspace)

    def _describe(self, model: Any, facts: Any) -> str:
        if model is None:
            none = not self.workspace.models
            text = "There is no model on this server. Restart it with --models FOLDER."
            return paragraph(text, "error") if none else paragraph("No model yet.", "note")
        state = "Loading"
        if facts is not None:
            state = (
                f"{facts.image_size[0]} x {facts.image_size[1]} pixels; "
                f"forward pass {1000 * facts.forward_seconds:.0f} ms, "
                f"gradient pass {1000 * facts.gradient_seconds:.0f} ms"
            )
        device = self.workspace.service.status().device
        device_text = f" Running on {device}." if device else ""
        summary = paragraph(f"{model.title} ({model.name}). {model.summary}")
        return summary + paragraph(f"{state}.{device_text}", "note")

    def layout(self) -> pn.viewable.Viewable:
        """The facts."""
        workspace = self.workspace
        text: Any = pn.bind(self._describe, workspace.param.model, workspace.param.facts)
        return section("Model", words(text))
