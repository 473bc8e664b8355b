"""How far the map that is shown can be trusted, and the maps it is compared with by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param

from dashboards.service.requests import Explain, key
from dashboards.service.service import Job
from dashboards.state.explanation_quality import BASIC, ExplanationQuality
from dashboards.state.explorer import Explorer
from dashboards.turns import once_a_turn
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.trust import Checks, Reason, Verdict, verdict

# Made after the first map of a question, to compare it with: of three families, and cheap.
COMPARED = ("squared_ig", "grad_cam", "occlusion", "saliency", "gradient_input")
MAX_COMPARED = 3
CHEAP_SECONDS = 1.0  # dearer maps are made on request only
# What is tried instead of a map that was objected to (docs/leaderboard.md).
ALTERNATIVES = ("squared_ig", "rise", "square_grad", "occlusion", "grad_cam", "saliency")
_SLOT = "compared map"


class Trust(param.Parameterized):
    """The verdict on the map that is shown.

    Attributes:
        verdict: how far it can be trusted; None while there is no map.
        comparing: the title of the method that runs to be compared with, or "".
    """

    verdict = param.ClassSelector(class_=Verdict)
    comparing = param.String()

    def __init__(self, explorer: Explorer, quality: ExplanationQuality, **params: Any) -> None:
        self.explorer, self.quality = explorer, quality
        self._job: Job | None = None
        self._failed: set[str] = set()  # requests that are not repeated
        super().__init__(**params)
        explorer.param.watch(self._on_explanation, "explanation")
        explorer.param.watch(self._judge, "remembered")
        explorer.workspace.param.watch(self._compare_cheap, "facts")
        quality.param.watch(self._judge, ["audit", "scores"])
        self._remedies: dict[str, Callable[[], None]] = {
            "score": lambda: quality.run(BASIC),
            "sample_until_stable": explorer.run_until_stable,
            "compare_methods": self.compare,
            "another_method": self._try_another_method,
            "another_class": self._contrast_with_runner_up,
        }

    def can(self, reason: Reason) -> bool:
        """Whether `apply` can do what remedies a reason; the page does the rest."""
        return reason.remedy in self._remedies

    def apply(self, reason: Reason) -> None:
        """Do what remedies a reason."""
        if self.can(reason):
            self._remedies[reason.remedy]()

    def compare(self) -> None:
        """Make the next map to compare with, whatever it costs."""
        self._submit_next(self._missing())

    def _on_explanation(self, *_: Any) -> None:
        """Judge another map; what was computed for a map that is gone gives way to the next."""
        missing = self._missing()
        if self._job is not None and self._job.request not in missing:
            self._job = None
            self.comparing = ""
            self.explorer.workspace.visitor.cancel(_SLOT)
        self._judge()
        self._compare_cheap()

    @once_a_turn
    def _judge(self) -> None:
        shown = self.explorer.explanation
        if shown is None:
            self.verdict = None
            return
        found = verdict(
            Checks(
                explanation=shown,
                reading=self.explorer.workspace.reading,
                audit=self.quality.audit,
                scores=self.quality.scores,
                others=self._others(),
            )
        )
        if found != self.verdict:
            self.verdict = found

    def _others(self) -> list[Explanation]:
        """The latest map of each other method for the question of the map that is shown."""
        request = self.explorer.request()
        if request is None:
            return []
        found = {
            earlier.method: answer
            for earlier, answer in self.explorer.history.values()
            if _same_question(earlier, request)
        }
        return [answer for method, answer in found.items() if method != request.method]

    def _compare_cheap(self, *_: Any) -> None:
        """Make the next cheap map, one after the other, so that a visitor hardly waits for one."""
        explorer = self.explorer
        seconds = {request: explorer.seconds(request.method) for request in self._missing()}
        self._submit_next(
            [
                request
                for request, estimate in seconds.items()
                if estimate is not None and estimate <= CHEAP_SECONDS
            ]
        )

    def _missing(self) -> list[Explain]:
        """The requests of the maps to compare with that are not there, in order."""
        explorer, facts = self.explorer, self.explorer.workspace.facts
        if facts is None or explorer.explanation is None:
            return []
        working = [name for name in COMPARED if METHODS[name].works_with(facts.access)]
        there = sum(explorer.cached(name) is not None for name in working)
        if there >= MAX_COMPARED:
            return []
        requests = [explorer.request(name) for name in working if explorer.cached(name) is None]
        return [request for request in requests if request and key(request) not in self._failed]

    def _submit_next(self, requests: list[Explain]) -> None:
        if not requests or self._job is not None:
            return
        self.comparing = METHODS[requests[0].method].title
        self._job = self.explorer.workspace.visitor.submit(requests[0], _SLOT)
        self._job.watch(self._on_map)

    def _on_map(self, job: Job) -> None:
        if job is not self._job or job.state not in ("done", "failed", "cancelled"):
            return
        self._job = None
        self.comparing = ""
        if job.state == "done":
            self.explorer.remember(job.request, job.answer, asked=False)
            self._compare_cheap()
        elif job.state == "failed":  # the verdict says that there is nothing to compare with
            self._failed.add(key(job.request))
            self._compare_cheap()

    def _try_another_method(self) -> None:
        """Show a map by a method that was not tried yet; the best ones first."""
        explorer, facts = self.explorer, self.explorer.workspace.facts
        others = [
            name
            for name in ALTERNATIVES
            if name != explorer.method and facts and METHODS[name].works_with(facts.access)
        ]
        untried = [name for name in others if explorer.cached(name) is None]
        if others:
            explorer.method = (untried or others)[0]
            self._run_if_slow()

    def _contrast_with_runner_up(self) -> None:
        explorer = self.explorer
        ranked = explorer.explanation.prediction.ranked if explorer.explanation else []
        if len(ranked) > 1:
            explorer.contrast = ranked[1]
            self._run_if_slow()

    def _run_if_slow(self) -> None:
        """Run what the visitor asked for by a button, although it takes a while."""
        if self.explorer.explanation is None and not self.explorer.running:
            self.explorer.run()


def _same_question(one: Explain, other: Explain) -> bool:
    """Whether two requests differ at most in the method and its settings."""
    return (one.model, one.file, one.window, one.question.target, one.question.contrast) == (
        other.model,
        other.file,
        other.window,
        other.question.target,
        other.question.contrast,
    )
