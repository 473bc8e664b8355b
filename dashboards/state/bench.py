"""The bench: a visitor's files, the model they are put to, and what it says of them."""

from __future__ import annotations

from typing import Any

import param

from dashboards.service.requests import Describe, ModelEntry, ModelFacts, Predict, Upload
from dashboards.service.service import Job, Service, Visitor
from dashboards.uploads import Uploads
from xai_tf.errors import XaiTfError
from xai_tf.sample import Sample
from xai_tf.tasks import TASKS
from xai_tf.windows import Reading


class Bench(param.Parameterized):
    """What one visitor has before them.

    Attributes:
        files: those given or taken from the gallery, in the order they came.
        file: the one that is looked at.
        model: what predicts it.
        facts: what loading the model told; None until it is loaded.
        reading: the file as read, and its prediction; None until it is there.
        window: the number of the window looked at, in a long recording.
        working: what is being done right now, in words; empty when nothing is.
        problem: what went wrong last, for the visitor; stays until closed.
        notice: what the visitor should know; stays until closed.
    """

    files = param.List(default=[], item_type=Upload)
    file = param.ClassSelector(class_=Upload)
    model = param.ClassSelector(class_=ModelEntry)
    facts = param.ClassSelector(class_=ModelFacts)
    reading = param.ClassSelector(class_=Reading)
    window = param.Integer(default=0, bounds=(0, None))
    working = param.String()
    problem = param.String()
    notice = param.String()

    def __init__(self, service: Service, uploads: Uploads, **params: Any) -> None:
        self.service, self.uploads = service, uploads
        self.visitor: Visitor = service.visitor()
        self._removed: list[Upload] = []
        params.setdefault("model", next(iter(service.models.values()), None))
        super().__init__(**params)

    @property
    def sample(self) -> Sample | None:
        """The window that is looked at, as the model sees it."""
        return self.reading and self.reading.samples[self.window]

    @property
    def medical(self) -> bool:
        """Whether the model answers about a patient."""
        return self.model is not None and is_medical(self.model)

    def add(self, name: str, data: bytes) -> bool:
        """Take a file in and look at it; what is wrong with it becomes the `problem`."""
        try:
            return self.show(self.uploads.add(name, data))
        except XaiTfError as error:
            self.problem = str(error)
            return False

    def show(self, file: Upload, model: str = "") -> bool:
        """Look at a file, with a model of that name or one that can read it."""
        if file.sha256 not in [known.sha256 for known in self.files]:
            self.files = [*self.files, file]
        chosen = self.service.models.get(model) or self._model_for(file)
        if chosen is not self.model and not model and chosen is not None:
            self.notice = f"{file.name} is a sound, so {chosen.name} looks at it."
        self.param.update(file=file, model=chosen)
        return True

    def choose_model(self, name: str) -> None:
        """Put the file to another model."""
        if name in self.service.models:
            self.model = self.service.models[name]

    def step(self, by: int) -> None:
        """Go to the next or the previous file, round and round."""
        if self.files and self.file:
            at = [file.sha256 for file in self.files].index(self.file.sha256)
            self.file = self.files[(at + by) % len(self.files)]

    def remove(self, file: Upload) -> None:
        """Take a file off the bench; `undo` brings it back."""
        left = [known for known in self.files if known.sha256 != file.sha256]
        self._removed.append(file)
        self.uploads.remove(file)
        shown = self.file if self.file and self.file.sha256 != file.sha256 else None
        self.param.update(files=left, file=shown or (left[-1] if left else None))

    def undo(self) -> None:
        """Bring back the file removed last."""
        if self._removed:
            file = self._removed.pop()
            self.show(self.uploads.restore(file.sha256) or file, self.model.name)

    @property
    def can_undo(self) -> bool:
        """Whether a file was removed."""
        return bool(self._removed)

    def find(self, sha256: str) -> Upload | None:
        """The file of this visitor with a fingerprint."""
        return next((file for file in self.files if file.sha256 == sha256), None)

    def close(self) -> None:
        """End: stop the visitor's work and delete their files."""
        self.visitor.close()
        self.uploads.close()

    @param.depends("model", watch=True, on_init=True)
    def _describe(self) -> None:
        self.facts = None
        if self.model is not None:
            self.visitor.submit(Describe(self.model), "describe").watch(self._heard_facts)

    @param.depends("file", "model", watch=True, on_init=True)
    def _read(self) -> None:
        self.param.update(reading=None, window=0, problem="")
        self.visitor.cancel("read")
        if self.file is not None and self.model is not None:
            self.visitor.submit(Predict(self.model, self.file), "read").watch(self._heard_reading)

    def _heard_facts(self, job: Job) -> None:
        if job.request.model is not self.model:
            return
        if job.state == "done":
            self.facts = job.answer
        elif job.state == "failed":
            self.problem = str(job.error)
        self._tell()

    def _heard_reading(self, job: Job) -> None:
        if (job.request.model, job.request.file) != (self.model, self.file):
            return
        if job.state == "done":
            self.working = ""
            self.param.update(reading=job.answer, window=_telling_window(job.answer))
        elif job.state == "failed":
            self.param.update(working="", problem=str(job.error))
        else:
            again = ", again after a lost process" if job.retries else ""
            queue = f", {job.ahead} before you" if job.ahead else ""
            self.working = f"Reading {job.request.file.name}{queue}{again}"

    def _tell(self) -> None:
        if self.reading is None and self.file is None:
            self.working = "" if self.facts or self.problem else f"Loading {self.model.name}"

    def _model_for(self, file: Upload) -> ModelEntry | None:
        if file.kind != "sound" or (self.model and hears(self.model)):
            return self.model
        return next((m for m in self.service.models.values() if hears(m)), self.model)


def hears(model: ModelEntry) -> bool:
    """Whether a model takes sound."""
    return model.task is not None and ".wav" in TASKS[model.task].suffixes


def is_medical(model: ModelEntry) -> bool:
    """Whether a model answers about a patient."""
    return model.task is not None and TASKS[model.task].medical


def _telling_window(reading: Reading) -> int:
    """The window that speaks most for what the whole is called."""
    label = reading.prediction.label
    chances = [prediction.probabilities[label] for prediction in reading.predictions]
    return max(range(len(chances)), key=chances.__getitem__)
