"""The training samples that look most similar to the file of an error study."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.errors import CancelledJobError
from dashboards.service.labelled import TrainingFiles, find_training, inside, thumbnail
from dashboards.service.requests import FindSimilar
from dashboards.state.protocols import Reviewed
from xai_tf.errors import InputError, XaiTfError
from xai_tf.evaluation.nearest import Neighbor

if TYPE_CHECKING:
    from dashboards.service.service import Job

SLOT = "errors similar"


@dataclass(frozen=True)
class Shown:
    """A similar training sample, with its picture: JPEG bytes, or why there is none."""

    similar: Neighbor
    class_name: str
    picture: bytes | str


class NeighborSearch(param.Parameterized):
    """What a visitor sees beside a mistake of what was trained on.

    Attributes:
        training: the training files of the set, or None where it names none.
        found: the most similar samples, the nearest first.
        seeking, done, total: of the search; the first one computes features of all the files.
        problem: what went wrong, for the visitor.
    """

    training = param.ClassSelector(class_=TrainingFiles)
    found = param.List(default=[], item_type=Shown)
    seeking = param.Boolean(default=False)
    done = param.Integer(default=0)
    total = param.Integer(default=0)
    problem = param.String(default="")

    def __init__(self, study: Reviewed, **params: Any) -> None:
        """Start beside a study."""
        self._study = study
        self._job: Job | None = None
        super().__init__(**params)
        study.param.watch(lambda _: self.stop(), "file")

    @property
    def seconds(self) -> float:
        """What the first search will take, without reading the files."""
        return self.training.count * self._study.speed

    async def look(self) -> None:
        """Find the training files of the set that the answers are about."""
        study, results = self._study, self._study.results
        if results is None:
            return
        predictions = results.predictions
        model = study.models[predictions.model]
        found = await asyncio.to_thread(
            find_training, predictions.folder, model, predictions.classes, study.roots
        )
        if results is study.results:
            self.training = found

    async def seek(self) -> None:
        """Find the samples most similar to the file that is looked at."""
        study, training = self._study, self.training
        if study.file is None or training is None:
            return
        predictions, file = study.results.predictions, study.file
        model = study.models[predictions.model]
        self.param.update(seeking=True, done=0, total=0, found=[], problem="")
        self._job = job = study.visitor.submit(FindSimilar(model, file, training.source), SLOT)
        job.watch(self._heard)
        shown: list[Shown] = []
        why = ""
        try:
            similar = await job.result()
            shown = await asyncio.to_thread(self._shown, similar, predictions.classes, model.task)
        except CancelledJobError:
            return
        except XaiTfError as error:
            why = study.told(error)
        finally:
            if job is self._job:
                self.seeking = False
        if job is self._job and file is study.file:
            self.param.update(found=shown, problem=why)

    def stop(self) -> None:
        """Want none."""
        self._job = None
        self._study.visitor.cancel(SLOT)
        self.param.update(seeking=False, found=[], problem="")

    def _shown(
        self, similar: list[Neighbor], classes: tuple[str, ...], task: str | None
    ) -> list[Shown]:
        return [Shown(one, classes[one.sample.label], self._picture(one, task)) for one in similar]

    def _picture(self, one: Neighbor, task: str | None) -> bytes | str:
        try:
            return thumbnail(inside(one.sample.path, self._study.roots), task)
        except InputError as error:
            return self._study.told(error)

    def _heard(self, job: Job) -> None:
        if job is self._job:
            self.param.update(done=job.done, total=job.total or 0)
