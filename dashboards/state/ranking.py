"""The methods of a comparison, judged by the same metrics and ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import param

from dashboards.service.jobs import OVER
from dashboards.service.requests import Judge, key
from dashboards.service.service import Job
from dashboards.state.comparison import Comparison
from dashboards.state.explanation_quality import ONCE, ExplanationQuality, metrics_of
from dashboards.state.progress import describe_progress
from xai_tf.attribution.methods import METHODS
from xai_tf.metrics.compare import ranks
from xai_tf.metrics.metric import METRICS, Metric
from xai_tf.metrics.score import Score

SLOT = "rank"


@dataclass(frozen=True, eq=False)
class Table:
    """Scores of a column of the grid.

    Attributes:
        methods: titles of those that are judged.
        metrics: those that are for all methods.
        scores: a row a method, an entry a metric.
        places: int array of the same shape: 1 is best, 0 is no value.
    """

    methods: tuple[str, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[tuple[Score, ...], ...]
    places: np.ndarray


class Ranking(param.Parameterized):
    """Scores of the maps of one column of the grid, beside each other.

    Attributes:
        column: the number of the column.
        running: how many maps are being judged.
        status: what is going on, in words; empty when nothing is.
        problem: what went wrong last.
        table: the scores there are; None for less than two judged maps.
    """

    column = param.Integer(default=0, bounds=(0, None))
    running = param.Integer(default=0)
    status = param.String()
    problem = param.String()
    table = param.ClassSelector(class_=Table)

    def __init__(self, comparison: Comparison, quality: ExplanationQuality, **params: Any) -> None:
        self.comparison, self.quality = comparison, quality
        self._jobs: dict[str, Job] = {}
        self._asked: set[str] = set()
        super().__init__(**params)
        comparison.param.watch(self._look, ["cells", "active"])
        quality.param.watch(self._look, "scores")

    def requests(self) -> tuple[Judge, ...]:
        """What judging the maps of the column asks."""
        grid = self.comparison
        return tuple(
            Judge(cell.request, metrics_of(cell.request.method, ONCE))
            for (_, column), cell in sorted(grid.cells.items())
            if column == self.column and cell.explanation
        )

    def cost(self) -> tuple[int, float] | None:
        """Passes and seconds of what is still to judge; None while the speed is not known.

        Nor is it of other models than that on the bench.
        """
        facts, model = self.comparison.workspace.facts, self.comparison.workspace.model
        if facts is None or any(request.model != model for request in self.requests()):
            return None
        left = [request for request in self.requests() if key(request) not in self.quality.judged]
        return sum(facts.cost(r).evaluations for r in left), sum(map(facts.seconds, left))

    def run(self) -> None:
        """Judge the maps of the column that are not judged yet."""
        self.problem = ""
        for number, request in enumerate(self.requests()):
            if key(request) not in self.quality.judged:
                job = self.comparison.workspace.visitor.submit(request, f"{SLOT} {number}")
                self._jobs[key(request)] = job
                job.watch(self._heard)

    def stop(self) -> None:
        """Stop the work."""
        for number in range(len(self.comparison.methods)):
            self.comparison.workspace.visitor.cancel(f"{SLOT} {number}")

    @param.depends("column", watch=True)
    def _look(self, *_: Any) -> None:
        """Another grid or column: what is judged already stands there, the rest is stopped."""
        asked = {key(request) for request in self.requests()}
        if asked != self._asked:
            self._asked, self.problem = asked, ""
        for name, job in list(self._jobs.items()):
            if name not in asked and job.state not in OVER:
                job.cancel()
        if self.comparison.active:
            self.table = self._table()

    def _table(self) -> Table | None:
        judged = self.quality.judged
        found = [judged[key(request)] for request in self.requests() if key(request) in judged]
        if len(found) < 2:
            return None
        shared = [
            metric
            for metric in METRICS.values()
            if all(metric.name in request.metrics for request, _ in found)
        ]
        rows = [{one.metric.name: one for one in scores} for _, scores in found]
        scores = tuple(tuple(row[metric.name] for metric in shared) for row in rows)
        titles = tuple(METHODS[request.explanation.method].title for request, _ in found)
        return Table(titles, tuple(shared), scores, ranks(scores, shared))

    def _heard(self, job: Job) -> None:
        if job.state == "done":
            self.quality.keep(job.request, job.answer)
        elif job.state == "failed":
            self.problem = str(job.error)
        under_way = [job for job in self._jobs.values() if job.state not in OVER]
        status = "" if job.state in OVER else describe_progress(job)
        self._jobs = {key(job.request): job for job in under_way}
        self.param.update(running=len(under_way), status=status if under_way else "")
        if job.state == "done":
            self._look()
