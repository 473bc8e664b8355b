"""The study of errors: a model on a folder of labelled files, and what it got wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import param

from dashboards.service.errors import CancelledJobError
from dashboards.service.labelled import file_record, inside, thumbnail
from dashboards.service.requests import Explain, Upload
from dashboards.state.labelled_run import LabelledRun
from dashboards.state.neighbors import NeighborSearch
from xai_tf.attribution.methods import METHODS
from xai_tf.errors import InputError, XaiTfError
from xai_tf.evaluation.results import ALL, RIGHT, WRONG, EvaluationResults

if TYPE_CHECKING:
    from dashboards.service.service import Job

PAGE = 24  # thumbnails
CHUNK = 6  # of them are shown at a time
QUICK_SECONDS = 3.0  # maps that take no longer start without being asked for
CALLED, TRUTH, CONTRAST = "called", "truth", "contrast"


class ErrorStudy(LabelledRun):
    """What one visitor tries on labelled files, and looks at of the outcome.

    Attributes:
        label: index of the class whose curves are shown, against the rest.
        threshold: from which probability that class is called.
        cell: (true, called), the cell of the confusion matrix whose files are shown; None for all.
        shown: which files are shown: "all", "right" or "wrong".
        ranking: the numbers of the files shown, the worst mistakes first.
        page: of the gallery.
        thumbnails: of the files on that page, by number: JPEG bytes, or why there is none.
        selected: the number of the file looked at; None while there is none.
        file: its record, once it is read.
        maps: explanations of that file, by "called" and "truth"; where several logits make that
            another map, also by "contrast": why the one and not the other.
        map_problem: why there are none.
        mapping: whether they are being computed.
        opened: what the visitor wants to see in Explain; set last, for the page to follow.
    """

    label = param.Integer(default=1)
    threshold = param.Number(default=0.5, bounds=(0, 1))
    cell = param.NumericTuple(default=None, length=2, allow_None=True)
    shown = param.Selector(default=WRONG, objects=[ALL, RIGHT, WRONG])
    ranking = param.List(default=[], item_type=int)
    page = param.Integer(default=0, bounds=(0, None))
    thumbnails = param.Dict(default={})
    selected = param.Integer(default=None, allow_None=True)
    file = param.ClassSelector(class_=Upload)
    method = param.Selector(default="grad_cam", objects=list(METHODS))
    maps = param.Dict(default={})
    map_problem = param.String(default="")
    mapping = param.Boolean(default=False)
    opened = param.ClassSelector(class_=Explain)

    def __init__(self, *args: Any, **params: Any) -> None:
        """Start, as a `LabelledRun`."""
        self._map_jobs: list[Job] = []
        super().__init__(*args, **params)
        self.similar = NeighborSearch(self)

    @property
    def speed(self) -> float:
        """Seconds of computing for a file, by the model that gave the answers."""
        return self._facts.forward_seconds if self._facts else 0.0

    @property
    def num_pages(self) -> int:
        """Of the gallery."""
        return -(-len(self.ranking) // PAGE)

    @property
    def on_page(self) -> list[int]:
        """The numbers of the files on the page of the gallery."""
        return self.ranking[self.page * PAGE : (self.page + 1) * PAGE]

    @property
    def targets(self) -> dict[str, int]:
        """The classes whose maps are shown of the selected file, the rival first."""
        rival = self.results.contrast_class(self.selected, self.threshold)
        return {CALLED: rival, TRUTH: self.results.predictions.labels[self.selected]}

    async def run(self) -> None:
        """Predict all files, then see whether there are training files to find similar ones in."""
        await super().run()
        await self.similar.look()

    def choose_cell(self, cell: tuple[int, int] | None) -> None:
        """Show the files of a cell of the confusion matrix; the same once more shows all again."""
        self.cell = None if cell == self.cell else cell

    def turn(self, by: int) -> None:
        """Turn the pages of the gallery."""
        self.page = min(max(self.page + by, 0), max(self.num_pages - 1, 0))

    async def draw_thumbnails(self) -> None:
        """Draw the thumbnails of the page, some at a time, as long as it is looked at."""
        asked, results = self.on_page, self.results
        drawn = {number: self.thumbnails[number] for number in asked if number in self.thumbnails}
        for number in asked:
            if number not in drawn:
                drawn[number] = await asyncio.to_thread(self._thumbnail, results, number)
            if self.on_page != asked or self.results is not results:
                return
            left = len(asked) - len(drawn)
            if left == 0 or (len(drawn) % CHUNK == 0 and left >= CHUNK):
                self.thumbnails = dict(drawn)

    async def select(self, number: int | None) -> None:
        """Look at a file: read it, and explain what it is called and what it is."""
        self.stop_maps()
        self.param.update(selected=number, file=None)
        if number is None:
            return
        results = self.results
        try:
            place = inside(results.predictions.files[number], self.roots)
            file = await asyncio.to_thread(file_record, place)
        except (XaiTfError, OSError) as error:
            if self._looks_at(results, number):
                name, why = results.name(number), self.told(error)
                self.map_problem = f"{name} cannot be read any more: {why}"
            return
        if self._looks_at(results, number):
            self.file = file
            await self.explain_if_quick()

    @property
    def map_seconds(self) -> float | None:
        """What the maps will take; None while the speed of the model is not known."""
        requests = self._map_requests()
        return (
            sum(map(self._facts.seconds, requests.values())) if requests and self._facts else None
        )

    async def explain_if_quick(self) -> None:
        """Compute the maps, unless they take long: then it waits for `explain`."""
        self.stop_maps()
        if (self.map_seconds or 0) <= QUICK_SECONDS:
            await self.explain()

    async def explain(self) -> None:
        """Compute the maps of what the selected file is called, of what it is, and why not."""
        self.stop_maps()
        asked = self._map_requests()
        if not asked:
            return
        self.mapping = True
        self._map_jobs = jobs = [
            self.visitor.submit(request, f"errors {side}") for side, request in asked.items()
        ]
        try:
            maps, why = dict(zip(asked, [await job.result() for job in jobs], strict=True)), ""
        except CancelledJobError:
            maps, why = {}, ""
        except XaiTfError as error:
            maps, why = {}, self.told(error)
        if jobs is self._map_jobs:
            self.stop_maps()  # where one failed, the other is of no use
            self.param.update(maps=maps, map_problem=why)

    def stop_maps(self) -> None:
        """Want no maps: those on their way are stopped, those shown go."""
        for job in self._map_jobs:
            job.cancel()
        self._map_jobs = []
        self.param.update(maps={}, map_problem="", mapping=False)

    def open_in_explain(self) -> None:
        """Ask the page to show the selected file in Explain."""
        requests = self._map_requests()
        if requests:
            self.opened = None
            self.opened = requests[CALLED]

    @param.depends("results", "threshold", "cell", "shown", watch=True)
    def _rank(self) -> None:
        if self.results is not None:
            ranking = self.results.ranked(self.threshold, self.shown, self.cell)
            self.param.update(ranking=ranking, page=0)

    def _show(self, results: EvaluationResults, measures: tuple[Any, ...]) -> None:
        """Show new answers from their beginning."""
        label = (results.classes_with_curve or (1,))[0]
        self.stop_maps()
        self.param.update(selected=None, file=None, thumbnails={})
        if self._facts and not self._facts.feature_layers and METHODS[self.method].needs_layer:
            self.method = "saliency"
        self.param.update(
            results=results,
            measures=list(measures),
            label=label,
            threshold=0.5,
            cell=None,
            shown=WRONG,
        )

    def _looks_at(self, results: EvaluationResults, number: int) -> bool:
        return self.selected == number and self.results is results

    def _map_requests(self) -> dict[str, Explain]:
        if self.file is None or self.selected is None or self.results is None:
            return {}
        predictions = self.results.predictions
        model = self.models[predictions.model]
        wanted = {
            side: Explain(model, self.file, self.method, target=target)
            for side, target in self.targets.items()
        }
        # One logit is the difference of the classes: the contrast is the called class's own map.
        if len(predictions.logits[0]) > 1 and METHODS[self.method].class_specific:
            wanted[CONTRAST] = replace(wanted[CALLED], contrast=self.targets[TRUTH])
        return wanted

    def _thumbnail(self, results: EvaluationResults, number: int) -> bytes | str:
        try:
            place = inside(results.predictions.files[number], self.roots)
            return thumbnail(place, self.models[results.predictions.model].task)
        except InputError as error:
            return self.told(error)
