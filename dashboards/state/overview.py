"""All files of a visitor at once: the answer about each, its doubt, and a first map."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import param

from dashboards.language import mark, t
from dashboards.service.errors import CancelledJobError
from dashboards.service.requests import Describe, Explain, ModelEntry, Predict, Request, Upload
from dashboards.state.explorer import Explorer
from dashboards.state.model_finder import ModelFinder
from dashboards.state.progress import error_text
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import default_method
from xai_tf.attribution.question import Question
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import XaiTfError
from xai_tf.files import spreadsheet_cell

UNKNOWN = mark("No model here knows it.")
COLUMNS = ("file", "model", "class", "probability", "ood_ratio", "doubt")
ORDER, DOUBT = "order", "doubt"


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """A file and what is known of it.

    Attributes:
        file: the file.
        model: the model that answered; None where none knows it.
        reading: its answer; None until it is there.
        explanation: a first map; None until it is there.
        problem: why there is none.
    """

    file: Upload
    model: ModelEntry | None = None
    reading: Reading | None = None
    explanation: Explanation | None = None
    problem: str = ""

    @property
    def doubt(self) -> float:
        """How doubtful the answer is: 2 and more without one, over 1 unlike the training data."""
        if self.reading is None:
            return 3.0 if self.problem else 2.0
        prediction, score = self.reading.prediction, self.reading.ood_score
        unsure = 1 - float(prediction.probabilities[prediction.label])
        return unsure + (1 if score is not None and score.out_of_distribution else 0)

    @property
    def cells(self) -> tuple[Any, ...]:
        """The values of `COLUMNS`."""
        if self.reading is None or self.model is None:
            return (self.file.name, "", "", "", "", self.problem)
        prediction, score = self.reading.prediction, self.reading.ood_score
        return (
            self.file.name,
            self.model.name,
            prediction.answer,
            f"{prediction.probabilities[prediction.label]:.4f}",
            "" if score is None else f"{score.ratio:.3f}",
            self.reading.ood_warning,
        )


class Overview(param.Parameterized):
    """The visitor's files with an answer and a map each.

    Attributes:
        rows: a `FileRow` per file, in the order they are shown.
        sort: "order" as they came, or "doubt", the most doubtful first.
        running: whether the files are being explained.
        done: number of files that were.
    """

    rows = param.List(default=[], item_type=FileRow)
    sort: param.Selector[str] = param.Selector(default=ORDER, objects=[ORDER, DOUBT])
    running = param.Boolean()
    done = param.Integer(default=0)

    def __init__(self, explorer: Explorer, **params: Any) -> None:
        self.explorer, self.workspace = explorer, explorer.workspace
        self._known: dict[str, FileRow] = {}  # by the file's hash
        self._run = object()  # a new one ends the run before
        self._search: ModelFinder | None = None
        self._searched = asyncio.Event()  # set when the search has ended, or was stopped
        super().__init__(**params)
        self.workspace.param.watch(self._arrange, ["files", "model"])
        self._arrange()

    async def run(self) -> None:
        """Find a model for each file, predict it, and explain the answer by a first method."""
        if self.running:
            return
        self._run = run = object()
        self.param.update(running=True, done=0)
        try:
            for file in tuple(self.workspace.files):
                row = await self._explained(file)
                if run is not self._run:
                    return
                self._known[file.sha256] = row
                self.done += 1
                self._arrange()
        finally:
            if run is self._run:
                self.running = False

    def stop(self) -> None:
        """Stop after what is there; also when the page closes."""
        self._run = object()
        if self._search is not None:
            self._search.cancel()
            self._searched.set()
        for slot in ("overview", "overview facts"):
            self.workspace.visitor.cancel(slot)
        self.running = False

    def table(self) -> bytes:
        """The rows as a CSV file."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows([spreadsheet_cell(cell) for cell in row.cells] for row in self.rows)
        return text.getvalue().encode()

    async def _explained(self, file: Upload) -> FileRow:
        model = self.workspace.model_of(file)
        try:
            model = model or await self._find(file)
            if model is None:
                return FileRow(file=file, problem=t(UNKNOWN))
            reading = await self._answer(Predict(model, file))
            facts = await self._answer(Describe(model), "overview facts")
            question = Question(default_method(facts.access), target=reading.prediction.label)
            request = Explain(model, file, question, reading.most_confident())
            explanation = self.explorer.remember(request, await self._answer(request))
        except CancelledJobError:
            return FileRow(file=file, model=model, problem=t("Stopped."))
        except XaiTfError as error:
            return FileRow(file=file, model=model, problem=error_text(error))
        return FileRow(file=file, model=model, reading=reading, explanation=explanation)

    async def _answer(self, request: Request, slot: str = "overview") -> Any:
        return await self.workspace.visitor.submit(request, slot).result()

    async def _find(self, file: Upload) -> ModelEntry | None:
        """The model that knows a file, or None.

        Raises:
            CancelledJobError: the search was stopped.
        """
        finished = self._searched = asyncio.Event()

        def changed() -> None:
            if search.match is not None:
                finished.set()

        self._search = search = ModelFinder(self.workspace.visitor, changed, slot="overview find")
        search.find(file, tuple(self.workspace.models.values()), None)
        await finished.wait()
        if search.match is None:
            raise CancelledJobError("The search for a model was stopped.")
        return search.match.model

    @param.depends("sort", watch=True)
    def _arrange(self, *_: Any) -> None:
        """Show what is known of each file; an answer of a model that was left is not shown."""
        rows = []
        for file in self.workspace.files:
            known, model = self._known.get(file.sha256), self.workspace.model_of(file)
            outdated = known is not None and model is not None and known.model != model
            rows.append(known if known and not outdated else FileRow(file=file))
        self.rows = _sorted(rows) if self.sort == DOUBT else rows


def _sorted(rows: Sequence[FileRow]) -> list[FileRow]:
    return sorted(rows, key=lambda row: -row.doubt)
