"""Maps through the layers of a network, for two models side by side."""

from __future__ import annotations

from functools import partial
from typing import Any

import param

from dashboards.service.requests import ModelEntry, ThroughLayers
from dashboards.service.service import Job
from dashboards.state.model_finder import takes_sound
from dashboards.state.progress import describe_progress, error_text
from dashboards.state.workspace import Workspace
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question

SIDES = ("left", "right")
FOLLOWED = [m.name for m in METHODS.values() if m.needs_layer and m.class_specific]


class LayerSweep(param.Parameterized):
    """One map per resolution of the backbone, for the current sample.

    Attributes:
        method: one of `FOLLOWED`, the methods that explain any layer.
        left, right: names of the models; right "" for one model only.
        target: index of the class explained in the left model; the right model explains its class
            of the same name. -1 is the class that each model predicts.
        maps: by side, the explanations from the first resolution to the last.
        status: by side, progress or error text; "" when the maps are there.
        active: whether the Layers tab is open; nothing is computed before.
    """

    method: param.Selector[str] = param.Selector(default="grad_cam", objects=FOLLOWED)
    left = param.String()
    right = param.String()
    target = param.Integer(default=-1, bounds=(-1, None))
    maps = param.Dict(default={})
    status = param.Dict(default={})
    active = param.Boolean(default=False)

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        self.workspace = workspace
        self._jobs: dict[str, Job] = {}
        self._default_right = ""  # the model chosen for the right side when the sample came
        super().__init__(**params)
        workspace.param.watch(self._on_sample, ["reading", "window"])

    def choices(self) -> list[ModelEntry]:
        """The models that can read the current file, those of the same task first."""
        chosen = self.workspace.model
        models = list(self.workspace.models.values())
        alike = [m for m in models if chosen and takes_sound(m) == takes_sound(chosen)]
        return sorted(alike, key=lambda model: model.task != chosen.task)

    def classes(self) -> tuple[str, ...]:
        """The classes of the left model; empty if they are unknown until it is loaded."""
        workspace, model = self.workspace, self.workspace.models.get(self.left)
        if model is None:
            return ()
        if not model.classes and model is workspace.model and workspace.reading:
            return workspace.reading.prediction.classes
        return model.classes

    def _on_sample(self, *_: Any) -> None:
        if self.workspace.reading is None:
            self._submit()
            return
        names = [model.name for model in self.choices()]
        own = self.workspace.model.name
        other = self.right if self.right in names and self.right != own else ""
        same_task = [m.name for m in self.choices() if m.task == self.workspace.model.task]
        alone = self._default_right and not self.right  # the visitor removed the right model
        if not alone:
            other = other or next((name for name in same_task if name != own), "")
            self._default_right = other
        if (self.left, self.right, self.target) == (own, other, -1):
            self._submit()
        else:
            self.param.update(left=own, right=other, target=-1)  # which calls `_submit`

    @param.depends("method", "left", "right", "target", "active", watch=True)
    def _submit(self) -> None:
        self._jobs = {}
        for side in SIDES:
            self.workspace.visitor.cancel(f"layer_sweep {side}")
        self.param.update(maps={}, status={})
        if self.workspace.reading is None or not self.active:
            return
        for side in SIDES:
            model = self.workspace.models.get(getattr(self, side))
            if model is None:
                continue
            request = ThroughLayers(
                model=model,
                file=self.workspace.file,
                question=Question(self.method, target=self._target(model)),
                window=self.workspace.window if model.task == self.workspace.model.task else 0,
            )
            job = self._jobs[side] = self.workspace.visitor.submit(request, f"layer_sweep {side}")
            job.watch(partial(self._on_update, side))

    def _target(self, model: ModelEntry) -> int | None:
        classes = self.classes()
        if not 0 <= self.target < len(classes):
            return None
        if model.name == self.left:
            return self.target
        name = classes[self.target]
        return model.classes.index(name) if name in model.classes else None

    def _on_update(self, side: str, job: Job) -> None:
        if job is not self._jobs.get(side):
            return
        if job.state == "done":
            maps: list[Explanation] = job.answer
            self.param.update(maps={**self.maps, side: maps}, status={**self.status, side: ""})
        elif job.state != "cancelled":
            text = error_text(job.error) if job.state == "failed" else describe_progress(job)
            self.status = {**self.status, side: text}
