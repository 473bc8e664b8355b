"""Which method is best here: the maps of a column, scored by the same metrics."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.state.progress import about
from dashboards.state.ranking import Ranking, Table
from dashboards.views.text import paragraph
from dashboards.views.theme import card, run_button, stop_button, words
from dashboards.views.view import View
from xai_tf.metrics.score import Score


class RankingView(View):
    """Scores of methods side by side, computed on request; the best of each metric is bold."""

    ranking = param.ClassSelector(class_=Ranking)
    language: param.Selector[str] = param.Selector(
        default="en", objects=["en", "fr"], allow_refs=True
    )

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        ranking = self.ranking
        self._pick = pmui.Select(label="Scores for", size="small", sizing_mode="stretch_width")
        self._run, self._stop = run_button("Score these maps", "leaderboard"), stop_button()
        self._words = words(pn.bind(ranking_words, ranking.param.table, self.param.language))
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
        estimate = f" ({cost[0]} passes, {about(cost[1])})" if cost and cost[0] else ""
        self._run.param.update(
            label=f"Score these maps{estimate}",
            disabled=len(ranking.requests()) < 2 or bool(ranking.running) or (cost or (1,))[0] == 0,
        )
        self._stop.visible = ranking.running > 0
        self._status.paragraphs = [ranking.status] if ranking.status else []
        self._problem.paragraphs = [ranking.problem] if ranking.problem else []

    def layout(self) -> pn.viewable.Viewable:
        """The card of the ranking."""
        return card(
            "Which method is best here?",
            self._pick,
            pn.Row(self._run, self._stop),
            self._status,
            self._problem,
            self._words,
        )


def ranking_words(table: Table | None, language: str = "en") -> str:
    """A table of scores as HTML: methods by metrics, with the best of each metric in bold."""
    if table is None:
        return paragraph(
            "At least two scored maps are needed. Each map is compared with random maps of the "
            "same strength.",
            "note",
        )
    heads = "".join(
        f'<th scope=col lang="{language}" title="{escape(metric.meaning[language])}">'
        f'<span lang="en">{escape(metric.title)}</span> '
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
        '<div style="overflow-x: auto" tabindex=0 role=region aria-label="Scores by method">'
        f"<table><thead><tr><td></td>{heads}<th scope=col>Mean rank</th></tr></thead>{rows}"
        "</table></div>"
        + paragraph(
            "Bold: the best value of the metric. In brackets: the share of random maps that the "
            "map outperforms. The mean rank weights all metrics equally; which of them matter "
            "depends on your question.",
            "note",
        )
    )


def _cell(one: Score, place: int) -> str:
    if not place:
        value = f"{one.value:.2f}, not ranked" if np.isfinite(one.value) else "no value"
        return f'<td title="{escape(one.note)}">{value}</td>'
    win_rate = f" ({one.random.win_rate:.0%})" if one.random and one.metric.has_baseline else ""
    value = f"<b>{one.value:.2f}</b>" if place == 1 else f"{one.value:.2f}"
    return f"<td>{value}{win_rate}</td>"


def _mean(places: np.ndarray) -> str:
    ranked = places[places > 0]
    return f"{ranked.mean():.1f}" if len(ranked) else ""
