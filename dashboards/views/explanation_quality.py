"""How good is this map? Where its evidence lies, and its scores against random maps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.components.progress import Progress
from dashboards.state.explanation_quality import AGAIN, DEPTHS, ONCE, ExplanationQuality
from dashboards.state.progress import about
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import card, stop_button, words
from dashboards.views.view import View
from xai_tf.attribution.methods import METHODS
from xai_tf.metrics.score import Score
from xai_tf.metrics.verdict import verdict
from xai_tf.regions import PARTITIONS, Audit, RegionShare

LABELS = {ONCE: "Judge this map", AGAIN: "Run the method again"}
ABOUT = {
    ONCE: "Does the probability follow the map? The picture is changed where the map is strong, "
    "and where random maps of the same strength are.",
    AGAIN: "Does the map hold for other random draws, for a picture changed by a hair, and is it "
    "lost when the network forgets?",
}


class ExplanationQualityView(View):
    """The strip under the map: evidence by region, then scores, when they are asked for."""

    quality = param.ClassSelector(class_=ExplanationQuality)
    language = param.Selector(default="en", objects=["en", "fr"], allow_refs=True)

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        quality = self.quality
        self._regions = words(pn.bind(region_words, quality.param.audit))
        self._scores = words(pn.bind(score_words, quality.param.scores, self.param.language))
        self._buttons = {
            depth: pmui.Button(
                label=LABELS[depth], icon="fact_check", variant="outlined", size="small"
            )
            for depth in DEPTHS
        }
        for depth, button in self._buttons.items():
            button.on_click(lambda _, depth=depth: quality.run(depth))
        self._stop = stop_button()
        self._stop.on_click(lambda _: quality.stop())
        self._bar = Progress(label="Progress of the scores", visible=False)
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(look="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8))
        quality.param.watch(self._offer, ["scores", "running"])
        quality.explorer.param.watch(self._offer, "explanation")
        quality.explorer.workspace.param.watch(self._offer, "facts")
        quality.param.watch(self._say, ["status", "problem", "progress"])
        self._offer()

    def _offer(self, *_: object) -> None:
        """Say what each step costs before it runs; what is done is offered no more."""
        quality = self.quality
        for depth, button in self._buttons.items():
            passes, seconds = quality.passes(depth), quality.seconds(depth)
            cost = f" ({passes} passes, {about(seconds)})" if passes else ""
            label = LABELS[depth]
            if depth == AGAIN and quality.explorer.explanation is not None:
                label = f"Run {METHODS[quality.explorer.explanation.method.name].title} again"
            button.param.update(
                label=label + cost,
                visible=quality.request(depth) is not None and not quality.done(depth),
                disabled=bool(quality.running),
            )
        self._stop.visible = self._bar.visible = bool(quality.running)

    def _say(self, *_: object) -> None:
        quality = self.quality
        self._bar.value = quality.progress or -1.0
        self._status.paragraphs = [quality.status] if quality.status else []
        self._problem.paragraphs = [quality.problem] if quality.problem else []

    def layout(self) -> pn.viewable.Viewable:
        buttons = pn.FlexBox(*self._buttons.values(), self._stop, gap="8px", margin=(4, 8))
        return card(
            "How good is this map?",
            self._scores,
            buttons,
            self._bar,
            self._status,
            self._problem,
            self._regions,
        )


def score_words(scores: Sequence[Score], language: str) -> str:
    """Scores as HTML: the verdict, and a row each with the place of random maps drawn."""
    if not scores:
        return paragraph(f"Not judged yet. {ABOUT[ONCE]} {ABOUT[AGAIN]}", "note")
    rows = "".join(_score_row(one, language) for one in scores)
    return (
        f'<div lang="{language}">{paragraph(verdict(scores, language))}</div>'
        + "<table class=scores><thead><tr><th scope=col>Metric<th scope=col>Value"
        "<th scope=col>Against random maps<th scope=col>Beats</tr></thead>"
        + rows
        + "</table>"
        + paragraph("Grey: where nine of ten random maps of the same strength lie.", "note")
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
    arrow, side = ("↑", "higher") if metric.direction == "higher" else ("↓", "lower")
    beats = f"{one.random.win_rate:.0%}" if one.random and metric.has_baseline else ""
    chance = f" {escape(one.note)}" if one.note else ""
    return (
        f'<tr>{title}<td>{one.value:.3f} <span title="{side} is better">{arrow}</span>{chance}</td>'
        f"<td>{_random_baseline(one)}</td><td>{beats}</td></tr>"
    )


def _how(one: Score) -> str:
    settings = ", ".join(f"{name} {value:g}" for name, value in one.settings.items())
    took = f"{one.cost.evaluations} passes, {one.seconds:.2f} s." if one.cost.evaluations else ""
    measured = f"Measured: {one.quantity}. " if one.quantity else ""
    return f"{measured}{settings}{'. ' if settings else ''}{took} {one.metric.paper}."


def _random_baseline(one: Score) -> str:
    """Where the value lies among random ones, drawn."""
    random = one.random
    if random is None:
        return ""
    ends = [one.value, random.low, random.high]
    width = max(ends) - min(ends)
    places = [10 + 80 * (value - min(ends)) / width if width else 50 for value in ends]
    band = max(places[2] - places[1], 1)
    text = f"{one.value:.2f}; random maps from {random.low:.2f} to {random.high:.2f}"
    return (
        f'<svg class=standing role=img aria-label="{text}" viewBox="0 0 100 12">'
        "<rect x=0 y=5 width=100 height=2 class=line />"
        f"<rect x={places[1]:.1f} y=2 width={band:.1f} height=8 class=band />"
        f"<rect x={min(places[0], 98):.1f} y=0 width=2 height=12 class=value /></svg>"
    )


def region_words(audit: Audit | None) -> str:
    """An audit as HTML: alarms first, then a table of each partition."""
    if audit is None:
        return ""
    tables = "".join(
        _partition(name, list(rows)) for name, rows in groupby(audit.rows, lambda r: r.partition)
    )
    return (
        heading("Where the evidence lies", 3)
        + bullets(audit.alarms, "error")
        + bullets(audit.warnings, "warning")
        + tables
    )


def _partition(name: str, rows: Sequence[RegionShare]) -> str:
    partition = PARTITIONS[name]
    body = "".join(_region_row(row, row.region in partition.expected) for row in rows)
    return (
        f"<table class=regions><caption>{escape(partition.title)}</caption><thead><tr>"
        "<th scope=col>Region<th scope=col>Evidence<th scope=col>Area<th scope=col>Density"
        f"</tr></thead>{body}</table>"
        f"<details><summary>How well is it found?</summary>{escape(partition.accuracy)}</details>"
    )


def _region_row(row: RegionShare, expected: bool) -> str:
    alarm = " ⚠ too much" if row.alarm else ""
    here = " (expected here)" if expected else ""
    share = "no signal" if row.share is None else f"{row.share:.0%}"
    bar = "" if row.share is None else f'<meter value="{row.share:.3f}">{share}</meter> '
    density = "" if row.ratio is None else f"{row.ratio:.1f}"
    look = ' class="look-error"' if row.alarm else ""
    return (
        f"<tr{look}><th scope=row>{escape(row.region + here + alarm)}</th><td>{bar}{share}</td>"
        f"<td>{row.area:.0%}</td><td>{density}</td></tr>"
    )
