"""The explorer: one explanation at a time, and the history of those computed before."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import param

from dashboards.language import number, t
from dashboards.service.jobs import OVER
from dashboards.service.requests import SAMPLES, Explain, ThroughLayers, key
from dashboards.service.service import Job
from dashboards.state.progress import describe_progress, error_text
from dashboards.state.workspace import Workspace
from dashboards.turns import turn
from xai_tf.attribution.convergence import DEFAULT_STABILITY, is_stable
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS, Value, default_method
from xai_tf.attribution.question import Question, sample_limit
from xai_tf.errors import SettingError

MAX_HISTORY = 200  # explanations per visitor: 0.2 MB each at 224 x 224, plus their pictures
QUICK_SECONDS = 1.5  # explanations that take no longer are computed automatically
QUICK_PASSES = 4  # and those of no more passes before the speed of the model is known
PREDICTED, NOTHING = -1, -1
_IDLE = {"running": False, "partial": None, "progress": 0.0, "status": ""}


class Explorer(param.Parameterized):
    """The explanation of the current sample, and the settings it is computed with.

    Attributes:
        method: a name in `METHODS`.
        target: index of the class explained; -1 is the predicted class.
        contrast: index of the class it is contrasted with; -1 is none.
        layer: the feature layer; "" is the last.
        seed: random seed of the stochastic methods.
        settings: by method, the settings that differ from the defaults.
        explanation: the result for the current settings; None until it is computed.
        partial: float32 (height, width), a preview of an explanation that runs or was stopped, or
            None.
        previewed: the name of a method whose stored map is shown for a moment, or "".
        running: whether the explanation is being computed.
        progress: share of the passes done, 0 to 1.
        status: progress text; empty when nothing runs.
        problem: the last error; stays until the settings change.
        layer_maps: one explanation per resolution of the network, for the layer picker.
        remembered: grows with every explanation that is added to the history.
        history: the explanations computed so far, with their requests, by key.
        unasked: the keys of those that the page made by itself and the visitor has not looked at.
    """

    method: param.Selector[str] = param.Selector(default=DEFAULT_METHOD, objects=list(METHODS))
    target = param.Integer(default=PREDICTED, bounds=(-1, None))
    contrast = param.Integer(default=NOTHING, bounds=(-1, None))
    layer = param.String(default="")
    seed = param.Integer(default=0, bounds=(0, 2**31 - 1))
    settings = param.Dict(default={})
    explanation = param.ClassSelector(class_=Explanation)
    partial = param.Array()
    previewed = param.String()
    running = param.Boolean()
    progress = param.Number(default=0.0, bounds=(0, 1))
    status = param.String()
    problem = param.String()
    layer_maps = param.List(default=[])
    remembered = param.Integer(default=0)

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        self.workspace = workspace
        self._job: Job | None = None
        self._layer_maps_job: Job | None = None
        self.history: dict[str, tuple[Explain, Explanation]] = {}
        self.unasked: set[str] = set()
        super().__init__(**params)
        workspace.param.watch(self._on_sample, ["reading", "window"])
        workspace.param.watch(self._on_facts, "facts")

    def request(self, method: str | None = None) -> Explain | None:
        """The current request, with this or another method; None without a prediction."""
        workspace = self.workspace
        if workspace.reading is None:
            return None
        name = method or self.method
        entry = METHODS[name]
        if entry.stochastic:
            return self._resuming(self._question(name))
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
        """Estimated seconds of the explanation; None until the model's speed is known."""
        request = self.request(method)
        if request is None or self.workspace.facts is None:
            return None
        return self.workspace.facts.seconds(request)

    def passes(self, method: str | None = None) -> str | None:
        """Number of passes through the network, in words; None until the model is loaded."""
        request, facts = self.request(method), self.workspace.facts
        return None if request is None or facts is None else facts.passes(request)

    def cached(self, method: str) -> Explanation | None:
        """The explanation by a method if it is in the history, or None."""
        request = self.request(method)
        entry = request and self.history.get(key(request))
        return entry[1] if entry else None

    def set(self, method: str, name: str, value: Value | None) -> None:
        """Change a setting of a method; only values that differ from the default are stored.

        Args:
            method: a name in `METHODS`.
            name: of the setting.
            value: the value; None for the default.

        Raises:
            SettingError: the value is out of range.
        """
        option = METHODS[method].options[name]
        chosen = {k: v for k, v in self.settings.get(method, {}).items() if k != name}
        if value is not None and value != option.default:
            METHODS[method].settings({name: value}, 0.0)
            chosen[name] = option.typed(value)
        self.settings = {**self.settings, method: chosen}

    def next_samples(self) -> int | None:
        """Twice the number of samples of the map shown, up to the maximum; None if impossible."""
        shown = self.explanation
        if shown is None or shown.convergence is None or shown.convergence.exact:
            return None
        current = shown.settings[SAMPLES]
        count = int(min(2 * current, shown.method.options[SAMPLES].high))
        return count if count > current else None

    def run_more(self) -> None:
        """Double the number of samples, resuming from those already taken."""
        count = self.next_samples()
        if count is not None:
            self.set(self.method, SAMPLES, count)
            if self.explanation is None:
                self.run()

    def until_stable(self) -> Explain | None:
        """The request to sample until the map is stable; None if it is, or is not sampled."""
        request, shown = self.request(), self.explanation
        if request is None or not METHODS[self.method].stochastic:
            return None
        convergence = shown and shown.convergence
        if convergence and (
            convergence.exact or is_stable(convergence.stability, DEFAULT_STABILITY)
        ):
            return None
        limit = max(sample_limit(METHODS[self.method], DEFAULT_STABILITY), request.samples)
        request = request.of_samples(limit)
        question = replace(request.question, until_stable=DEFAULT_STABILITY)
        return self._resuming(replace(request, question=question))

    def run_until_stable(self) -> None:
        """Sample until the map is stable; afterwards the setting holds the number of samples."""
        request = self.until_stable()
        if request is not None:
            self.problem = ""
            self._submit(request)

    def run(self) -> None:
        """Compute the explanation for the current settings."""
        request = self.request()
        if request is None or (self.running and self._job and self._job.request == request):
            return
        self.problem = ""
        self._submit(request)

    def choose(self, method: str) -> None:
        """Show the map of a method; it is computed even if that takes long."""
        with turn():
            self.param.update(method=method, previewed="")
            if self.explanation is None and not self.running:
                self.run()

    def stop(self) -> None:
        """Stop computing the explanation; what there is of the map stays."""
        self.workspace.visitor.cancel("explain")

    def run_layer_maps(self) -> None:
        """Compute the maps of the layer picker: all resolutions in one pass."""
        request = self.request()
        entry = METHODS[self.method]
        if request is None or not (entry.needs_layer and entry.class_specific):
            self.layer_maps = []
            return
        question = Question(
            request.method, target=request.question.target, contrast=request.question.contrast
        )
        sweep = ThroughLayers(request.model, request.file, question, request.window)
        self._layer_maps_job = self.workspace.visitor.submit(sweep, "layer maps")
        self._layer_maps_job.watch(self._on_layer_maps)

    def remember(self, request: Explain, answer: Explanation, *, asked: bool = True) -> Explanation:
        """Add an explanation to the history; the oldest are dropped beyond `MAX_HISTORY`.

        A run until stable is stored under the number of samples that it took. One that the visitor
        has not `asked` for is in no report before they look at it.
        """
        if request.question.until_stable is not None:
            request = request.of_samples(answer.settings[SAMPLES])
        if asked:
            self.unasked.discard(key(request))
        elif key(request) not in self.history:
            self.unasked.add(key(request))
        self.history[key(request)] = (request, answer)
        while len(self.history) > MAX_HISTORY:
            oldest = next(iter(self.history))
            del self.history[oldest]
            self.unasked.discard(oldest)
        self.remembered += 1
        return answer

    def looked_at(self, requests: Iterable[Explain]) -> None:
        """Count explanations as asked for, because the visitor sees them."""
        self.unasked -= set(map(key, requests))

    @param.depends("method", "target", "contrast", "layer", "seed", "settings", watch=True)
    def _refresh(self) -> None:
        """Show a stored explanation, compute a quick one, and leave a slow one to the visitor."""
        self._job, self.problem = None, ""
        self.workspace.visitor.cancel("explain")
        request, cached = self.request(), self.cached(self.method)
        if (
            request
            and cached is None
            and (self._is_quick(request) or self.workspace.service.has_answer(request))
        ):
            self._submit(request)
        else:
            if request and cached:
                self.looked_at([request])
            self.param.update(**_IDLE, explanation=cached)

    def _is_quick(self, request: Explain) -> bool:
        facts = self.workspace.facts
        if facts is not None:
            return facts.seconds(request) <= QUICK_SECONDS
        method = METHODS[request.method]
        settings = method.settings(request.question.given, 0.0)
        return method.cost(settings, (224, 224)).evaluations <= QUICK_PASSES

    def _submit(self, request: Explain) -> None:
        """Start computing; a stored answer is shown at once, without a blank in between."""
        self._job = None  # so that replacing it is not reported as stopped by the visitor
        self._job = self.workspace.visitor.submit(request, "explain")
        if self._job.state not in OVER:
            self.param.update(**_IDLE | {"running": True}, explanation=None)
        self._job.watch(self._on_update)

    def _resuming(self, request: Explain) -> Explain:
        """A request that resumes the longest earlier run of the same draws."""
        # How stable another method's map is says nothing of this one.
        draws = METHODS[request.method].draws if request.question.until_stable is None else ""
        runs = {
            explanation.settings[SAMPLES]: earlier
            for earlier, explanation in self.history.values()
            if (earlier.method == request.method or "" != METHODS[earlier.method].draws == draws)
            and earlier.draws == request.draws
            and explanation.settings[SAMPLES] <= request.samples
        }
        longest = replace(runs[max(runs)], since=None) if runs else None
        return replace(request, since=longest)

    def _on_sample(self, *_: Any) -> None:
        self._clear_layer_maps()
        if self.workspace.reading is None:  # the class indices belonged to another file or model
            self.param.update(target=PREDICTED, contrast=NOTHING)
        self._refresh()

    @param.depends("method", "target", "contrast", watch=True)
    def _clear_layer_maps(self) -> None:
        self._layer_maps_job = None
        self.workspace.visitor.cancel("layer maps")
        self.layer_maps = []

    def _on_facts(self, *_: Any) -> None:
        facts = self.workspace.facts
        if facts is None:
            return
        if self.layer and self.layer not in facts.feature_layers:
            self.layer = ""
        if not METHODS[self.method].works_with(facts.access):
            self.method = default_method(facts.access)
        elif self.explanation is None and not self.running:
            self._refresh()

    def _on_update(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            answer = self.remember(job.request, job.answer)
            if job.request.question.until_stable is not None:
                with suppress(SettingError):  # a store may hold runs below today's minimum
                    self.set(job.request.method, SAMPLES, answer.settings[SAMPLES])
            self.param.update(**_IDLE | {"progress": 1.0}, explanation=answer)
        elif job.state == "failed" and self.workspace.facts is None and self._is_quick(job.request):
            # The model may not work with this method; its facts will tell, and it is tried again.
            self.param.update(**_IDLE, explanation=None)
        elif job.state == "failed":
            self.param.update(**_IDLE | {"problem": error_text(job.error)}, explanation=None)
        elif job.state == "cancelled":
            cached = self.cached(self.method)  # the map before it was resumed
            partial = None if cached else self.partial
            self.param.update(
                **_IDLE | {"status": _stopped(job), "partial": partial}, explanation=cached
            )
        else:
            # param treats every assigned array as changed, which would redraw the preview.
            new = {} if job.partial is self.partial else {"partial": job.partial}
            progress = job.done / job.total if job.total else 0.0
            self.param.update(progress=progress, status=describe_progress(job), **new)

    def _on_layer_maps(self, job: Job) -> None:
        if job is not self._layer_maps_job:
            return
        if job.state == "done":
            self.layer_maps = job.answer
        elif job.state == "failed":
            self.problem = error_text(job.error)


def _stopped(job: Job) -> str:
    if job.done and job.total:
        done, total = number(job.done, ","), number(job.total, ",")
        return t("Stopped after {done} of {total} passes.", done=done, total=total)
    return t("Stopped.")
