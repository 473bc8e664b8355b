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
from dashboards.language import language, library_text, mark, number, t
from dashboards.state.explanation_quality import BASIC, LEVELS, RERUN, ExplanationQuality
from dashboards.state.progress import about, passes
from dashboards.views.text import paragraph
from dashboards.views.theme import card, stop_button, words
from dashboards.views.view import View
from xai_tf.attribution.methods import shown
from xai_tf.classifiers.class_names import readable
from xai_tf.metrics.score import Score
from xai_tf.metrics.verdict import verdict

LABELS = {BASIC: mark("Score this map"), RERUN: mark("Test how robust it is")}
ABOUT = {
    BASIC: mark(
        "Does the probability follow the map? The input is changed where the map is strong, and "
        "for comparison where random maps of the same strength are."
    ),
    RERUN: mark(
        "Does the map stay the same with another random seed and a slightly changed input, and "
        "does it change when the weights of the network are randomized?"
    ),
}


class ExplanationQualityView(View):
    """Scores on request."""

    quality = param.ClassSelector(class_=ExplanationQuality)

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        quality = self.quality
        self._scores = words(pn.bind(score_words, quality.param.scores))
        self._buttons = {
            level: pmui.Button(
                label=t(LABELS[level]), icon="fact_check", variant="outlined", size="small"
            )
            for level in LEVELS
        }
        for level, button in self._buttons.items():
            button.on_click(lambda _, level=level: quality.run(level))
        self._stop = stop_button()
        self._stop.on_click(lambda _: quality.stop())
        self._bar = Progress(label=t("Progress of the scores"), visible=False)
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
            count, seconds = quality.passes(level), quality.seconds(level)
            cost = f" ({passes(count)}, {about(seconds)})" if count else ""
            button.param.update(
                label=t(LABELS[level]) + cost,
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
        return card(t("How good is this map?"), *self.parts())


def score_words(scores: Sequence[Score]) -> str:
    """Scores as HTML: the verdict, and a row per metric with the range of random maps."""
    if not scores:
        return paragraph(f"{t('Not scored yet.')} {t(ABOUT[BASIC])} {t(ABOUT[RERUN])}", "note")
    titles = (t("Metric"), t("Value"), t("Compared with random maps"), t("Better than"))
    heads = "".join(f"<th scope=col>{escape(title)}" for title in titles)
    rows = "".join(map(_score_row, scores))
    return (
        paragraph(verdict(scores, language()))
        + f"<table class=scores><thead><tr>{heads}</tr></thead>{rows}</table>"
        + paragraph(t("Gray: the range of 90% of random maps of the same strength."), "note")
    )


def _score_row(one: Score) -> str:
    metric = one.metric
    title = (
        f"<th scope=row><details><summary>{escape(metric.title)}</summary>"
        f"{escape(metric.meaning[language()])} {escape(library_text(metric.better))}. "
        f"{escape(_how(one))}</details></th>"
    )
    if not np.isfinite(one.value):
        return (
            f'<tr>{title}<td colspan=3 class="look-note">{escape(library_text(one.note))}</td></tr>'
        )
    higher = metric.direction == "higher"
    arrow, better = ("↑", t("higher is better")) if higher else ("↓", t("lower is better"))
    compared = one.random and metric.has_baseline
    win_rate = number(one.random.win_rate, ".0%") if compared else ""
    note = f" {escape(library_text(one.note))}" if one.note else ""
    return (
        f"<tr>{title}<td>{number(one.value, '.3f')} "
        f'<span title="{better}">{arrow}</span>{note}</td>'
        f"<td>{_random_baseline(one)}</td><td>{win_rate}</td></tr>"
    )


def _how(one: Score) -> str:
    settings = ", ".join(
        f"{t(readable(name))} {shown(value)}" for name, value in one.settings.items()
    )
    count, seconds = one.cost.evaluations, number(one.seconds, ".2f")
    parts = (
        t("Measured: {quantity}.", quantity=library_text(one.quantity)) if one.quantity else "",
        f"{settings}." if settings else "",
        f"{passes(count)}, {seconds} s." if count else "",
        f"{one.metric.paper}.",
    )
    return " ".join(filter(None, parts))


def _random_baseline(one: Score) -> str:
    """A drawing of the value beside the range of random maps."""
    random = one.random
    if random is None:
        return ""
    ends = [one.value, random.low, random.high]
    width = max(ends) - min(ends)
    places = [10 + 80 * (value - min(ends)) / width if width else 50 for value in ends]
    band = max(places[2] - places[1], 1)
    text = t(
        "{value}; random maps: {low} to {high}",
        value=number(one.value, ".2f"),
        low=number(random.low, ".2f"),
        high=number(random.high, ".2f"),
    )
    return (
        f'<svg class=standing role=img aria-label="{text}" viewBox="0 0 100 12">'
        "<rect x=0 y=5 width=100 height=2 class=line />"
        f"<rect x={places[1]:.1f} y=2 width={band:.1f} height=8 class=band />"
        f"<rect x={min(places[0], 98):.1f} y=0 width=2 height=12 class=value /></svg>"
    )
