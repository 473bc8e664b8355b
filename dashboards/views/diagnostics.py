"""The diagnostics of the map that is shown."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.state.explorer import Explorer
from dashboards.views.text import bullets, facts, heading, paragraph
from dashboards.views.theme import card, words
from dashboards.views.view import View
from xai_tf.attribution.convergence import Convergence, convergence_text, curve
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.methods import shown


class DiagnosticsView(View):
    """Warnings of the method, the diagnostics of the map, and how it was computed."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words(pn.bind(self._describe, self.explorer.param.explanation))

    def _describe(self, explanation: Any) -> str:
        if explanation is None:
            return paragraph("No map yet.", "note")
        diagnoses = [
            *explanation.warnings,
            *(diagnosis.text for diagnosis in diagnose(explanation.attribution)),
        ]
        rows = [
            ("Class", explanation.target_name),
            ("Method", explanation.method.title),
            *([("Layer", explanation.layer)] if explanation.layer else []),
            *((name, shown(value)) for name, value in explanation.settings.items()),
            *([("Seed", str(explanation.seed))] if explanation.seed is not None else []),
            ("Passes", f"{explanation.cost.forward} forward, {explanation.cost.gradient} gradient"),
            ("Time", f"{explanation.seconds:.2f} s"),
            *(
                (name.replace("_", " "), f"{value:.3g}")
                for name, value in explanation.figures.items()
            ),
        ]
        healthy = "" if diagnoses else paragraph("The diagnostics found no problem with this map.")
        reading = self.explorer.workspace.reading
        doubt = [reading.ood_warning_explained] if reading and reading.ood_warning else []
        return (
            bullets([*doubt, *diagnoses], "warning")
            + healthy
            + _convergence_text(explanation.convergence)
            + heading("How it was computed", 3)
            + facts(rows)
        )

    def layout(self) -> pn.viewable.Viewable:
        """The card of the diagnostics."""
        return card("Can this map be trusted?", self._words)


def _convergence_text(convergence: Convergence | None) -> str:
    """The convergence of a sampled map as a sentence and a curve."""
    if convergence is None:
        return ""
    plot = (
        ""
        if convergence.exact
        else curve(convergence.samples, convergence.stability, convergence.wanted)
    )
    return heading("Enough samples?", 3) + paragraph(convergence_text(convergence)) + plot
