"""Which method is best here: the maps of a column, scored by the same metrics."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import panel as pn
import param

from dashboards.components.live import Live
from dashboards.components.select import Select
from dashboards.language import language, library_text, number, t
from dashboards.state.progress import about, passes
from dashboards.state.ranking import Ranking, Table
from dashboards.views.text import paragraph
from dashboards.views.theme import card, run_button, stop_button, words
from dashboards.views.view import View
from xai_tf.metrics.score import Score


class RankingView(View):
    """Scores of methods side by side, computed on request; the best of each metric is bold."""

    ranking = param.ClassSelector(class_=Ranking)

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        ranking = self.ranking
        self._pick = Select(label=t("Scores for"))
        self._run, self._stop = run_button(t("Score these maps"), "leaderboard"), stop_button()
        self._words = words(pn.bind(ranking_words, ranking.param.table))
        self._status = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._problem = Live(
            variant="error", urgent=True, sizing_mode="stretch_width", margin=(4, 8)
        )
        self._run.on_click(lambda _: ranking.run())
        self._stop.on_click(lambda _: ranking.stop())
        self._pick.param.watch(self._on_column, "value")
        ranking.param.watch(self._update, ["column", "table", "running", "status", "problem"])
        ranking.comparison.param.watch(self._update, ["cells", "active"])
        self._update()

    def _on_column(self, event: Any) -> None:
        if event.new is not None:
            self.ranking.column = event.new

    def _update(self, *_: object) -> None:
        """Show the columns, the cost and the state."""
        ranking, grid = self.ranking, self.ranking.comparison
        if not grid.active:
            return
        names = grid.columns if grid.cells else []
        column = min(ranking.column, max(len(names) - 1, 0))
        self._pick.param.update(
            options={name: number for number, name in enumerate(names)},
            value=column if names else None,
        )
        cost = ranking.cost()
        label = t("Score these maps")
        if cost and cost[0]:
            label += f" ({passes(cost[0])}, {about(cost[1])})"
        self._run.param.update(
            label=label,
            disabled=len(ranking.requests()) < 2 or bool(ranking.running) or (cost or (1,))[0] == 0,
        )
        self._stop.visible = ranking.running > 0
        self._status.paragraphs = [ranking.status] if ranking.status else []
        self._problem.paragraphs = [ranking.problem] if ranking.problem else []

    def layout(self) -> pn.viewable.Viewable:
        """The card of the ranking."""
        return card(
            t("Which method is best here?"),
            self._pick,
            pn.Row(self._run, self._stop),
            self._status,
            self._problem,
            self._words,
        )


def ranking_words(table: Table | None) -> str:
    """A table of scores as HTML: methods by metrics, with the best of each metric in bold."""
    if table is None:
        return paragraph(
            t(
                "At least two scored maps are needed. Each map is compared with random maps of "
                "the same strength."
            ),
            "note",
        )
    heads = "".join(
        f'<th scope=col title="{escape(metric.meaning[language()])}">{escape(metric.title)} '
        f"{'↑' if metric.direction == 'higher' else '↓'}</th>"
        for metric in table.metrics
    )
    rows = "".join(
        f"<tr><th scope=row>{escape(method)}</th>"
        + "".join(_cell(one, int(place)) for one, place in zip(scores, places, strict=True))
        + f"<td>{_mean(places)}</td></tr>"
        for method, scores, places in zip(table.methods, table.scores, table.places, strict=True)
    )
    return (
        '<div style="overflow-x: auto" tabindex=0 role=region '
        f'aria-label="{escape(t("Scores by method"))}">'
        f"<table><thead><tr><td></td>{heads}<th scope=col>{escape(t('Mean rank'))}</th></tr>"
        f"</thead>{rows}</table></div>"
        + paragraph(
            t(
                "Bold: the best value of the metric. In brackets: the share of random maps that "
                "the map outperforms. The mean rank weights all metrics equally; which of them "
                "matter depends on your question."
            ),
            "note",
        )
    )


def _cell(one: Score, place: int) -> str:
    if not place:
        finite = np.isfinite(one.value)
        value = (
            t("{value}, not ranked", value=number(one.value, ".2f")) if finite else t("no value")
        )
        return f'<td title="{escape(library_text(one.note))}">{value}</td>'
    win_rate = (
        f" ({number(one.random.win_rate, '.0%')})" if one.random and one.metric.has_baseline else ""
    )
    value = number(one.value, ".2f")
    value = f"<b>{value}</b>" if place == 1 else value
    return f"<td>{value}{win_rate}</td>"


def _mean(places: np.ndarray) -> str:
    ranked = places[places > 0]
    return number(ranked.mean(), ".1f") if len(ranked) else ""
