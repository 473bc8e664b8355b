"""Predictions of a model on a set of labeled files: checked, estimated and run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.errors import CancelledJobError
from dashboards.service.facts import ModelFacts
from dashboards.service.labeled import find_files, find_sets, inside, matching_model
from dashboards.service.requests import Describe, Evaluate, ModelEntry
from xai_tf.errors import SettingError, XaiTfError
from xai_tf.evaluation.results import EvaluationResults

if TYPE_CHECKING:
    from dashboards.service.service import Job, Visitor

SPLITS = {"All files": "", "Test": "test", "Validation": "validation", "Training": "train"}


class LabeledRun(param.Parameterized):
    """A visitor's run of a model on labeled files.

    Attributes:
        models: the models that can be evaluated, by name.
        model: the model that is evaluated.
        folder: the folder or CSV file of the set, as the visitor typed it.
        split: the split of the set, "" for all files.
        sets: the labeled sets that were found, by title.
        request: the evaluation that can be run: the folder is allowed and holds files of the
            model's classes. None otherwise.
        num_files: number of files in the request.
        seconds: estimated compute time without reading files; None until it is known.
        checking: whether the request is being checked.
        running: whether files are being predicted.
        done, total: number of files predicted, and in all.
        seconds_left: estimated time left of the run; None until it is known.
        problem: the last error, for the visitor.
        results: the results of the last run.
        measures: its metrics with confidence intervals.
    """

    models = param.Dict(default={})
    model = param.ClassSelector(class_=ModelEntry)
    folder = param.String(default="")
    split: param.Selector[str] = param.Selector(default="", objects=SPLITS)
    sets = param.Dict(default={})
    request = param.ClassSelector(class_=Evaluate)
    num_files = param.Integer(default=0)
    seconds = param.Number(default=None, allow_None=True)
    checking = param.Boolean(default=False)
    running = param.Boolean(default=False)
    done = param.Integer(default=0)
    total = param.Integer(default=0)
    seconds_left = param.Number(default=None, allow_None=True)
    problem = param.String(default="")
    results = param.ClassSelector(class_=EvaluationResults)
    measures = param.List(default=[])

    def __init__(
        self,
        visitor: Visitor,
        models: Mapping[str, ModelEntry],
        roots: Sequence[Path],
        **params: Any,
    ) -> None:
        """Start without a set.

        Args:
            visitor: submits the requests.
            models: the models that can be evaluated, by name.
            roots: the folders that visitors may read.
            params: initial values of the attributes.
        """
        self.visitor, self.roots = visitor, tuple(roots)
        self._checked_facts: ModelFacts | None = None  # of the model in `request`
        self._facts: ModelFacts | None = None  # of the model that made `results`
        self._job: Job | None = None
        self._matched_folder = ""  # the set whose classes have chosen the model
        params.setdefault("model", next(iter(models.values()), None))
        super().__init__(models=dict(models), **params)

    async def find_sets(self) -> None:
        """Find the labeled sets that can be chosen."""
        self.sets = await asyncio.to_thread(find_sets, self.roots)

    async def check(self) -> None:
        """Check what can be run: find the files and estimate the time."""
        choice = (self.model, self.folder, self.split)
        checked: dict[str, Any] = {
            "request": None,
            "num_files": 0,
            "seconds": None,
            "problem": "",
        }
        facts = None
        self.param.update(checking=bool(self.folder), **checked)
        if not self.folder or self.model is None:
            return
        try:
            request = Evaluate(self.model, inside(self.folder, self.roots), self.split)
            facts = await self.visitor.submit(Describe(self.model), "errors facts").result()
            if facts.description.get("thresholds"):
                raise SettingError(
                    f"{self.model.name} has several labels, and this tab takes models of one class "
                    "per file. Use the command: xai-tf errors FOLDER --model MODEL."
                )
            files = await asyncio.to_thread(find_files, request, facts.classes)
            checked["request"], checked["num_files"] = request, len(files.entries)
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
            place = inside(self.folder, self.roots)
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
            results = EvaluationResults(await job.result())
            measures = await asyncio.to_thread(results.measures)
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
            self._show(results, measures)

    def stop(self) -> None:
        """Stop the run."""
        self.visitor.cancel("errors run")

    def _on_update(self, job: Job) -> None:
        if job is self._job:
            self.param.update(
                done=job.done, total=job.total or self.total, seconds_left=job.seconds_left()
            )

    def _show(self, results: EvaluationResults, measures: tuple[Any, ...]) -> None:
        """Show new results."""
        self.param.update(results=results, measures=list(measures))

    def error_text(self, error: Exception) -> str:
        """The text of an error without the paths of this server's folders."""
        text = str(error)
        for root in self.roots:
            for path in (root.resolve(), root):
                text = text.replace(str(path), path.name)
        return text
