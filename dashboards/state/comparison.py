"""Several explanations side by side: methods against classes, or methods against models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import param

from dashboards.service.requests import Explain, ModelEntry, key
from dashboards.service.service import Job
from dashboards.state.explorer import Explorer
from dashboards.state.progress import describe_progress
from dashboards.state.workspace import Workspace, hears
from xai_tf.agreement.agreement import Agreement, agreement, consensus
from xai_tf.agreement.disagreement import DisagreementMap, disagreement_map
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.rendering.heatmaps import limit

CLASSES, MODELS = "classes", "models"
MAX_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Cell:
    """One place of the grid.

    Attributes:
        request: what is asked there.
        explanation: the answer, or None.
        status: what is going on or went wrong, in words; empty when the answer is there.
        busy: whether it is being computed.
    """

    request: Explain
    explanation: Explanation | None = None
    status: str = ""
    busy: bool = False


class Comparison(param.Parameterized):
    """A grid of explanations of the sample on the bench.

    Attributes:
        methods: the rows, names in `METHODS`.
        across: what the columns are, "classes" or "models".
        classes: indices of the classes compared.
        models: names of the models compared.
        cells: by (row, column).
        running: how many cells are being computed.
        problem: why there is no grid; empty where there is one.
        active: whether it is looked at.
    """

    methods = param.ListSelector(
        default=["grad_cam", "saliency", "gradient_input"], objects=list(METHODS)
    )
    across = param.Selector(default=CLASSES, objects=[CLASSES, MODELS])
    classes = param.List(default=[], item_type=int)
    models = param.List(default=[], item_type=str)
    cells = param.Dict(default={})
    running = param.Integer(default=0)
    problem = param.String()
    active = param.Boolean()

    def __init__(self, workspace: Workspace, explorer: Explorer, **params: Any) -> None:
        self.workspace, self.explorer = workspace, explorer
        super().__init__(**params)
        workspace.param.watch(self._restart, ["reading", "window"])
        workspace.param.watch(self._facts_changed, "facts")
        explorer.param.watch(lambda *_: self._arrange(), ["seed", "settings"])
        explorer.param.watch(self._learn, "explanation")

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
        """What is still to compute will take so long; None while the speed is not known."""
        facts = self.workspace.facts
        if facts is None:
            return None
        open_cells = [cell.request for cell in self.cells.values() if not cell.explanation]
        return sum(facts.seconds(request) for request in open_cells)

    def comparable(self) -> list[ModelEntry]:
        """The models that can read the file on the bench and answer the same question."""
        chosen = self.workspace.model
        return [
            model
            for model in self.workspace.service.models.values()
            if chosen and model.task == chosen.task and hears(model) == hears(chosen)
        ]

    def run(self) -> None:
        """Compute what is missing."""
        for place, cell in self.cells.items():
            if not (cell.explanation or cell.busy):
                job = self.workspace.visitor.submit(cell.request, _slot(place))
                job.watch(lambda job, place=place: self._heard(place, job))

    def stop(self) -> None:
        """Stop what is being computed."""
        for place in self.cells:
            self.workspace.visitor.cancel(_slot(place))

    def end(self, row: int) -> float:
        """Where the scale of a row ends: its maps have one unit, so they share it."""
        return limit(self._of(row=row))

    def agreement(self, column: int) -> Agreement | None:
        """How far the methods agree on a column; None for fewer than two maps."""
        found = self._of(column=column)
        return agreement(found) if len(found) > 1 else None

    def consensus(self, column: int) -> np.ndarray | None:
        """What the methods of a column agree on: float32 (height, width) in [0, 1]."""
        found = self._of(column=column)
        return consensus(found) if len(found) > 1 else None

    def disagreement_map(self, column: int) -> DisagreementMap | None:
        """Where the methods of a column conflict."""
        found = self._of(column=column)
        return disagreement_map(found) if len(found) > 1 else None

    def of_column(self, column: int) -> list[Explanation]:
        """The explanations of a column, in the order of the methods."""
        return self._of(column=column)

    def _of(self, row: int | None = None, column: int | None = None) -> list[Explanation]:
        return [
            cell.explanation
            for (r, c), cell in sorted(self.cells.items())
            if cell.explanation and row in (None, r) and column in (None, c)
        ]

    def _facts_changed(self, *_: Any) -> None:
        facts = self.workspace.facts
        if facts and not facts.feature_layers:
            self.methods = [m for m in self.methods if not METHODS[m].needs_layer] or ["saliency"]
        self.param.trigger("cells")  # the cost is known now

    def _learn(self, *_: Any) -> None:
        """What was explained elsewhere meanwhile is in its place at once."""
        made = self.explorer.made
        known = {
            place: Cell(cell.request, made[key(cell.request)][1])
            for place, cell in self.cells.items()
            if not cell.explanation and key(cell.request) in made
        }
        if known:
            self.cells = {**self.cells, **known}

    def _restart(self, *_: Any) -> None:
        """Another sample or model: what is compared starts from what there is to compare."""
        reading = self.workspace.reading
        if reading is None:
            self._arrange()
            return
        order = np.argsort(-reading.prediction.probabilities, kind="stable")
        names = [model.name for model in self.comparable()]
        own = self.workspace.model.name
        kept = [name for name in self.models if name in names]
        others = [own, *(name for name in names if name != own)][:2]
        self.param.update(
            classes=[int(label) for label in order[:2]],
            models=kept if own in kept else others,
        )
        self._arrange()

    @param.depends("methods", "across", "classes", "models", watch=True)
    def _arrange(self) -> None:
        """Lay the grid out anew; what is known already is in its place at once.

        A place that asks the same as before stays as it is, and is computed on.
        """
        before = self.cells
        if self.workspace.reading is None:
            self.stop()
            self.param.update(cells={}, running=0)
            return
        columns = self.models if self.across == MODELS else self.classes
        cells = {}
        for row, method in enumerate(self.methods):
            for column, wanted in enumerate(columns[:MAX_COLUMNS]):
                cells[row, column] = self._cell(method, wanted, before.get((row, column)))
        for place in before:
            if cells.get(place) is not before[place]:
                self.workspace.visitor.cancel(_slot(place))
        self.param.update(cells=cells, running=sum(cell.busy for cell in cells.values()))

    def _cell(self, method: str, wanted: int | str, before: Cell | None) -> Cell:
        request = self.explorer.request(method)
        question = replace(request.question, contrast=None, layer=None, target=self._target(wanted))
        request = replace(request, question=question)
        if isinstance(wanted, str):
            model = self.workspace.service.models[wanted]
            request = replace(request, model=model)
        known = self.explorer.made.get(key(request))
        if known is None and before is not None and before.request == request:
            return before
        return Cell(request, known[1] if known else None)

    def _target(self, wanted: int | str) -> int | None:
        """The class explained: the one wanted, or that of the same name in another model."""
        if isinstance(wanted, int):
            return wanted
        model, prediction = self.workspace.service.models[wanted], self.workspace.reading.prediction
        if model is self.workspace.model:  # before loading it may not tell its classes
            return prediction.label
        return model.classes.index(prediction.name) if prediction.name in model.classes else None

    def _heard(self, place: tuple[int, int], job: Job) -> None:
        cell = self.cells.get(place)
        if cell is None or cell.request != job.request:
            return
        if job.state == "done":
            cell = Cell(cell.request, self.explorer.keep(job.request, job.answer))
        elif job.state == "failed":
            cell = Cell(cell.request, status=str(job.error))
        elif job.state == "cancelled":
            cell = Cell(cell.request, status="Stopped.")
        else:
            cell = Cell(cell.request, status=describe_progress(job), busy=True)
        cells = {**self.cells, place: cell}
        self.param.update(cells=cells, running=sum(cell.busy for cell in cells.values()))


def _slot(place: tuple[int, int]) -> str:
    return f"compare {place[0]} {place[1]}"
