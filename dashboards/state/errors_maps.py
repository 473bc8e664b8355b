"""The maps of many files of an error study: one for each tile, and the mean of a cell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import param

from dashboards.language import t
from dashboards.service.errors import CancelledJobError
from dashboards.service.requests import Average, Explain
from dashboards.state.protocols import Reviewed
from xai_tf.attribution.question import Question
from xai_tf.errors import XaiTfError
from xai_tf.evaluation.mean_map import MeanMap
from xai_tf.rendering.viewer import thumbnail_url

if TYPE_CHECKING:
    from dashboards.service.service import Job

TILE_SLOT, CELL_SLOT = "errors tile", "errors cell"
QUICK_SECONDS = 3.0  # a mean map that takes no longer is computed unasked


class TileMaps(param.Parameterized):
    """The maps of the tiles on the current page of the gallery, one after the other.

    Attributes:
        shown: whether the tiles show maps.
        maps: data URLs of small pictures by (number of the file, class explained); "" where there
            is none.
    """

    shown = param.Boolean()
    maps = param.Dict(default={})

    def __init__(self, study: Reviewed, **params: Any) -> None:
        """Attach the maps to an error study."""
        self._study = study
        self._turn = object()  # a new one ends the work for an earlier page
        super().__init__(**params)
        study.param.watch(self._on_results, "results")

    def url(self, number: int) -> str:
        """The map of a file if it is there and wanted; else ""."""
        if not self.shown:
            return ""
        return self.maps.get((number, self._study.predicted_class(number)), "")

    async def draw(self) -> None:
        """Compute what is missing on the current page; ends when another page is shown."""
        self._turn = turn = object()
        study = self._study
        if not (self.shown and study.active) or study.results is None:
            study.visitor.cancel(TILE_SLOT)
            return
        for number in study.on_page:
            key = number, study.predicted_class(number)
            if key in self.maps:
                continue
            try:
                drawn = await self._map(*key, turn)
            except CancelledJobError:
                return
            except (XaiTfError, OSError):  # of a file that is gone, the tile shows no picture
                drawn = ""
            if turn is not self._turn:
                return
            self.maps = {**self.maps, key: drawn}

    async def _map(self, number: int, target: int, turn: object) -> str:
        study = self._study
        file = await asyncio.to_thread(study.record, study.results.predictions.files[number])
        if turn is not self._turn:  # the slot belongs to another page
            raise CancelledJobError("Another page is shown.")
        window = await study.decisive_window(file, number, TILE_SLOT)
        question = Question(study.quick_method, target=target)
        request = Explain(study.explained_model, file, question, window)
        return thumbnail_url(await study.visitor.submit(request, TILE_SLOT).result())

    def _on_results(self, event: Any) -> None:
        """Forget the maps of other files; the labels of one run have the same."""
        same = (
            event.old and event.new and event.old.predictions.files is (event.new.predictions.files)
        )
        if not same:
            self._turn = object()
            self._study.visitor.cancel(TILE_SLOT)
            self.maps = {}


class CellMap(param.Parameterized):
    """The mean map of the files in the chosen cell of the confusion matrix.

    Attributes:
        result: the mean map; None until it is computed.
        count: number of files in the cell; 0 while none is chosen.
        seconds: estimated compute time.
        running: whether it is being computed.
        done: number of files explained.
        problem: the last error, for the visitor.
    """

    result = param.ClassSelector(class_=MeanMap)
    count = param.Integer(default=0)
    seconds = param.Number(default=0.0)
    running = param.Boolean()
    done = param.Integer(default=0)
    problem = param.String()

    def __init__(self, study: Reviewed, **params: Any) -> None:
        """Attach the map to an error study."""
        self._study = study
        self._job: Job | None = None
        self._files: tuple[int, ...] = ()  # the numbers of those in the cell
        super().__init__(**params)

    async def prepare(self) -> None:
        """Forget the map of another cell, and compute that of the chosen one if it is quick."""
        study = self._study
        chosen = study.cell is not None and study.results is not None
        numbers = tuple(study.ranking) if chosen else ()
        if numbers == self._files and self._job is not None:
            return
        self.stop()
        self._files = numbers
        self.param.update(result=None, count=len(numbers), problem="")
        if not numbers:
            return
        file = await asyncio.to_thread(self._record, numbers[0])
        if file is None or numbers != self._files:
            return
        request = Explain(study.explained_model, file, self._question())
        self.seconds = study.seconds_for(request, len(numbers))
        if self.seconds <= QUICK_SECONDS:
            await self.run()

    async def run(self) -> None:
        """Compute the mean map."""
        study, numbers = self._study, self._files
        if not numbers:
            return
        self.param.update(running=True, done=0, problem="")
        records = await asyncio.to_thread(lambda: [self._record(number) for number in numbers])
        if numbers != self._files or not self.running:
            return
        files = tuple(file for file in records if file is not None)
        if not files:
            self.param.update(running=False, problem=t("The files of this cell are gone."))
            return
        request = Average(study.explained_model, files, self._question())
        self._job = job = study.visitor.submit(request, CELL_SLOT)
        job.watch(self._on_update)
        try:
            result, problem = await job.result(), ""
        except CancelledJobError:
            return
        except XaiTfError as error:
            result, problem = None, study.error_text(error)
        if job is self._job:
            self.param.update(result=result, running=False, problem=problem)

    def stop(self) -> None:
        """Stop computing."""
        self._job = None
        self._study.visitor.cancel(CELL_SLOT)
        self.running = False

    def _question(self) -> Question:
        study = self._study
        return Question(study.quick_method, target=study.predicted_class(self._files[0]))

    def _record(self, number: int) -> Any:
        try:
            return self._study.record(self._study.results.predictions.files[number])
        except (XaiTfError, OSError):
            return None

    def _on_update(self, job: Job) -> None:
        if job is self._job:
            self.done = job.done
