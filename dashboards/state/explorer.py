"""The explorer: one explanation at a time, and those made before."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import param

from dashboards.service.jobs import OVER
from dashboards.service.requests import SAMPLES, Explain, ThroughLayers, key
from dashboards.service.service import Job
from dashboards.state.progress import describe_progress
from dashboards.state.workspace import Workspace
from xai_tf.attribution.convergence import DEFAULT_STABILITY, is_stable
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question, sample_limit
from xai_tf.errors import SettingError, XaiTfError

MAX_MADE = 200  # explanations that are kept for a visitor: 0.2 MB each of 224 x 224, and as drawn
QUICK_SECONDS = 1.5  # what takes no longer starts without being asked for
PREDICTED, NOTHING = -1, -1
_AT_REST = {"running": False, "partial": None, "progress": 0.0, "status": ""}


class Explorer(param.Parameterized):
    """Why a model says what it says of the sample on the bench.

    Attributes:
        method: a name in `METHODS`.
        target: index of the class explained; -1 is the predicted one.
        contrast: index of the class it is held against; -1 is none.
        layer: the feature layer looked at; "" is the last.
        seed: of the methods that draw random numbers.
        settings: by method, the settings that differ from the defaults.
        explanation: the answer to what is asked; None while there is none.
        partial: float32 (height, width), the map so far; None when there is none.
        running: whether it is being computed.
        progress: share of the passes done, 0 to 1.
        status: what is going on, in words; empty when nothing is.
        problem: what went wrong last; stays until something else is asked.
        stages: explanations through the layers, for the layer picker.
    """

    method = param.Selector(default="grad_cam", objects=list(METHODS))
    target = param.Integer(default=PREDICTED, bounds=(-1, None))
    contrast = param.Integer(default=NOTHING, bounds=(-1, None))
    layer = param.String(default="")
    seed = param.Integer(default=0, bounds=(0, 2**31 - 1), label="Seed")
    settings = param.Dict(default={})
    explanation = param.ClassSelector(class_=Explanation)
    partial = param.Array()
    running = param.Boolean()
    progress = param.Number(default=0.0, bounds=(0, 1))
    status = param.String()
    problem = param.String()
    stages = param.List(default=[])

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        self.workspace = workspace
        self._job: Job | None = None
        self._stages_of: Job | None = None
        self.made: dict[str, tuple[Explain, Explanation]] = {}
        super().__init__(**params)
        workspace.param.watch(self._sample_changed, ["reading", "window"])
        workspace.param.watch(self._facts_changed, "facts")

    def request(self, method: str | None = None) -> Explain | None:
        """What is asked for, by this or another method; None while there is nothing to explain."""
        workspace = self.workspace
        if workspace.reading is None:
            return None
        name = method or self.method
        entry = METHODS[name]
        if entry.stochastic:
            return self._going_on(self._question(name))
        return self._question(name)

    def _question(self, name: str) -> Explain:
        workspace, entry = self.workspace, METHODS[name]
        target = workspace.reading.prediction.label if self.target == PREDICTED else self.target
        question = Question(
            name,
            target=target,
            contrast=None if self.contrast in (NOTHING, target) else self.contrast,
            layer=self.layer or None if entry.needs_layer else None,
            seed=self.seed if entry.stochastic else 0,
            settings=self.settings.get(name, {}),
        )
        return Explain(workspace.model, workspace.file, question, workspace.window)

    def seconds(self, method: str | None = None) -> float | None:
        """What it will take, in seconds; None while the model's speed is not known."""
        request = self.request(method)
        if request is None or self.workspace.facts is None:
            return None
        return self.workspace.facts.seconds(request)

    def passes(self, method: str | None = None) -> int | None:
        """The passes through the network it will take."""
        request, facts = self.request(method), self.workspace.facts
        return None if request is None or facts is None else facts.cost(request).evaluations

    def known(self, method: str) -> Explanation | None:
        """The answer by a method, where this visitor has it already."""
        request = self.request(method)
        found = request and self.made.get(key(request))
        return found[1] if found else None

    def set(self, method: str, name: str, value: float) -> None:
        """Change a setting of a method; the default is not kept.

        Raises:
            SettingError: the value is out of range.
        """
        option = METHODS[method].options[name]
        METHODS[method].settings({name: value}, 0.0)
        chosen = {k: v for k, v in self.settings.get(method, {}).items() if k != name}
        if value != option.default:
            chosen[name] = option.number(value)
        self.settings = {**self.settings, method: chosen}

    def more(self) -> int | None:
        """How many samples a map has that has twice as many as this one; None for no such map."""
        shown = self.explanation
        if shown is None or shown.convergence is None or shown.convergence.exact:
            return None
        taken = shown.settings[SAMPLES]
        count = int(min(2 * taken, shown.method.options[SAMPLES].high))
        return count if count > taken else None

    def run_more(self) -> None:
        """Take as many samples again; what there are is gone on from."""
        count = self.more()
        if count is not None:
            self.set(self.method, SAMPLES, count)
            if self.explanation is None:
                self.run()

    def until_stable(self) -> Explain | None:
        """The request to go on until the map is stable; None where it is, or cannot be sampled."""
        request, shown = self.request(), self.explanation
        if request is None or not METHODS[self.method].stochastic:
            return None
        found = shown and shown.convergence
        if found and (found.exact or is_stable(found.stability, DEFAULT_STABILITY)):
            return None
        limit = max(sample_limit(METHODS[self.method], DEFAULT_STABILITY), request.samples)
        asked = request.of_samples(limit)
        asked = replace(asked, question=replace(asked.question, until_stable=DEFAULT_STABILITY))
        return self._going_on(asked)

    def run_until_stable(self) -> None:
        """Take samples until the map is stable; then the settings tell how many it took."""
        request = self.until_stable()
        if request is not None:
            self.problem = ""
            self._ask(request)

    def run(self) -> None:
        """Compute what is asked for."""
        request = self.request()
        if request is None or (self.running and self._job and self._job.request == request):
            return
        self.problem = ""
        self._ask(request)

    def stop(self) -> None:
        """Stop the work for good."""
        self.workspace.visitor.cancel("explain")

    def run_stages(self) -> None:
        """Compute the maps of the layer picker: all stages in one pass."""
        request = self.request()
        entry = METHODS[self.method]
        if request is None or not (entry.needs_layer and entry.class_specific):
            self.stages = []
            return
        question = Question(
            request.method, target=request.question.target, contrast=request.question.contrast
        )
        asked = ThroughLayers(request.model, request.file, question, request.window)
        self._stages_of = self.workspace.visitor.submit(asked, "stages")
        self._stages_of.watch(self._heard_stages)

    def keep(self, request: Explain, answer: Explanation) -> Explanation:
        """Remember an answer; the oldest go.

        That of a run until stable is the answer to the question of so many samples.
        """
        if request.question.until_stable is not None:
            request = request.of_samples(answer.settings[SAMPLES])
        self.made[key(request)] = (request, answer)
        while len(self.made) > MAX_MADE:
            del self.made[next(iter(self.made))]
        return answer

    @param.depends("method", "target", "contrast", "layer", "seed", "settings", watch=True)
    def _consider(self) -> None:
        """Show what is known, compute what is quick, and leave the rest to the visitor."""
        self._job, self.problem = None, ""
        self.workspace.visitor.cancel("explain")
        request, known, seconds = self.request(), self.known(self.method), self.seconds()
        quick = seconds is not None and seconds <= QUICK_SECONDS
        if request and known is None and (quick or self.workspace.service.knows(request)):
            self._ask(request)
        else:
            self.param.update(**_AT_REST, explanation=known)

    def _ask(self, request: Explain) -> None:
        """Let it be computed; where somebody knows it, it is shown at once, and nothing before."""
        self._job = None  # what is stopped by the next one was not stopped by the visitor
        self._job = self.workspace.visitor.submit(request, "explain")
        if self._job.state not in OVER:
            self.param.update(**_AT_REST | {"running": True}, explanation=None)
        self._job.watch(self._heard)

    def _going_on(self, request: Explain) -> Explain:
        """A request that goes on from the longest run there is of the same question."""
        asked = request.unsampled
        resume_from = {
            answer.settings[SAMPLES]: known
            for known, answer in self.made.values()
            if known.method == asked.method
            and known.unsampled == asked
            and answer.settings[SAMPLES] <= request.samples
        }
        longest = replace(resume_from[max(resume_from)], since=None) if resume_from else None
        return replace(request, since=longest)

    def _sample_changed(self, *_: Any) -> None:
        self._forget_stages()
        if self.workspace.reading is None:  # the classes of another file or model
            self.param.update(target=PREDICTED, contrast=NOTHING)
        self._consider()

    @param.depends("method", "target", "contrast", watch=True)
    def _forget_stages(self) -> None:
        self._stages_of = None
        self.workspace.visitor.cancel("stages")
        self.stages = []

    def _facts_changed(self, *_: Any) -> None:
        facts = self.workspace.facts
        if facts is None:
            return
        if self.layer and self.layer not in facts.feature_layers:
            self.layer = ""
        if not facts.feature_layers and METHODS[self.method].needs_layer:
            self.method = "saliency"
        elif self.explanation is None and not self.running:
            self._consider()

    def _heard(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            answer = self.keep(job.request, job.answer)
            if job.request.question.until_stable is not None:
                with suppress(SettingError):  # an older store knows runs of fewer than allowed now
                    self.set(job.request.method, SAMPLES, answer.settings[SAMPLES])  # finds it
            self.param.update(**_AT_REST | {"progress": 1.0}, explanation=answer)
        elif job.state == "failed":
            self.param.update(**_AT_REST | {"problem": _words(job.error)}, explanation=None)
        elif job.state == "cancelled":
            known = self.known(self.method)  # what there was, before it was gone on with
            self.param.update(**_AT_REST | {"status": "Stopped."}, explanation=known)
        else:
            # param takes every array for a new one, and a new one is drawn.
            new = {} if job.partial is self.partial else {"partial": job.partial}
            progress = job.done / job.total if job.total else 0.0
            self.param.update(progress=progress, status=describe_progress(job), **new)

    def _heard_stages(self, job: Job) -> None:
        if job is not self._stages_of:
            return
        if job.state == "done":
            self.stages = job.answer
        elif job.state == "failed":
            self.problem = _words(job.error)


def _words(error: XaiTfError | None) -> str:
    return str(error) if error else "It failed without saying why. Try again."
