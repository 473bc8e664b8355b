"""A model that the visitor brings: its file, its classes, and which preprocessing is right."""

from __future__ import annotations

import asyncio
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import param

from dashboards.files.own_models import OwnModels
from dashboards.files.uploads import safe_name
from dashboards.language import mark, t
from dashboards.service.errors import CancelledJobError
from dashboards.service.requests import ModelEntry, TryModel
from dashboards.service.trial import ModelTrial
from dashboards.state.progress import describe_progress
from xai_tf.classifiers.cards import with_scaling
from xai_tf.classifiers.class_names import parse_classes, read_classes
from xai_tf.errors import XaiTfError

if TYPE_CHECKING:
    from dashboards.service.service import Job
    from dashboards.state.workspace import Workspace

KINDS = {
    mark("Photo or other picture"): "photo",
    mark("Medical image"): "medical_image",
    mark("Sound"): "sound",
}
LABELS = (".txt", ".json", ".csv")
MAX_TEXT = 2**20  # bytes of a file with class names, or of a card


class OwnModel(param.Parameterized):
    """The model that a visitor is adding to theirs.

    Attributes:
        entry: the model as it was stored; None before one is dropped.
        classes: the names of its classes, separated by commas or lines; empty for those it knows.
        kind: what its files are, a value of `KINDS`.
        trial: what was found when it was loaded; None before.
        scaling: the preprocessing that is chosen, a name in `SCALINGS`; "" for none.
        working: progress text; empty when nothing runs.
        problem: the last error; empty when there is none.
    """

    entry = param.ClassSelector(class_=ModelEntry)
    classes = param.String()
    kind: param.Selector[str] = param.Selector(default="photo", objects=KINDS)
    trial = param.ClassSelector(class_=ModelTrial)
    scaling = param.String()
    working = param.String()
    problem = param.String()

    def __init__(self, workspace: Workspace, models: OwnModels, **params: Any) -> None:
        self.workspace, self.models = workspace, models
        self._card = b""  # of a card that was dropped with the model
        self._adding = asyncio.Lock()  # one file after the other
        super().__init__(**params)
        workspace.available.own = models.entries()

    async def add(self, name: str, data: bytes) -> None:
        """Take a dropped file: a model, the names of its classes, or its card."""
        async with self._adding:
            try:
                await self._add(name, data)
                self.problem = ""
            except XaiTfError as error:
                self.problem = str(error)
            finally:
                self.working = ""

    async def try_it(self) -> None:
        """Load the model, and predict the current file with each preprocessing."""
        self._forget_trial()
        if self.entry is None:
            self.problem = t("Drop the file of a model first.")
            return
        self.problem = ""
        try:
            classes = _class_names(self.classes)
            # A card says how files are read, unless it is that of another model.
            entry = replace(self.entry, task=None if self._card else self.kind)
            request = TryModel(entry, self.workspace.file, classes)
            job = self.workspace.visitor.submit(request, "own model")
            job.watch(self._on_update)
            trial = await job.result()
        except CancelledJobError:
            return
        except XaiTfError as error:
            self.problem = str(error)
            return
        finally:
            self.working = ""
        self.param.update(trial=trial, scaling=trial.card.scaling)

    async def use(self) -> None:
        """Add the model, with the chosen preprocessing, to those of the visitor."""
        if self.trial is None or self.entry is None or not self.scaling:
            return
        card = with_scaling(self.trial.card, self.scaling)
        try:
            entry = await asyncio.to_thread(self.models.use, self.entry, card)
        except XaiTfError as error:
            self.problem = str(error)
            return
        available = self.workspace.available
        available.own = {**available.own, entry.name: entry}
        self.param.update(entry=None, classes="", trial=None, scaling="", problem="")
        self._card = b""
        self.workspace.choose_model(entry.name)

    def remove_all(self) -> None:
        """Delete the visitor's models."""
        self.workspace.visitor.cancel("own model")
        available, model = self.workspace.available, self.workspace.model
        self.models.clear()
        if model is not None and model.private:
            server = [name for name in available.by_name if name not in available.own]
            self.workspace.choose_model(server[0] if server else "")
        available.own = {}
        self.param.update(entry=None, trial=None, scaling="", problem="")

    async def _add(self, name: str, data: bytes) -> None:
        self._forget_trial()
        if name.lower().endswith(LABELS):
            self.classes = "\n".join(_read_names(name, data))
        elif name.lower().endswith(".md"):
            self._card = data[:MAX_TEXT]
        else:
            self.working = t("Storing {name}", name=safe_name(name))
            taken = list(self.workspace.models)
            self.entry = await asyncio.to_thread(self.models.add, name, data, taken)
        if self._card and self.entry is not None:
            await asyncio.to_thread(self.models.add_card, self.entry, self._card)

    def _forget_trial(self) -> None:
        self.workspace.visitor.cancel("own model")
        self.param.update(trial=None, scaling="")

    def _on_update(self, job: Job) -> None:
        if job.state in ("waiting", "running"):
            self.working = (
                t("Loading {name}.", name=job.request.model.name) + f" {describe_progress(job)}"
            )


def _read_names(name: str, data: bytes) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"labels{Path(name).suffix.lower()}")
        file.write_bytes(data[:MAX_TEXT])
        try:
            return read_classes(file)
        except XaiTfError as error:
            raise type(error)(str(error).replace(str(file), safe_name(name))) from error


def _class_names(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        return tuple(lines)
    return parse_classes(re.sub(r"\.(txt|json|csv)$", "", lines[0])) or () if lines else ()
