"""The quality of the map that is shown: evidence by region, and metric scores."""

from __future__ import annotations

from typing import Any

import param

from dashboards.language import t
from dashboards.service.jobs import OVER
from dashboards.service.requests import Explain, Judge, Part, key
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import describe_progress, error_text
from xai_tf.attribution.methods import METHODS
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import Score
from xai_tf.regions import Audit, Regions, audit

BASIC, RERUN = "basic", "rerun"
LEVELS = (BASIC, RERUN)  # metrics of the map itself; metrics that run the method again
MAX_SCORED = 400  # scored explanations that are remembered per visitor


def metrics_of(method: str, level: str) -> tuple[str, ...]:
    """The metrics of a level that apply to a method."""
    return tuple(
        metric.name
        for metric in METRICS.values()
        if metric.applies(METHODS[method]) and (metric.family == "rerun") == (level == RERUN)
    )


class ExplanationQuality(param.Parameterized):
    """The quality of the explanation that is shown.

    Attributes:
        regions: the regions of the sample; None until they are found.
        audit: the evidence by region; None while there is no map or no regions.
        scores: a tuple of `Score`, those computed so far.
        running: the level that is being computed, or "".
        progress: share of the passes done, 0 to 1.
        status: progress text; empty when nothing runs.
        problem: the last error; stays until another map is shown.
    """

    audit = param.ClassSelector(class_=Audit)
    regions = param.ClassSelector(class_=Regions)
    scores = param.ClassSelector(class_=tuple, default=())
    running = param.String()
    progress = param.Number(default=0.0, bounds=(0, 1))
    status = param.String()
    problem = param.String()

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer = explorer
        self.scored: dict[str, tuple[Judge, tuple[Score, ...]]] = {}
        self._question: Explain | None = None  # the request of the explanation that is shown
        self._regions_job: Job | None = None
        super().__init__(**params)
        explorer.param.watch(self._on_explanation, "explanation")

    def request(self, level: str) -> Judge | None:
        """The request that scores the map that is shown, or None without a map."""
        if self._question is None:
            return None
        return Judge(self._question, metrics_of(self._question.method, level))

    def passes(self, level: str) -> int | None:
        """Number of passes a level takes; None until the model is loaded."""
        request, facts = self.request(level), self.explorer.workspace.facts
        return facts.cost(request).evaluations if request and facts else None

    def seconds(self, level: str) -> float | None:
        """Estimated seconds a level takes; None until the model is loaded."""
        request, facts = self.request(level), self.explorer.workspace.facts
        return facts.seconds(request) if request and facts else None

    def done(self, level: str) -> bool:
        """Whether the scores of a level are there."""
        request = self.request(level)
        return request is not None and key(request) in self.scored

    def run(self, level: str) -> None:
        """Compute the scores of a level."""
        request = self.request(level)
        if request is None or self.running == level or self.done(level):
            return
        self.problem = ""
        job = self.explorer.workspace.visitor.submit(request, "judge")
        if job.state not in OVER:
            self.param.update(running=level, progress=0.0, status="")
        job.watch(self._on_update)

    def stop(self) -> None:
        """Stop computing scores."""
        self.explorer.workspace.visitor.cancel("judge")

    def requests_for(self, explanations: tuple[Explain, ...]) -> tuple[Judge, ...]:
        """The score requests of some explanations that have been answered."""
        return tuple(
            request for request, _ in self.scored.values() if request.explanation in explanations
        )

    def scores_for(self, explanation: Explain) -> tuple[Score, ...]:
        """The scores of an explanation that have been computed."""
        answers = (
            scores for request, scores in self.scored.values() if request.explanation == explanation
        )
        return tuple(score for scores in answers for score in scores)

    def remember(self, request: Judge, answer: tuple[Score, ...]) -> None:
        """Store scores; the oldest are dropped beyond `MAX_SCORED`."""
        self.scored[key(request)] = (request, answer)
        while len(self.scored) > MAX_SCORED:
            del self.scored[next(iter(self.scored))]
        if request.explanation == self._question:  # it may have been scored on the Compare tab
            self.scores = self._current_scores()

    def _on_explanation(self, *_: Any) -> None:
        """Show what is stored about the new map; the rest is computed on request."""
        explorer, visitor = self.explorer, self.explorer.workspace.visitor
        visitor.cancel("judge")
        shown = explorer.explanation is not None
        self._question = explorer.request() if shown else None
        self.param.update(
            audit=None,
            running="",
            progress=0.0,
            status="",
            problem="",
            scores=self._current_scores(),
        )
        if not shown:
            return
        for level in LEVELS:
            if not self.done(level) and explorer.workspace.service.has_answer(self.request(level)):
                visitor.submit(self.request(level), f"scored {level}").watch(self._on_update)
        request = Part(self._question.model, self._question.file, self._question.window)
        # The regions of a sample are the same for all its maps, so a running job is reused.
        job = self._regions_job
        if job is None or job.request != request or job.error:
            self._regions_job = visitor.submit(request, "regions")
            self._regions_job.watch(self._on_regions)
        else:
            self._on_regions(job)

    def _current_scores(self) -> tuple[Score, ...]:
        return self.scores_for(self._question) if self._question else ()

    def _on_regions(self, job: Job) -> None:
        if job is not self._regions_job or self.explorer.explanation is None:
            return
        if job.state == "done":
            found = audit(self.explorer.explanation, job.answer)
            self.param.update(regions=job.answer, audit=found)
        elif job.state == "failed":
            self.problem = t("Cannot find the regions: {reason}", reason=error_text(job.error))

    def _on_update(self, job: Job) -> None:
        if job.state == "done":
            self.remember(job.request, job.answer)
        if job.request.explanation != self._question:
            return
        if job.state == "done":
            self.param.update(running="", progress=0.0, status="", scores=self._current_scores())
        elif job.state == "failed":
            self.param.update(running="", progress=0.0, status="", problem=error_text(job.error))
        elif job.state == "cancelled":
            self.param.update(
                running="", progress=0.0, status=t("Stopped.") if self.running else ""
            )
        else:
            progress = job.done / job.total if job.total else 0.0
            self.param.update(progress=progress, status=describe_progress(job))
