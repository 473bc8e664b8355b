"""Whether the map that is shown can be trusted: where its evidence lies, and how it is judged."""

from __future__ import annotations

from typing import Any

import param

from dashboards.service.jobs import OVER
from dashboards.service.requests import Explain, Judge, Part, key
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import describe_progress
from xai_tf.attribution.methods import METHODS
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import Score
from xai_tf.regions import Audit, audit

ONCE, AGAIN = "once", "again"
DEPTHS = (ONCE, AGAIN)  # what is asked of a map as it is; what needs the method to run again
MAX_JUDGED = 400  # that are kept for a visitor


def metrics_of(method: str, depth: str) -> tuple[str, ...]:
    """The metrics that say something of a method; those that run it again on `AGAIN` only."""
    return tuple(
        metric.name
        for metric in METRICS.values()
        if metric.applies(METHODS[method]) and (metric.family == "rerun") == (depth == AGAIN)
    )


class ExplanationQuality(param.Parameterized):
    """What speaks for and against the explanation that is shown.

    Attributes:
        audit: where its evidence lies; None while there is no map, or its regions are not known.
        scores: a tuple of `Score`, those asked for so far.
        running: which depth is being computed, or "".
        progress: share of the passes done, 0 to 1.
        status: what is going on, in words; empty when nothing is.
        problem: what went wrong; stays until something else is looked at.
    """

    audit = param.ClassSelector(class_=Audit)
    scores = param.ClassSelector(class_=tuple, default=())
    running = param.String()
    progress = param.Number(default=0.0, bounds=(0, 1))
    status = param.String()
    problem = param.String()

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer = explorer
        self.judged: dict[str, tuple[Judge, tuple[Score, ...]]] = {}
        self._about: Explain | None = None  # the question whose answer is shown
        self._regions: Job | None = None
        super().__init__(**params)
        explorer.param.watch(self._look, "explanation")

    def request(self, depth: str) -> Judge | None:
        """What is asked at a depth of the map that is shown."""
        if self._about is None:
            return None
        return Judge(self._about, metrics_of(self._about.method, depth))

    def passes(self, depth: str) -> int | None:
        """What it costs, in passes; None while that is not known."""
        request, facts = self.request(depth), self.explorer.workspace.facts
        return facts.cost(request).evaluations if request and facts else None

    def seconds(self, depth: str) -> float | None:
        """What it costs, in seconds."""
        request, facts = self.request(depth), self.explorer.workspace.facts
        return facts.seconds(request) if request and facts else None

    def done(self, depth: str) -> bool:
        """Whether it has been asked and answered."""
        request = self.request(depth)
        return request is not None and key(request) in self.judged

    def run(self, depth: str) -> None:
        """Judge the map."""
        request = self.request(depth)
        if request is None or self.running == depth or self.done(depth):
            return
        self.problem = ""
        job = self.explorer.workspace.visitor.submit(request, "judge")
        if job.state not in OVER:
            self.param.update(running=depth, progress=0.0, status="")
        job.watch(self._heard)

    def stop(self) -> None:
        """Stop the work."""
        self.explorer.workspace.visitor.cancel("judge")

    def judges_of(self, explanations: tuple[Explain, ...]) -> tuple[Judge, ...]:
        """What has been asked of explanations and answered."""
        return tuple(
            judge for judge, _ in self.judged.values() if judge.explanation in explanations
        )

    def scores_of(self, explanation: Explain) -> tuple[Score, ...]:
        """What has been found of an explanation."""
        found = (
            answer for judge, answer in self.judged.values() if judge.explanation == explanation
        )
        return tuple(one for answer in found for one in answer)

    def keep(self, request: Judge, answer: tuple[Score, ...]) -> None:
        """Remember scores; the oldest go."""
        self.judged[key(request)] = (request, answer)
        while len(self.judged) > MAX_JUDGED:
            del self.judged[next(iter(self.judged))]
        if request.explanation == self._about:  # it may have been judged in a comparison
            self.scores = self._known()

    def _look(self, *_: Any) -> None:
        """Another map: what is known of it is there at once, the rest waits to be asked for."""
        explorer, visitor = self.explorer, self.explorer.workspace.visitor
        visitor.cancel("judge")
        shown = explorer.explanation is not None
        self._about = explorer.request() if shown else None
        self.param.update(
            audit=None, running="", progress=0.0, status="", problem="", scores=self._known()
        )
        if not shown:
            return
        for depth in DEPTHS:
            if not self.done(depth) and explorer.workspace.service.knows(self.request(depth)):
                visitor.submit(self.request(depth), f"judged {depth}").watch(self._heard)
        asked = Part(self._about.model, self._about.file, self._about.window)
        # Of a sample they are the same for every map; what is under way will tell of this one.
        if self._regions is None or self._regions.request != asked or self._regions.error:
            self._regions = visitor.submit(asked, "regions")
            self._regions.watch(self._parted)
        else:
            self._parted(self._regions)

    def _known(self) -> tuple[Score, ...]:
        return self.scores_of(self._about) if self._about else ()

    def _parted(self, job: Job) -> None:
        if job is not self._regions or self.explorer.explanation is None:
            return
        if job.state == "done":
            self.audit = audit(self.explorer.explanation, job.answer)
        elif job.state == "failed":
            self.problem = f"The regions are not known: {job.error}"

    def _heard(self, job: Job) -> None:
        if job.state == "done":
            self.keep(job.request, job.answer)
        if job.request.explanation != self._about:
            return
        if job.state == "done":
            self.param.update(running="", progress=0.0, status="", scores=self._known())
        elif job.state == "failed":
            self.param.update(running="", progress=0.0, status="", problem=str(job.error))
        elif job.state == "cancelled":
            self.param.update(running="", progress=0.0, status="Stopped." if self.running else "")
        else:
            progress = job.done / job.total if job.total else 0.0
            self.param.update(progress=progress, status=describe_progress(job))
