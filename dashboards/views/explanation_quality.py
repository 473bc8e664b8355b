"""The quality of a map: scores compared with random maps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.components.progress import Progress
from dashboards.state.explanation_quality import BASIC, LEVELS, RERUN, ExplanationQuality
from dashboards.state.progress import about
from dashboards.views.text import paragraph
from dashboards.views.theme import card, stop_button, words
from dashboards.views.view import View
from xai_tf.attribution.methods import shown
from xai_tf.metrics.score import Score
from xai_tf.metrics.verdict import verdict

LABELS = {BASIC: "Score this map", RERUN: "Test how robust it is"}
ABOUT = {
    BASIC: "Does the probability follow the map? The input is changed where the map is strong, and "
    "for comparison where random maps of the same strength are.",
    RERUN: "Does the map stay the same with another random seed and a slightly changed input, and "
    "does it change when the weights of the network are randomized?",
}


class ExplanationQualityView(View):
    """Scores on request."""

    quality = param.ClassSelector(class_=ExplanationQuality)
    language: param.Selector[str] = param.Selector(
        default="en", objects=["en", "fr"], allow_refs=True
    )

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        quality = self.quality
        self._scores = words(pn.bind(score_words, quality.param.scores, self.param.language))
        self._buttons = {
            level: pmui.Button(
                label=LABELS[level], icon="fact_check", variant="outlined", size="small"
            )
            for level in LEVELS
        }
        for level, button in self._buttons.items():
            button.on_click(lambda _, level=level: quality.run(level))
        self._stop = stop_button()
        self._stop.on_click(lambda _: quality.stop())
        self._bar = Progress(label="Progress of the scores", visible=False)
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(
            variant="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8)
        )
        quality.param.watch(self._update_buttons, ["scores", "running"])
        quality.explorer.param.watch(self._update_buttons, "explanation")
        quality.explorer.workspace.param.watch(self._update_buttons, "facts")
        quality.param.watch(self._show_status, ["status", "problem", "progress"])
        self._update_buttons()

    def _update_buttons(self, *_: object) -> None:
        """Show the cost on each button, and hide the buttons of finished levels."""
        quality = self.quality
        for level, button in self._buttons.items():
            passes, seconds = quality.passes(level), quality.seconds(level)
            cost = f" ({passes} passes, {about(seconds)})" if passes else ""
            button.param.update(
                label=LABELS[level] + cost,
                visible=quality.request(level) is not None and not quality.done(level),
                disabled=bool(quality.running),
            )
        self._stop.visible = self._bar.visible = bool(quality.running)

    def _show_status(self, *_: object) -> None:
        quality = self.quality
        self._bar.value = quality.progress or -1.0
        self._status.paragraphs = [quality.status] if quality.status else []
        self._problem.paragraphs = [quality.problem] if quality.problem else []

    def parts(self) -> list[pn.viewable.Viewable]:
        """The scores and what computes them; for the card of another view."""
        buttons = pn.FlexBox(*self._buttons.values(), self._stop, gap="8px", margin=(4, 8))
        return [
            self._scores,
            buttons,
            self._bar,
            self._status,
            self._problem,
        ]

    def layout(self) -> pn.viewable.Viewable:
        """The card of the map's quality."""
        return card("How good is this map?", *self.parts())


def score_words(scores: Sequence[Score], language: str) -> str:
    """Scores as HTML: the verdict, and a row per metric with the range of random maps."""
    if not scores:
        return paragraph(f"Not scored yet. {ABOUT[BASIC]} {ABOUT[RERUN]}", "note")
    rows = "".join(_score_row(one, language) for one in scores)
    return (
        f'<div lang="{language}">{paragraph(verdict(scores, language))}</div>'
        + "<table class=scores><thead><tr><th scope=col>Metric<th scope=col>Value"
        "<th scope=col>Compared with random maps<th scope=col>Better than</tr></thead>"
        + rows
        + "</table>"
        + paragraph("Gray: the range of 90% of random maps of the same strength.", "note")
    )


def _score_row(one: Score, language: str) -> str:
    metric, meaning = one.metric, one.metric.meaning[language]
    title = (
        f"<th scope=row><details><summary>{escape(metric.title)}</summary>"
        f'<span lang="{language}">{escape(meaning)}</span> {escape(metric.better)}. '
        f"{escape(_how(one))}</details></th>"
    )
    if not np.isfinite(one.value):
        return f'<tr>{title}<td colspan=3 class="look-note">{escape(one.note)}</td></tr>'
    arrow, direction = ("↑", "higher") if metric.direction == "higher" else ("↓", "lower")
    win_rate = f"{one.random.win_rate:.0%}" if one.random and metric.has_baseline else ""
    note = f" {escape(one.note)}" if one.note else ""
    return (
        f"<tr>{title}<td>{one.value:.3f} "
        f'<span title="{direction} is better">{arrow}</span>{note}</td>'
        f"<td>{_random_baseline(one)}</td><td>{win_rate}</td></tr>"
    )


def _how(one: Score) -> str:
    settings = ", ".join(f"{name} {shown(value)}" for name, value in one.settings.items())
    took = f"{one.cost.evaluations} passes, {one.seconds:.2f} s." if one.cost.evaluations else ""
    measured = f"Measured: {one.quantity}. " if one.quantity else ""
    return f"{measured}{settings}{'. ' if settings else ''}{took} {one.metric.paper}."


def _random_baseline(one: Score) -> str:
    """A drawing of the value beside the range of random maps."""
    random = one.random
    if random is None:
        return ""
    ends = [one.value, random.low, random.high]
    width = max(ends) - min(ends)
    places = [10 + 80 * (value - min(ends)) / width if width else 50 for value in ends]
    band = max(places[2] - places[1], 1)
    text = f"{one.value:.2f}; random maps: {random.low:.2f} to {random.high:.2f}"
    return (
        f'<svg class=standing role=img aria-label="{text}" viewBox="0 0 100 12">'
        "<rect x=0 y=5 width=100 height=2 class=line />"
        f"<rect x={places[1]:.1f} y=2 width={band:.1f} height=8 class=band />"
        f"<rect x={min(places[0], 98):.1f} y=0 width=2 height=12 class=value /></svg>"
    )
