"""The training samples that are most similar to the selected file of an error study."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.errors import CancelledJobError
from dashboards.service.labeled import TrainingFiles, find_training, inside, thumbnail
from dashboards.service.requests import FindSimilar
from dashboards.state.protocols import Reviewed
from xai_tf.errors import InputError, XaiTfError
from xai_tf.evaluation.nearest import Neighbor

if TYPE_CHECKING:
    from dashboards.service.service import Job

SLOT = "errors neighbors"


@dataclass(frozen=True)
class NeighborTile:
    """A similar training sample with its picture.

    Attributes:
        neighbor: the sample and its distance.
        class_name: the name of its class.
        picture: JPEG bytes, or an error text.
    """

    neighbor: Neighbor
    class_name: str
    picture: bytes | str


class NeighborSearch(param.Parameterized):
    """The search for training samples similar to the selected file.

    Attributes:
        training: the training files of the set, or None if it has none.
        results: the most similar samples, the nearest first.
        searching: whether a search is running.
        done, total: files processed by the search, and in all; the first search computes the
            features of all training files.
        problem: the last error, for the visitor.
    """

    training = param.ClassSelector(class_=TrainingFiles)
    results = param.List(default=[], item_type=NeighborTile)
    searching = param.Boolean(default=False)
    done = param.Integer(default=0)
    total = param.Integer(default=0)
    problem = param.String(default="")

    def __init__(self, study: Reviewed, **params: Any) -> None:
        """Attach the search to an error study."""
        self._study = study
        self._job: Job | None = None
        super().__init__(**params)
        study.param.watch(lambda _: self.stop(), "file")

    @property
    def seconds(self) -> float:
        """Estimated compute time of the first search, without reading the files."""
        return self.training.count * self._study.speed

    async def find_training(self) -> None:
        """Find the training files of the evaluated set, where a file is of one class."""
        study, results = self._study, self._study.results
        if results is None or study.several is not None:
            self.training = None
            return
        predictions = results.predictions
        model = study.models[predictions.model]
        training = await asyncio.to_thread(
            find_training, predictions.folder, model, predictions.classes, study.readable
        )
        if results is study.results:
            self.training = training

    async def search(self) -> None:
        """Find the samples most similar to the selected file."""
        study, training = self._study, self.training
        if study.file is None or training is None:
            return
        predictions, file = study.results.predictions, study.file
        model = study.models[predictions.model]
        self.param.update(searching=True, done=0, total=0, results=[], problem="")
        self._job = job = study.visitor.submit(FindSimilar(model, file, training.source), SLOT)
        job.watch(self._on_update)
        tiles: list[NeighborTile] = []
        problem = ""
        try:
            neighbors = await job.result()
            tiles = await asyncio.to_thread(self._tiles, neighbors, predictions.classes, model.task)
        except CancelledJobError:
            return
        except XaiTfError as error:
            problem = study.error_text(error)
        finally:
            if job is self._job:
                self.searching = False
        if job is self._job and file is study.file:
            self.param.update(results=tiles, problem=problem)

    def stop(self) -> None:
        """Stop the search and clear its results."""
        self._job = None
        self._study.visitor.cancel(SLOT)
        self.param.update(searching=False, results=[], problem="")

    def _tiles(
        self, neighbors: list[Neighbor], classes: tuple[str, ...], task: str | None
    ) -> list[NeighborTile]:
        return [
            NeighborTile(neighbor, classes[neighbor.sample.label], self._picture(neighbor, task))
            for neighbor in neighbors
        ]

    def _picture(self, neighbor: Neighbor, task: str | None) -> bytes | str:
        try:
            return thumbnail(inside(neighbor.sample.path, self._study.readable), task)
        except InputError as error:
            return self._study.error_text(error)

    def _on_update(self, job: Job) -> None:
        if job is self._job:
            self.param.update(done=job.done, total=job.total or 0)
