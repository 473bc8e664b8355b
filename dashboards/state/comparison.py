"""A grid of explanations: methods by classes, or methods by models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import param

from dashboards.language import t
from dashboards.service.requests import Explain, ModelEntry, key
from dashboards.service.service import Job
from dashboards.state.explorer import NOTHING, PREDICTED, Explorer
from dashboards.state.model_finder import takes_sound
from dashboards.state.progress import describe_progress, error_text
from dashboards.state.workspace import Workspace
from xai_tf.agreement.agreement import Agreement, agreement, consensus
from xai_tf.agreement.disagreement import DisagreementMap, disagreement_map
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, default_method
from xai_tf.rendering.heatmaps import limit

CLASSES, MODELS = "classes", "models"
MAX_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell of the grid.

    Attributes:
        request: the explanation shown in this cell.
        explanation: the result, or None until it is computed.
        status: progress or error text; empty once the result is there.
        busy: whether it is being computed.
    """

    request: Explain
    explanation: Explanation | None = None
    status: str = ""
    busy: bool = False


class Comparison(param.Parameterized):
    """A grid of explanations of the current sample.

    Attributes:
        methods: the rows, names in `METHODS`.
        across: what the columns are, "classes" or "models".
        classes: indices of the classes compared.
        models: names of the models compared.
        cells: the `Cell`s by (row, column).
        running: number of cells that are being computed.
        problem: why there is no grid; empty if there is one.
        active: whether the Compare tab is open.
    """

    methods = param.ListSelector(
        default=["squared_ig", "grad_cam", "saliency"], objects=list(METHODS)
    )
    across: param.Selector[str] = param.Selector(default=CLASSES, objects=[CLASSES, MODELS])
    classes = param.List(default=[], item_type=int)
    models = param.List(default=[], item_type=str)
    cells = param.Dict(default={})
    running = param.Integer(default=0)
    problem = param.String()
    active = param.Boolean()

    def __init__(self, workspace: Workspace, explorer: Explorer, **params: Any) -> None:
        self.workspace, self.explorer = workspace, explorer
        super().__init__(**params)
        workspace.param.watch(self._on_sample, ["reading", "window"])
        workspace.param.watch(self._on_facts, "facts")
        explorer.param.watch(lambda *_: self._arrange(), ["seed", "settings"])
        explorer.param.watch(self._on_explanation, ["explanation", "remembered"])
        explorer.param.watch(self._on_question, ["target", "contrast"])

    @param.depends("active", "cells", watch=True)
    def _on_shown(self) -> None:
        if self.active:
            self.explorer.looked_at(cell.request for cell in self.cells.values())

    @property
    def columns(self) -> list[str]:
        """The titles of the columns."""
        if self.workspace.reading is None:
            return []
        if self.across == MODELS:
            return self.models[:MAX_COLUMNS]
        return [self.workspace.reading.prediction.classes[c] for c in self.classes[:MAX_COLUMNS]]

    @property
    def seconds(self) -> float | None:
        """Estimated seconds for the missing cells; None until the model's speed is known."""
        facts = self.workspace.facts
        if facts is None:
            return None
        open_cells = [cell.request for cell in self.cells.values() if not cell.explanation]
        return sum(facts.seconds(request) for request in open_cells)

    def comparable(self) -> list[ModelEntry]:
        """The models that can read the current file and belong to the same task."""
        chosen = self.workspace.model
        return [
            model
            for model in self.workspace.models.values()
            if chosen and model.task == chosen.task and takes_sound(model) == takes_sound(chosen)
        ]

    def run(self) -> None:
        """Compute the missing cells."""
        for place, cell in self.cells.items():
            if not (cell.explanation or cell.busy):
                job = self.workspace.visitor.submit(cell.request, _slot(place))
                job.watch(partial(self._on_update, place))

    def stop(self) -> None:
        """Stop all running computations of the grid."""
        for place in self.cells:
            self.workspace.visitor.cancel(_slot(place))

    def end(self, row: int) -> float:
        """The end of a row's color scale: its maps have the same unit, so they share one."""
        return limit(self._of(row=row))

    def agreement(self, column: int) -> Agreement | None:
        """How far the methods agree on a column; None for fewer than two maps."""
        maps = self._of(column=column)
        return agreement(maps) if len(maps) > 1 else None

    def consensus(self, column: int) -> np.ndarray | None:
        """What the methods of a column agree on: float32 (height, width) in [0, 1]."""
        maps = self._of(column=column)
        return consensus(maps) if len(maps) > 1 else None

    def disagreement_map(self, column: int) -> DisagreementMap | None:
        """Where the methods of a column disagree; None for fewer than two maps."""
        maps = self._of(column=column)
        return disagreement_map(maps) if len(maps) > 1 else None

    def of_column(self, column: int) -> list[Explanation]:
        """The explanations of a column, in the order of the methods."""
        return self._of(column=column)

    def _of(self, row: int | None = None, column: int | None = None) -> list[Explanation]:
        return [
            cell.explanation
            for (r, c), cell in sorted(self.cells.items())
            if cell.explanation and row in (None, r) and column in (None, c)
        ]

    def _on_facts(self, *_: Any) -> None:
        facts = self.workspace.facts
        if facts:
            working = [name for name in self.methods if METHODS[name].works_with(facts.access)]
            if working != self.methods:
                self.methods = working or [default_method(facts.access)]
        self.param.trigger("cells")  # the estimated time can be shown now

    def _on_explanation(self, *_: Any) -> None:
        """Fill in explanations that were computed on another tab."""
        history = self.explorer.history
        filled = {
            place: Cell(cell.request, history[key(cell.request)][1])
            for place, cell in self.cells.items()
            if not cell.explanation and key(cell.request) in history
        }
        if filled:
            self.cells = {**self.cells, **filled}

    def _on_sample(self, *_: Any) -> None:
        """Choose default columns for another sample or model."""
        reading = self.workspace.reading
        if reading is None:
            self._arrange()
            return
        order = reading.prediction.ranked
        names = [model.name for model in self.comparable()]
        own = self.workspace.model.name
        still_comparable = [name for name in self.models if name in names]
        default = [own, *(name for name in names if name != own)][:2]
        self.param.update(
            classes=order[:2],
            models=still_comparable if own in still_comparable else default,
        )
        self._arrange()

    def _on_question(self, *_: Any) -> None:
        """Begin with the class under study, and the one it is contrasted with."""
        reading = self.workspace.reading
        if reading is None:
            return
        order, explorer = reading.prediction.ranked, self.explorer
        first = order[0] if explorer.target == PREDICTED else explorer.target
        others = [label for label in (explorer.contrast, *order) if label not in (NOTHING, first)]
        self.classes = [first, *others[:1]]

    @param.depends("methods", "across", "classes", "models", watch=True)
    def _arrange(self) -> None:
        """Rebuild the grid, with the explanations that exist already filled in.

        A cell whose request has not changed is kept, and its computation goes on.
        """
        before = self.cells
        if self.workspace.reading is None:
            self.stop()
            self.param.update(cells={}, running=0)
            return
        columns = self.models if self.across == MODELS else self.classes
        cells = {}
        for row, method in enumerate(self.methods):
            for column, choice in enumerate(columns[:MAX_COLUMNS]):
                cells[row, column] = self._cell(method, choice, before.get((row, column)))
        for place in before:
            if cells.get(place) is not before[place]:
                self.workspace.visitor.cancel(_slot(place))
        self.param.update(cells=cells, running=sum(cell.busy for cell in cells.values()))

    def _cell(self, method: str, choice: int | str, before: Cell | None) -> Cell:
        current: Any = self.explorer.request(method)  # there is one while there is a reading
        question = replace(current.question, contrast=None, layer=None, target=self._target(choice))
        request: Explain = replace(current, question=question)
        if isinstance(choice, str):
            request = replace(request, model=self.workspace.models[choice])
        computed = self.explorer.history.get(key(request))
        if computed is None and before is not None and before.request == request:
            return before
        return Cell(request, computed[1] if computed else None)

    def _target(self, choice: int | str) -> int | None:
        """The index of a chosen class, or of the predicted class in a chosen model."""
        if isinstance(choice, int):
            return choice
        model, prediction = self.workspace.models[choice], self.workspace.reading.prediction
        if model is self.workspace.model:  # its classes may be unknown until it is loaded
            return prediction.label
        return model.classes.index(prediction.name) if prediction.name in model.classes else None

    def _on_update(self, place: tuple[int, int], job: Job) -> None:
        cell = self.cells.get(place)
        if cell is None or cell.request != job.request:
            return
        if job.state == "done":
            cell = Cell(cell.request, self.explorer.remember(job.request, job.answer))
        elif job.state == "failed":
            cell = Cell(cell.request, status=error_text(job.error))
        elif job.state == "cancelled":
            cell = Cell(cell.request, status=t("Stopped."))
        else:
            cell = Cell(cell.request, status=describe_progress(job), busy=True)
        cells = {**self.cells, place: cell}
        self.param.update(cells=cells, running=sum(cell.busy for cell in cells.values()))


def _slot(place: tuple[int, int]) -> str:
    return f"compare {place[0]} {place[1]}"
