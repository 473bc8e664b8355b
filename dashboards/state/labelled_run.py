"""A model on a folder of labelled files: chosen, costed and predicted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.errors import CancelledJobError
from dashboards.service.facts import ModelFacts
from dashboards.service.labelled import find_files, find_sets, inside
from dashboards.service.requests import Describe, Evaluate, ModelEntry
from xai_tf.errors import XaiTfError
from xai_tf.evaluation.results import EvaluationResults

if TYPE_CHECKING:
    from dashboards.service.service import Job, Visitor

PARTS = {"All files": "", "Test": "test", "Validation": "validation", "Training": "train"}


class LabelledRun(param.Parameterized):
    """What one visitor tries on labelled files.

    Attributes:
        model, folder, part: what is tried on what.
        sets: the labelled sets found, by what to call them.
        request: what can be run: the folder is allowed, and holds files of the model's classes.
        num_files: how many those are.
        seconds: what predicting them will take, without reading them; None while it isn't known.
        checking: whether that is being found out.
        running, done, total, seconds_left: of the run.
        problem: what went wrong last, for the visitor.
        results: of the last run.
        measures: its figures, with intervals.
    """

    model = param.ClassSelector(class_=ModelEntry)
    folder = param.String(default="")
    part = param.Selector(default="", objects=PARTS)
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
        """Start.

        Args:
            visitor: computes.
            models: those that can be tried, by name.
            roots: the folders that may be looked at.
            params: as the attributes.
        """
        self.visitor, self.models, self.roots = visitor, models, tuple(roots)
        self._picked: ModelFacts | None = None  # of the model that can be run
        self._facts: ModelFacts | None = None  # of the one that gave the answers
        self._job: Job | None = None
        params.setdefault("model", next(iter(models.values()), None))
        super().__init__(**params)

    async def look(self) -> None:
        """Find the sets that may be chosen."""
        self.sets = await asyncio.to_thread(find_sets, self.roots)

    async def check(self) -> None:
        """Find out what can be run: the files, and what they will cost."""
        asked = (self.model, self.folder, self.part)
        found, picked = {"request": None, "num_files": 0, "seconds": None, "problem": ""}, None
        self.param.update(checking=bool(self.folder), **found)
        if not self.folder or self.model is None:
            return
        try:
            request = Evaluate(self.model, inside(self.folder, self.roots), self.part)
            picked = await self.visitor.submit(Describe(self.model), "errors facts").result()
            files = await asyncio.to_thread(find_files, request, picked.classes)
            found["request"], found["num_files"] = request, len(files.entries)
            found["seconds"] = len(files.entries) * picked.forward_seconds
        except CancelledJobError:
            return  # something else was asked meanwhile
        except XaiTfError as error:
            found["problem"] = self.told(error)
        if asked == (self.model, self.folder, self.part):
            self._picked = picked
            self.param.update(checking=False, **found)

    async def run(self) -> None:
        """Predict all files; what was shown before goes when the new answers are there."""
        if self.request is None:
            return
        facts = self._picked
        self.param.update(running=True, done=0, total=self.num_files, seconds_left=None, problem="")
        self._job = job = self.visitor.submit(self.request, "errors run")
        job.watch(self._heard)
        try:
            results = EvaluationResults(await job.result())
            measures = await asyncio.to_thread(results.measures)
        except CancelledJobError:
            return
        except XaiTfError as error:
            self.problem = self.told(error)
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

    def _heard(self, job: Job) -> None:
        if job is self._job:
            self.param.update(
                done=job.done, total=job.total or self.total, seconds_left=job.seconds_left()
            )

    def _show(self, results: EvaluationResults, measures: tuple[Any, ...]) -> None:
        """Show new answers."""
        self.param.update(results=results, measures=list(measures))

    def told(self, error: Exception) -> str:
        """An error for a visitor, who need not know where folders lie on this server."""
        told = str(error)
        for root in self.roots:
            for place in (root.resolve(), root):
                told = told.replace(str(place), place.name)
        return told
