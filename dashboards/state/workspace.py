"""The bench: a visitor's files, the model they are put to, and what it says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import param

from dashboards.files.uploads import MEGABYTE, Uploads, safe_name
from dashboards.service.facts import ModelFacts
from dashboards.service.requests import Describe, ModelEntry, Predict, Upload
from dashboards.service.service import Job, Service, Visitor
from dashboards.state.progress import describe_progress
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import XaiTfError
from xai_tf.inputs.sample import Sample
from xai_tf.tasks import TASKS

LARGE = 5 * MEGABYTE  # bytes that take the event loop too long to check and to write


class Workspace(param.Parameterized):
    """What one visitor has before them.

    Attributes:
        files: those given or taken from the gallery, in the order they came.
        file: the one that is looked at.
        model: what predicts it.
        facts: what loading the model told; None until it is loaded.
        reading: the file as read, and its prediction; None until it is there.
        window: the number of the window looked at, in a long recording.
        working: what is being done right now, in words; empty when nothing is.
        problem: what went wrong last, for the visitor; stays until closed, or until what it is
            about is looked at no more.
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
        self._given: list[tuple[str, bytes]] = []  # and not yet taken in
        self._taking: asyncio.Task[None] | None = None
        self._described: ModelEntry | None = None
        self._put_to: dict[str, ModelEntry] = {}  # the model that looked last, by the file's hash
        self._passing = ""  # the problem that ends with this file and model
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

    def add(self, name: str, data: bytes) -> None:
        """Take a file in and look at it; what is wrong with it becomes the `problem`.

        A large file is looked at later, and whatever is given meanwhile comes after it.
        """
        if self._taking is None and len(data) <= LARGE:
            self._take(lambda: self.uploads.add(name, data))
            return
        waiting = sum(len(given) for _, given in self._given)
        if waiting + len(data) > self.uploads.limits.unfinished_bytes:
            self.problem = f"{safe_name(name)} came while others were being kept. Give it again."
            return
        self._given.append((name, data))
        if self._taking is None:
            self._taking = asyncio.get_running_loop().create_task(self._take_given())

    def show(self, file: Upload, model: str = "") -> None:
        """Look at a file, with a model of that name or one that can read it."""
        file = self.find(file.sha256) or file
        if file not in self.files:
            self.files = [*self.files, file]
        chosen = self.service.models.get(model) or self._model_for(file)
        if chosen is not None and not model:
            self.notice = self._on_choice(file, chosen) or self.notice
        looked_at = {"file": file, "model": chosen}
        # What param cannot compare, such as records, it takes for changed.
        self.param.update(**{n: new for n, new in looked_at.items() if new is not getattr(self, n)})

    def choose_model(self, name: str) -> None:
        """Put the file to another model."""
        if name in self.service.models and self.service.models[name] is not self.model:
            self.model = self.service.models[name]

    def step(self, by: int) -> None:
        """Go to the next or the previous file, round and round."""
        if self.files and self.file:
            at = [file.sha256 for file in self.files].index(self.file.sha256)
            self.show(self.files[(at + by) % len(self.files)])

    def remove(self, file: Upload) -> None:
        """Take a file off the bench; `undo` brings it back."""
        if self.find(file.sha256) is None:
            return
        self.files = [known for known in self.files if known.sha256 != file.sha256]
        self._removed.append(file)
        self.uploads.remove(file)
        if self.file and self.file.sha256 == file.sha256:
            if self.files:
                self.show(self.files[-1])
            else:
                self.file = None

    def undo(self) -> None:
        """Bring back the file removed last."""
        if not self._removed:
            return
        file = self._removed.pop()
        back = self.uploads.restore(file.sha256) or file
        if back.path.exists():
            self.show(back)
        else:
            self.problem = f"{file.name} had to make room for others. Give it again."
            self.param.trigger("files")  # there may be nothing to undo any more

    @property
    def can_undo(self) -> bool:
        """Whether a file was removed."""
        return bool(self._removed)

    def find(self, sha256: str) -> Upload | None:
        """The file of this visitor with a fingerprint."""
        return next((file for file in self.files if file.sha256 == sha256), None)

    def close(self) -> None:
        """End: stop the visitor's work and delete their files."""
        self._given.clear()
        if self._taking:
            self._taking.cancel()
        self.visitor.close()
        self.uploads.close()

    async def _take_given(self) -> None:
        """Take in what was given, one file after the other, in a thread."""
        try:
            while self._given:
                name, data = self._given[0]
                self.working = f"Keeping {safe_name(name)}"
                keep = asyncio.ensure_future(asyncio.to_thread(self.uploads.add, name, data))
                await asyncio.wait([keep])
                self.working = ""
                self._given.pop(0)
                self._take(keep.result)
        finally:
            self._taking = None

    def _take(self, keep: Callable[[], Upload]) -> None:
        try:
            self.show(keep())
        except XaiTfError as error:
            self.problem = str(error)

    @param.depends("file", "model", watch=True, on_init=True)
    def _look(self) -> None:
        """Forget the answers of another file or model, then ask."""
        self.visitor.cancel("read")
        other = self.model is not self._described
        forgotten = {"facts": None} if other else {}
        if self.problem == self._passing:
            forgotten["problem"] = ""
        self._described, self._passing = self.model, ""
        self.param.update(reading=None, window=0, working="", **forgotten)
        if self.model is None:
            return
        if self.file is not None:
            self._put_to[self.file.sha256] = self.model
        if other:
            self.visitor.submit(Describe(self.model), "describe").watch(self._heard_facts)
        if self.file is not None:
            self.visitor.submit(Predict(self.model, self.file), "read").watch(self._heard_reading)

    def _heard_facts(self, job: Job) -> None:
        if job.request.model is not self.model:
            return
        if job.state == "done":
            self.facts = job.answer
        elif job.state == "failed":
            self._fail(job)
        if self.file is None:
            over = job.state in ("done", "failed", "cancelled")
            self.working = "" if over else f"Loading {self.model.name}. {describe_progress(job)}"

    def _heard_reading(self, job: Job) -> None:
        if (job.request.model, job.request.file) != (self.model, self.file):
            return
        if job.state == "done":
            self.working = ""
            self.param.update(reading=job.answer, window=_telling_window(job.answer))
        elif job.state == "failed":
            self.working = ""
            self._fail(job)
        elif job.state != "cancelled":
            self.working = f"Reading {job.request.file.name}. {describe_progress(job)}"

    def _fail(self, job: Job) -> None:
        self.problem = self._passing = str(job.error)

    def _model_for(self, file: Upload) -> ModelEntry | None:
        """The model chosen, unless it takes sounds and the file is none, or the other way round."""
        if self.model is None or hears(self.model) == (file.kind == "sound"):
            return self.model
        before = self._put_to.get(file.sha256)
        if before is not None and (file.kind != "sound" or hears(before)):
            return before
        if file.kind != "sound":  # it may be a picture of a spectrogram
            return self.model
        return next((m for m in self.service.models.values() if hears(m)), self.model)

    def _on_choice(self, file: Upload, chosen: ModelEntry) -> str:
        """What to tell of a model that was chosen for a file; "" if it goes without saying."""
        if chosen is not self.model:
            what = "a sound" if file.kind == "sound" else "no sound"
            return f"{file.name} is {what}, so {chosen.name} looks at it."
        if file.kind != "sound" and hears(chosen) and file.sha256 not in self._put_to:
            return (
                f"{chosen.name} looks at pictures of spectrograms; choose another model for photos."
            )
        return ""


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
