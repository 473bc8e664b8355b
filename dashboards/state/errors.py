"""Error analysis: a model on a set of labeled files, and the files it got wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import param

from dashboards.language import t
from dashboards.service.errors import CancelledJobError
from dashboards.service.labeled import PeoplesMarks, inside, peoples_marks, thumbnail
from dashboards.service.requests import Explain, ModelEntry, Predict, Upload
from dashboards.state.errors_maps import CellMap, TileMaps
from dashboards.state.labeled_run import LabeledRun
from dashboards.state.neighbors import NeighborSearch
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS, default_method
from xai_tf.attribution.question import Question
from xai_tf.errors import InputError, XaiTfError
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.results import ALL, RIGHT, WRONG, EvaluationResults

if TYPE_CHECKING:
    from dashboards.service.service import Job
    from xai_tf.inputs.sample import Sample

PAGE = 24  # thumbnails per page
CHUNK = 6  # thumbnails that are drawn before the page is updated
QUICK_SECONDS = 3.0  # maps that take no longer are computed automatically
PREDICTED, TRUTH, CONTRAST = "predicted", "truth", "contrast"


class ErrorStudy(LabeledRun):
    """A visitor's evaluation of a model on labeled files, and the file they look at.

    Attributes:
        finding: of a model of several labels, the index of the label whose results are shown.
        label: index of the class whose one-vs-rest curves are shown.
        threshold: probability from which files are predicted as that class.
        cell: (true, predicted), the cell of the confusion matrix whose files are shown; None for
            all cells.
        shown: which files are shown: "all", "right" or "wrong".
        ranking: the numbers of the files shown, by falling margin: the worst mistakes first.
        page: page number of the gallery, from 0.
        thumbnails: for the files on that page, by number: JPEG bytes, or an error text.
        selected: the number of the selected file, or None.
        file: the record of the selected file, once it is read.
        window: the window of that file that the maps explain: of a long recording, the one that is
            most confident of the predicted class.
        maps: explanations of that file, by "predicted" and "truth"; for a model with several
            logits also by "contrast": why the predicted and not the true class.
        marked: what people marked in that file; None where the set brings no marks of it.
        map_problem: why there are no maps, or no marks.
        mapping: whether the maps are being computed.
        active: whether the tab is open; while it is not, no map of a tile is computed.
        open_request: the explanation to open in the Explain tab; set last, so that the page can
            react to it.
    """

    finding = param.Integer(default=0)
    label = param.Integer(default=1)
    threshold = param.Number(default=0.5, bounds=(0, 1))
    cell = param.NumericTuple(default=None, length=2, allow_None=True)
    shown: param.Selector[str] = param.Selector(default=WRONG, objects=[ALL, RIGHT, WRONG])
    ranking = param.List(default=[], item_type=int)
    page = param.Integer(default=0, bounds=(0, None))
    thumbnails = param.Dict(default={})
    selected = param.Integer(default=None, allow_None=True)
    file = param.ClassSelector(class_=Upload)
    window = param.Integer(default=0)
    method: param.Selector[str] = param.Selector(default=DEFAULT_METHOD, objects=list(METHODS))
    maps = param.Dict(default={})
    marked = param.ClassSelector(class_=PeoplesMarks)
    map_problem = param.String(default="")
    mapping = param.Boolean(default=False)
    active = param.Boolean(default=True)
    open_request = param.ClassSelector(class_=Explain)

    def __init__(self, *args: Any, **params: Any) -> None:
        """Start with the arguments of `LabeledRun`."""
        self._map_jobs: list[Job] = []
        super().__init__(*args, **params)
        self.neighbors = NeighborSearch(self)
        self.tile_maps = TileMaps(self)
        self.cell_map = CellMap(self)

    @property
    def speed(self) -> float:
        """Seconds of compute per file, for the model that made the predictions."""
        return self._facts.forward_seconds if self._facts else 0.0

    @property
    def margins(self) -> np.ndarray:
        """The margin of each file, which is what the gallery is ordered by."""
        return self.results.wrong_class_margin(self.threshold)

    @property
    def explained_model(self) -> ModelEntry:
        """The model that made the predictions."""
        return self.models[self.results.predictions.model]

    @property
    def quick_method(self) -> str:
        """The method for maps of many files: a cheap one that the model can be explained by."""
        return default_method(self._facts.access)

    def seconds_for(self, request: Explain, count: int = 1) -> float:
        """Estimated seconds for the maps of some files like that of a request."""
        return count * self._facts.seconds(request) if self._facts else 0.0

    @property
    def num_pages(self) -> int:
        """Number of pages of the gallery."""
        return -(-len(self.ranking) // PAGE)

    @property
    def on_page(self) -> list[int]:
        """The numbers of the files on the current page of the gallery."""
        return self.ranking[self.page * PAGE : (self.page + 1) * PAGE]

    @property
    def targets(self) -> dict[str, int]:
        """The classes that are explained for the selected file, the competing class first.

        Of several labels it is the one whose results are shown, whether it was found or not.
        """
        if self.several is not None:
            return {PREDICTED: self.finding}
        rival = self.results.contrast_class(self.selected, self.threshold)
        return {PREDICTED: rival, TRUTH: self.results.predictions.labels[self.selected]}

    def predicted_class(self, number: int) -> int:
        """The class that a map of a file is for: what was predicted, or the label shown."""
        if self.several is not None:
            return self.finding
        return int(self.results.predicted(self.threshold)[number])

    async def run(self) -> None:
        """Predict all files, then look for the training files of the set."""
        await super().run()
        await self.neighbors.find_training()

    def choose_cell(self, cell: tuple[int, int] | None) -> None:
        """Show the files of one cell of the confusion matrix; choosing it again shows all."""
        self.cell = None if cell == self.cell else cell

    def turn_page(self, by: int) -> None:
        """Turn the gallery forward by a number of pages; a negative one turns back."""
        self.page = min(max(self.page + by, 0), max(self.num_pages - 1, 0))

    async def draw_thumbnails(self) -> None:
        """Draw the thumbnails of the current page in chunks; stops if the page is turned."""
        numbers, results = self.on_page, self.results
        drawn = {number: self.thumbnails[number] for number in numbers if number in self.thumbnails}
        for number in numbers:
            if number not in drawn:
                drawn[number] = await asyncio.to_thread(self._thumbnail, results, number)
            if self.on_page != numbers or self.results is not results:
                return
            left = len(numbers) - len(drawn)
            if left == 0 or (len(drawn) % CHUNK == 0 and left >= CHUNK):
                self.thumbnails = dict(drawn)

    async def select(self, number: int | None) -> None:
        """Select a file: read it, and explain its predicted and its true class."""
        self.stop_maps()
        self.param.update(selected=number, file=None, window=0)
        if number is None:
            return
        results = self.results
        try:
            file = await asyncio.to_thread(self.record, results.predictions.files[number])
            window = await self.decisive_window(file, number, "errors window")
        except CancelledJobError:
            return
        except (XaiTfError, OSError) as error:
            if self._is_selected(results, number):
                name, reason = results.name(number), self.error_text(error)
                self.map_problem = t(
                    "Cannot read {name} any more: {reason}", name=name, reason=reason
                )
            return
        if self._is_selected(results, number):
            self.param.update(file=file, window=window)
            await self.explain_if_quick()

    async def decisive_window(self, file: Upload, number: int, slot: str) -> int:
        """The window of a file that is most confident of its predicted class.

        Raises:
            XaiTfError: the file cannot be read.
            CancelledJobError: the slot was taken by another file.
        """
        if file.kind != "sound":
            return 0
        reading = await self.visitor.submit(Predict(self.explained_model, file), slot).result()
        return int(reading.most_confident(self.predicted_class(number)))

    @property
    def map_seconds(self) -> float | None:
        """Estimated seconds for the maps; None until the speed of the model is known."""
        requests = self._map_requests()
        return (
            sum(map(self._facts.seconds, requests.values())) if requests and self._facts else None
        )

    async def explain_if_quick(self) -> None:
        """Compute the maps if that is quick; slow ones wait for `explain`."""
        self.stop_maps()
        if (self.map_seconds or 0) <= QUICK_SECONDS:
            await self.explain()

    async def explain(self) -> None:
        """Compute the maps of the selected file for the `targets`."""
        self.stop_maps()
        requests = self._map_requests()
        if not requests:
            return
        self.mapping = True
        self._map_jobs = jobs = [
            self.visitor.submit(request, f"errors {role}") for role, request in requests.items()
        ]
        try:
            maps = dict(zip(requests, [await job.result() for job in jobs], strict=True))
            problem = ""
        except CancelledJobError:
            maps, problem = {}, ""
        except XaiTfError as error:
            maps, problem = {}, self.error_text(error)
        marked = None
        if maps:
            try:
                marked = await asyncio.to_thread(self._marked, maps[PREDICTED].sample)
            except (XaiTfError, OSError) as error:
                problem = self.error_text(error)
        if jobs is self._map_jobs:
            self.stop_maps()  # if one job failed, the results of the others are not needed
            self.param.update(maps=maps, map_problem=problem, marked=marked)

    def stop_maps(self) -> None:
        """Stop computing maps and remove those that are shown."""
        for job in self._map_jobs:
            job.cancel()
        self._map_jobs = []
        self.param.update(maps={}, marked=None, map_problem="", mapping=False)

    def open_in_explain(self) -> None:
        """Ask the page to open the selected file in the Explain tab."""
        requests = self._map_requests()
        if requests:
            self.open_request = None
            self.open_request = requests[PREDICTED]

    @param.depends("results", "threshold", "cell", "shown", watch=True)
    def _rank(self) -> None:
        if self.results is not None:
            ranking = self.results.ranked(self.threshold, self.shown, self.cell)
            self.param.update(ranking=ranking, page=0)

    @param.depends("finding", watch=True)
    def _on_finding(self) -> None:
        """Show the results of another label, from its own threshold on."""
        if self.several is not None:
            self._reset()
            self.param.update(
                results=self.several.of_label(self.finding),
                threshold=self.several.predictions.thresholds[self.finding],
                cell=None,
                shown=WRONG,
            )

    def _show(
        self,
        results: EvaluationResults,
        several: LabelResults | None,
        measures: tuple[Any, ...],
    ) -> None:
        """Show new results, with all filters reset."""
        label = (results.classes_with_curve or (1,))[0]
        self._reset()
        self.thumbnails = {}
        if self._facts and not METHODS[self.method].works_with(self._facts.access):
            self.method = default_method(self._facts.access)
        self.param.update(
            results=results,
            several=several,
            finding=0,
            measures=list(measures),
            label=label,
            threshold=several.predictions.thresholds[0] if several else 0.5,
            cell=None,
            shown=WRONG,
        )

    def _reset(self) -> None:
        """Select no file."""
        self.stop_maps()
        self.param.update(selected=None, file=None, window=0)

    def _clear(self) -> None:
        self._reset()
        self.param.update(ranking=[], thumbnails={}, cell=None)
        super()._clear()

    def _is_selected(self, results: EvaluationResults, number: int) -> bool:
        return self.selected == number and self.results is results

    def _map_requests(self) -> dict[str, Explain]:
        if self.file is None or self.selected is None or self.results is None:
            return {}
        model = self.explained_model
        requests = {
            role: Explain(model, self.file, Question(self.method, target=target), self.window)
            for role, target in self.targets.items()
        }
        # A single logit is the difference of both classes, so the contrast adds nothing.
        if len(self.results.predictions.logits[0]) > 1 and METHODS[self.method].class_specific:
            for_predicted = requests[PREDICTED]
            question = replace(for_predicted.question, contrast=self.targets[TRUTH])
            requests[CONTRAST] = replace(for_predicted, question=question)
        return requests

    def _marked(self, sample: Sample) -> PeoplesMarks | None:
        """What people marked in the selected file; read from the disk."""
        results, number = self.results, self.selected
        if results is None or number is None:
            return None
        path = results.predictions.files[number]
        return peoples_marks(sample, path, results.predictions, self.readable)

    def _thumbnail(self, results: EvaluationResults, number: int) -> bytes | str:
        try:
            place = inside(results.predictions.files[number], self.readable)
            return thumbnail(place, self.models[results.predictions.model].task)
        except InputError as error:
            return self.error_text(error)
