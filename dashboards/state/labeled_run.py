"""Predictions of a model on a set of labeled files: checked, estimated and run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.language import library_text, mark, t
from dashboards.service.errors import CancelledJobError
from dashboards.service.facts import ModelFacts
from dashboards.service.labeled import (
    file_record,
    find_files,
    find_sets,
    inside,
    matching_model,
)
from dashboards.service.requests import Describe, Evaluate, ModelEntry, Upload
from dashboards.state.own_sets import OwnLabeled, own_title
from xai_tf.classifiers.class_names import readable
from xai_tf.errors import XaiTfError
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.predictions import LabeledFiles, Predictions
from xai_tf.evaluation.results import EvaluationResults

if TYPE_CHECKING:
    from dashboards.service.service import Job, Visitor

SPLITS = {
    mark("All files"): "",
    mark("Test"): "test",
    mark("Validation"): "validation",
    mark("Training"): "train",
}


class LabeledRun(param.Parameterized):
    """A visitor's run of a model on labeled files.

    Attributes:
        models: the models that can be evaluated, by name.
        model: the model that is evaluated.
        folder: the folder or CSV file of the set, as the visitor typed it.
        split: the split of the set, "" for all files.
        sets: the labeled sets that can be chosen, by title: the visitor's own, then those that
            were found on the server.
        request: the evaluation that can be run: the folder is allowed and holds files of the
            model's classes. None otherwise.
        num_files: number of files in the request.
        notes: what is to be known about these files, a sentence each.
        seconds: estimated compute time without reading files; None until it is known.
        checking: whether the request is being checked.
        running: whether files are being predicted.
        done, total: number of files predicted, and in all.
        seconds_left: estimated time left of the run; None until it is known.
        problem: the last error, for the visitor.
        results: the results of the last run; of a model of several labels, those of one label.
        several: of a model of several labels, the results of all labels; else None.
        measures: the metrics of the last run with confidence intervals.
    """

    models = param.Dict(default={})
    model = param.ClassSelector(class_=ModelEntry)
    folder = param.String(default="")
    split: param.Selector[str] = param.Selector(default="", objects=SPLITS)
    sets = param.Dict(default={})
    request = param.ClassSelector(class_=Evaluate)
    num_files = param.Integer(default=0)
    notes = param.List(default=[], item_type=str)
    seconds = param.Number(default=None, allow_None=True)
    checking = param.Boolean(default=False)
    running = param.Boolean(default=False)
    done = param.Integer(default=0)
    total = param.Integer(default=0)
    seconds_left = param.Number(default=None, allow_None=True)
    problem = param.String(default="")
    results = param.ClassSelector(class_=EvaluationResults)
    several = param.ClassSelector(class_=LabelResults)
    measures = param.List(default=[])

    def __init__(
        self,
        visitor: Visitor,
        models: Mapping[str, ModelEntry],
        roots: Sequence[Path],
        own: OwnLabeled | None = None,
        **params: Any,
    ) -> None:
        """Start without a set.

        Args:
            visitor: submits the requests.
            models: the models that can be evaluated, by name.
            roots: the folders that all visitors may read.
            own: the sets that this visitor brings, which nobody else may read.
            params: initial values of the attributes.
        """
        self.visitor, self.roots, self.own = visitor, tuple(roots), own
        self._found: dict[str, Path] = {}  # the sets on the server
        self._checked_facts: ModelFacts | None = None  # of the model in `request`
        self._facts: ModelFacts | None = None  # of the model that made `results`
        self._job: Job | None = None
        self._matched_folder = ""  # the set whose classes have chosen the model
        params.setdefault("model", next(iter(models.values()), None))
        super().__init__(models=dict(models), **params)
        if own is not None:
            own.param.watch(self._on_own, "sets")
            self._list_sets()

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders whose files this visitor may read."""
        return self.roots if self.own is None else (*self.roots, self.own.store.folder)

    @property
    def is_own(self) -> bool:
        """Whether the set is one of the visitor's own."""
        return self.own is not None and self.folder in map(own_title, self.own.sets)

    def record(self, path: Path) -> Upload:
        """The record of a file that this visitor may read. It is hashed, so not on the event loop.

        Raises:
            InputError: it is not there, or may not be read.
        """
        place = inside(path, self.readable)
        own = self.own is not None and place.is_relative_to(self.own.store.folder.resolve())
        return file_record(place, public=not own)

    async def find_sets(self) -> None:
        """Find the labeled sets that can be chosen."""
        self._found = await asyncio.to_thread(find_sets, self.roots)
        self._list_sets()

    def _list_sets(self) -> None:
        own = self.own.sets if self.own else {}
        self.sets = {own_title(name): one.path for name, one in own.items()} | self._found

    def _on_own(self, event: Any) -> None:
        """List the visitor's sets, choose a new one, and forget what was about deleted ones."""
        self._list_sets()
        self._matched_folder = ""  # a new set may have the name of a deleted one
        if added := [name for name in event.new if name not in event.old]:
            self.param.update(folder=own_title(added[-1]), split="")
            return
        if self.folder in map(own_title, event.old):
            self.folder = ""
        if self.results is not None and not self.results.predictions.folder.exists():
            self._clear()

    def _place(self) -> Path:
        """The folder or CSV file of the set."""
        own = self.own.sets if self.own else {}
        places = {own_title(name): one.path.resolve() for name, one in own.items()}
        return places.get(self.folder) or inside(self.folder, self.roots)

    async def check(self) -> None:
        """Check what can be run: find the files and estimate the time."""
        choice = (self.model, self.folder, self.split)
        checked: dict[str, Any] = {
            "request": None,
            "num_files": 0,
            "notes": [],
            "seconds": None,
            "problem": "",
        }
        facts = None
        self.param.update(checking=bool(self.folder), **checked)
        if not self.folder or self.model is None:
            return
        try:
            request = Evaluate(self.model, self._place(), self.split)
            facts = await self.visitor.submit(Describe(self.model), "errors facts").result()
            several = bool(facts.description.get("thresholds"))
            files = await asyncio.to_thread(find_files, request, facts.classes, several)
            checked["request"], checked["num_files"] = request, len(files.entries)
            checked["notes"] = [self.error_text(note) for note in _notes(files, facts.classes)]
            checked["seconds"] = len(files.entries) * facts.forward_seconds
        except CancelledJobError:
            return  # the visitor has chosen something else
        except XaiTfError as error:
            checked["problem"] = self.error_text(error)
            if await self._matched(choice):
                return  # the model that was chosen instead is checked by itself
        if choice == (self.model, self.folder, self.split):
            self._checked_facts = facts
            self.param.update(checking=False, **checked)

    async def _matched(self, choice: tuple[Any, ...]) -> bool:
        """Choose the model of a new set by its classes; a model chosen afterwards stays."""
        if self._matched_folder == self.folder:
            return False
        self._matched_folder = self.folder
        try:
            place = self._place()
        except XaiTfError:
            return False
        found = await asyncio.to_thread(
            matching_model, place, self.split, tuple(self.models.values())
        )
        if found is None or choice != (self.model, self.folder, self.split):
            return False
        self.model = found
        return True

    async def run(self) -> None:
        """Predict all files; earlier results stay visible until the new ones are there."""
        if self.request is None:
            return
        facts = self._checked_facts
        self.param.update(running=True, done=0, total=self.num_files, seconds_left=None, problem="")
        self._job = job = self.visitor.submit(self.request, "errors run")
        job.watch(self._on_update)
        try:
            predictions = await job.result()
            outcome = await asyncio.to_thread(_outcome, predictions)
        except CancelledJobError:
            return
        except XaiTfError as error:
            self.problem = self.error_text(error)
            return
        finally:
            if job is self._job:
                self.running = False
        if job is self._job:
            self._facts = facts
            self._show(*outcome)

    def stop(self) -> None:
        """Stop the run."""
        self.visitor.cancel("errors run")

    def _on_update(self, job: Job) -> None:
        if job is self._job:
            self.param.update(
                done=job.done, total=job.total or self.total, seconds_left=job.seconds_left()
            )

    def _show(
        self,
        results: EvaluationResults,
        several: LabelResults | None,
        measures: tuple[Any, ...],
    ) -> None:
        """Show new results."""
        self.param.update(results=results, several=several, measures=list(measures))

    def _clear(self) -> None:
        """Forget the results."""
        self.param.update(results=None, several=None, measures=[])

    def error_text(self, error: Exception | str) -> str:
        """The text of an error without the paths of this server's folders."""
        text = str(error)
        for one in self.own.sets.values() if self.own else ():
            text = text.replace(str(one.path.resolve()), one.name)
        for root in self.readable:
            for path in (root.resolve(), root):
                text = text.replace(str(path), path.name)
        return library_text(t(text))


def _notes(files: LabeledFiles, classes: Sequence[str]) -> list[str]:
    """What is to be known about labeled files before a model is run on them."""
    of_class = {entry.labels for entry in files.entries}
    notes = []
    if len(of_class) == 1 and len(files.entries[0].labels) == 1:
        name = classes[files.entries[0].label]
        notes.append(
            t(
                "All files are of class {name}, so only the recall of {name} can be measured.",
                name=readable(name),
            )
        )
    return [*notes, *(reason for _, reason in files.left_out)]


def _outcome(
    predictions: Predictions,
) -> tuple[EvaluationResults, LabelResults | None, tuple[Any, ...]]:
    """The results of one label or of the classes, those of several labels, and the metrics."""
    if not predictions.multi_label:
        results = EvaluationResults(predictions)
        return results, None, results.measures()
    several = LabelResults(predictions)
    _ = several.labels  # takes a second, and is kept
    return several.of_label(0), several, several.measures()
