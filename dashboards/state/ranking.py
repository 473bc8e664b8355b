"""The methods of a comparison, scored by the same metrics and ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import param

from dashboards.service.jobs import OVER
from dashboards.service.requests import Judge, key
from dashboards.service.service import Job
from dashboards.state.comparison import Comparison
from dashboards.state.explanation_quality import BASIC, ExplanationQuality, metrics_of
from dashboards.state.progress import describe_progress
from xai_tf.attribution.methods import METHODS
from xai_tf.metrics.compare import ranks
from xai_tf.metrics.metric import METRICS, Metric
from xai_tf.metrics.score import Score

SLOT = "rank"


@dataclass(frozen=True, eq=False)
class Table:
    """The scores of one column of the grid.

    Attributes:
        methods: titles of the scored methods.
        metrics: the metrics that apply to all of them.
        scores: one row per method, one entry per metric.
        places: int array of shape (methods, metrics): ranks from 1, the best; 0 is not ranked.
    """

    methods: tuple[str, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[tuple[Score, ...], ...]
    places: np.ndarray


class Ranking(param.Parameterized):
    """The scores of the maps of one column of the grid, side by side.

    Attributes:
        column: the number of the column.
        running: number of maps that are being scored.
        status: progress text; empty when nothing runs.
        problem: the last error.
        table: the scores; None for fewer than two scored maps.
    """

    column = param.Integer(default=0, bounds=(0, None))
    running = param.Integer(default=0)
    status = param.String()
    problem = param.String()
    table = param.ClassSelector(class_=Table)

    def __init__(self, comparison: Comparison, quality: ExplanationQuality, **params: Any) -> None:
        self.comparison, self.quality = comparison, quality
        self._jobs: dict[str, Job] = {}
        self._keys: set[str] = set()
        super().__init__(**params)
        comparison.param.watch(self._refresh, ["cells", "active"])
        quality.param.watch(self._refresh, "scores")

    def requests(self) -> tuple[Judge, ...]:
        """The requests that score the maps of the column."""
        grid = self.comparison
        return tuple(
            Judge(cell.request, metrics_of(cell.request.method, BASIC))
            for (_, column), cell in sorted(grid.cells.items())
            if column == self.column and cell.explanation
        )

    def cost(self) -> tuple[int, float] | None:
        """Passes and seconds for the maps that have no scores yet.

        None until the model's speed is known, and for maps of other models than the current one.
        """
        facts, model = self.comparison.workspace.facts, self.comparison.workspace.model
        if facts is None or any(request.model != model for request in self.requests()):
            return None
        left = [request for request in self.requests() if key(request) not in self.quality.scored]
        return sum(facts.cost(r).evaluations for r in left), sum(map(facts.seconds, left))

    def run(self) -> None:
        """Score the maps of the column that have no scores yet."""
        self.problem = ""
        for number, request in enumerate(self.requests()):
            if key(request) not in self.quality.scored:
                job = self.comparison.workspace.visitor.submit(request, f"{SLOT} {number}")
                self._jobs[key(request)] = job
                job.watch(self._on_update)

    def stop(self) -> None:
        """Stop scoring."""
        for number in range(len(self.comparison.methods)):
            self.comparison.workspace.visitor.cancel(f"{SLOT} {number}")

    @param.depends("column", watch=True)
    def _refresh(self, *_: Any) -> None:
        """Show the scores of another grid or column, and stop jobs that it does not need."""
        keys = {key(request) for request in self.requests()}
        if keys != self._keys:
            self._keys, self.problem = keys, ""
        for name, job in list(self._jobs.items()):
            if name not in keys and job.state not in OVER:
                job.cancel()
        if self.comparison.active:
            self.table = self._table()

    def _table(self) -> Table | None:
        scored = self.quality.scored
        available = [scored[key(request)] for request in self.requests() if key(request) in scored]
        if len(available) < 2:
            return None
        shared = [
            metric
            for metric in METRICS.values()
            if all(metric.name in request.metrics for request, _ in available)
        ]
        rows = [{one.metric.name: one for one in scores} for _, scores in available]
        scores = tuple(tuple(row[metric.name] for metric in shared) for row in rows)
        titles = tuple(METHODS[request.explanation.method].title for request, _ in available)
        return Table(titles, tuple(shared), scores, ranks(scores, shared))

    def _on_update(self, job: Job) -> None:
        if job.state == "done":
            self.quality.remember(job.request, job.answer)
        elif job.state == "failed":
            self.problem = str(job.error)
        unfinished = [job for job in self._jobs.values() if job.state not in OVER]
        status = "" if job.state in OVER else describe_progress(job)
        self._jobs = {key(job.request): job for job in unfinished}
        self.param.update(running=len(unfinished), status=status if unfinished else "")
        if job.state == "done":
            self._refresh()
