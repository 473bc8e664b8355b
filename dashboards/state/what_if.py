"""What if: parts of the input are hidden, and the model answers again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import param

from dashboards.service.hiding import WhatIf
from dashboards.service.requests import TRIM, Hide
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import error_text
from xai_tf.inputs.hiding import ERASE, FILLS

MAX_SHAPES = 60
MAX_NUMBERS = 2001  # of one stroke
TOOLS = ("", "box", "brush")


class WhatIfEditor(param.Parameterized):
    """What is hidden in the current sample, and the answer without it.

    Attributes:
        tool: what the pointer draws on the picture: "box", "brush", or "" for nothing.
        shapes: what was drawn, in the order of drawing; see `inputs.hiding.draw_shapes`.
        regions: (partition, region) names that are hidden.
        strongest: whether the strongest tenth of the current map is hidden.
        keep: whether only what is marked is kept.
        fill: how it is hidden, a name in `FILLS`, or `TRIM` for the times of a sound.
        result: the answer before and after; None while nothing is hidden.
        problem: the last error.
    """

    tool: param.Selector[str] = param.Selector(default="", objects=list(TOOLS))
    shapes = param.List(default=[])
    regions = param.List(default=[])
    strongest = param.Boolean(default=False)
    keep = param.Boolean(default=False)
    fill: param.Selector[str] = param.Selector(default=ERASE, objects=[*FILLS, TRIM])
    result = param.ClassSelector(class_=WhatIf)
    problem = param.String()

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer = explorer
        self._job: Job | None = None
        super().__init__(**params)
        explorer.workspace.param.watch(lambda *_: self.clear(), ["reading", "window"])
        explorer.param.watch(lambda _: self.strongest and self._ask(), "explanation")

    @property
    def fills(self) -> tuple[str, ...]:
        """The ways to hide that the current sample has."""
        sample = self.explorer.workspace.sample
        return (*FILLS, TRIM) if sample is not None and sample.sound is not None else FILLS

    @property
    def marked(self) -> bool:
        """Whether anything is marked."""
        return bool(self.shapes or self.regions or self.strongest)

    def draw(self, shape: object) -> None:
        """Add a shape drawn in the browser; anything that is no shape is ignored."""
        if (
            isinstance(shape, list)
            and 4 <= len(shape) <= MAX_NUMBERS
            and all(isinstance(number, int | float) and -1 <= number <= 2 for number in shape)
            and len(self.shapes) < MAX_SHAPES
        ):
            self.shapes = [*self.shapes, tuple(map(float, shape))]

    def undo(self) -> None:
        """Take the last shape back."""
        self.shapes = self.shapes[:-1]

    def toggle_region(self, partition: str, region: str) -> None:
        """Hide a region, or show it again."""
        name = (partition, region)
        others = [each for each in self.regions if each != name]
        self.regions = others if name in self.regions else [*others, name]

    def clear(self) -> None:
        """Show everything again."""
        fill = self.fill if self.fill in self.fills else ERASE
        self.param.update(
            shapes=[], regions=[], strongest=False, fill=fill, result=None, problem=""
        )

    @param.depends("shapes", "regions", "strongest", "keep", "fill", watch=True)
    def _ask(self) -> None:
        workspace = self.explorer.workspace
        workspace.visitor.cancel("what if")
        self._job = None
        if not self.marked or workspace.reading is None:
            self.param.update(result=None, problem="")
            return
        request = self.explorer.request() if self.strongest else None
        hidden = Hide(
            workspace.model,
            workspace.file,
            window=workspace.window,
            shapes=tuple(self.shapes),
            regions=tuple(self.regions),
            strongest=replace(request, since=None) if request else None,
            keep=self.keep,
            fill=self.fill,
        )
        self._job = workspace.visitor.submit(hidden, "what if")
        self._job.watch(self._on_answer)

    def _on_answer(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            self.param.update(result=job.answer, problem="")
        elif job.state == "failed":
            self.param.update(result=None, problem=error_text(job.error))
