"""The workspace: a visitor's files, the model that reads them, and its prediction."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import param

from dashboards.files.drops import Drop, Rejections
from dashboards.files.uploads import MEGABYTE, Uploads, safe_name
from dashboards.language import library_text, t
from dashboards.service.facts import ModelFacts
from dashboards.service.jobs import OVER
from dashboards.service.requests import Describe, FullPicture, ModelEntry, Predict, Upload
from dashboards.service.service import Job, Service, Visitor
from dashboards.state.answers import answer_summary
from dashboards.state.model_finder import Match, ModelFinder, reads, takes_sound
from dashboards.state.models import Models
from dashboards.state.progress import describe_progress, error_text
from dashboards.turns import turn
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import XaiTfError
from xai_tf.inputs.sample import Sample
from xai_tf.tasks import find_task

LARGE = 5 * MEGABYTE  # larger files are checked and written in a thread
PICTURE_SIDE = 1600  # pixels of the longer side of the picture that is shown
THUMBNAIL_SIDE = 96


class Workspace(param.Parameterized):
    """The files of one visitor, and the file and model that are shown.

    Attributes:
        files: the uploaded files and chosen samples, in the order they came.
        file: the current file.
        model: the current model.
        match: which model knows the current file; None while that is looked for, and where the
            visitor chose the model.
        picture: a data URL of the current picture file at its own resolution; "" for a sound, and
            where the model sees only a part of it.
        plot: the inside of the axes as PNG or JPEG, where the current picture is one of a plot.
        thumbnails: data URLs of small pictures of the files, by SHA-256.
        answers: the last answer about each file and its doubt, (text, whether it is doubtful), by
            SHA-256.
        facts: the facts of the model; None until it is loaded.
        reading: the file as read, with its prediction; None until it is there.
        window: the number of the current window of a long recording.
        working: progress text; empty when nothing runs.
        problem: the last error; stays until closed, or until its file or model is left.
        notice: a hint for the visitor; stays until closed, or until what it is about is left.
    """

    files = param.List(default=[], item_type=Upload)
    file = param.ClassSelector(class_=Upload)
    model = param.ClassSelector(class_=ModelEntry)
    match = param.ClassSelector(class_=Match)
    picture = param.String()
    plot = param.Bytes(default=b"")
    thumbnails = param.Dict(default={})
    answers = param.Dict(default={})
    facts = param.ClassSelector(class_=ModelFacts)
    reading = param.ClassSelector(class_=Reading)
    window = param.Integer(default=0, bounds=(0, None))
    working = param.String()
    problem = param.String()
    notice = param.String()

    def __init__(self, service: Service, uploads: Uploads, **params: Any) -> None:
        self.service, self.uploads = service, uploads
        self.available = Models(service)
        self.visitor: Visitor = service.visitor()
        self._removed: list[Upload] = []
        self._rejections = Rejections()
        self._queue: list[
            tuple[str, bytes, Drop | None]
        ] = []  # uploads that have not been checked yet
        self._queue_task: asyncio.Task[None] | None = None
        self._described: ModelEntry | None = None
        self._last_model: dict[str, ModelEntry] = {}  # the last model used, by the file's hash
        self._preferred: dict[str, ModelEntry] = {}  # the last model used, by the kind of file
        self._plot_sought: Upload | None = None  # the file that is or was looked at for a plot
        self._transient_problem = ""  # a problem that ends with the current file and model
        self.finder = ModelFinder(self.visitor, self._on_match)
        params.setdefault("files", list(uploads.files))  # after a reload they are still there
        super().__init__(**params)
        for file in self.files:
            self._request_thumbnail(file)

    @property
    def models(self) -> dict[str, ModelEntry]:
        """The models that the visitor can use, by name."""
        return self.available.by_name

    @property
    def sample(self) -> Sample | None:
        """The current window, as the model sees it."""
        return self.reading.samples[self.window] if self.reading else None

    @property
    def medical(self) -> bool:
        """Whether the model's predictions are about a patient."""
        return self.model is not None and is_medical(self.model)

    def add(self, name: str, data: bytes, drop: Drop | None = None) -> None:
        """Add a file and show it; an error becomes the `problem`, with others of the same drop.

        Large files are queued and checked in a thread; files that come meanwhile queue behind.
        """
        if self._queue_task is None and len(data) <= LARGE:
            self._show_added(lambda: self.uploads.add(name, data), drop)
            return
        waiting = sum(len(queued) for _, queued, _ in self._queue)
        if waiting + len(data) > self.uploads.limits.unfinished_bytes:
            text = t(
                "{name} was rejected because other uploads are still being stored. Upload it "
                "again.",
                name=safe_name(name),
            )
            self.reject(text, drop)
            return
        self._queue.append((name, data, drop))
        if self._queue_task is None:
            self._queue_task = asyncio.get_running_loop().create_task(self._process_queue())

    def reject(self, reason: str, drop: Drop | None = None) -> None:
        """Say why a file was not taken, together with others of the same drop."""
        self._rejections.begin(drop)
        self.problem = ""  # so that the same text is announced again
        self.problem = self._rejections.add(reason)

    def show(self, file: Upload, model: str = "") -> None:
        """Show a file, with the named model, the one it was shown with, or one that knows it."""
        file = self.find(file.sha256) or file
        if file not in self.files:
            self.files = [*self.files, file]
            self._request_thumbnail(file)
        chosen = self.models.get(model) or self._last_model.get(file.sha256)
        if chosen is None and file is self.file and self.model is not None:
            return
        self.finder.cancel()
        shown = {"file": file, "model": chosen, "match": None}
        with turn():
            # param treats assigned records as changed, even if they are the same object.
            self.param.update(**{n: new for n, new in shown.items() if new is not getattr(self, n)})
            if chosen is None:
                self.find_model()

    def choose_model(self, name: str) -> None:
        """Switch to another model."""
        chosen = self.models.get(name)
        if chosen is None or chosen is self.model:
            return
        self.finder.cancel()
        if self.file is not None and not reads(chosen, self.file):
            self.problem = self._transient_problem = t(
                "{model} reads pictures, and {file} is a sound. Choose a model of sounds.",
                model=chosen.name,
                file=self.file.name,
            )
            return
        self.param.update(model=chosen, match=None)

    def step(self, by: int) -> None:
        """Go to the next or the previous file, wrapping around."""
        if self.files and self.file:
            at = [file.sha256 for file in self.files].index(self.file.sha256)
            self.show(self.files[(at + by) % len(self.files)])

    def remove(self, file: Upload) -> None:
        """Remove a file; `undo` restores it."""
        if self.find(file.sha256) is None:
            return
        self.files = [other for other in self.files if other.sha256 != file.sha256]
        self._removed.append(file)
        self.uploads.remove(file)
        if self.file and self.file.sha256 == file.sha256:
            if self.files:
                self.show(self.files[-1])
            else:
                self.file = None

    def undo(self) -> None:
        """Restore the file that was removed last."""
        if not self._removed:
            return
        file = self._removed.pop()
        restored = self.uploads.restore(file.sha256) or file
        if restored.path.exists():
            self.show(restored)
        else:
            self.problem = t(
                "{name} was deleted to make room for others. Upload it again.", name=file.name
            )
            self.param.trigger("files")  # `can_undo` may have changed

    @property
    def can_undo(self) -> bool:
        """Whether a removed file can be restored."""
        return bool(self._removed)

    def model_of(self, file: Upload) -> ModelEntry | None:
        """The model that a file was last shown with, or None."""
        return self._last_model.get(file.sha256)

    def find(self, sha256: str) -> Upload | None:
        """The visitor's file with this SHA-256, or None."""
        return next((file for file in self.files if file.sha256 == sha256), None)

    def close(self) -> None:
        """Stop the visitor's jobs and delete their files."""
        self._queue.clear()
        if self._queue_task:
            self._queue_task.cancel()
        self.visitor.close()
        self.uploads.close()

    async def _process_queue(self) -> None:
        """Check and store the queued uploads in a thread, one after the other."""
        try:
            while self._queue:
                name, data, drop = self._queue[0]
                self.working = t("Storing {name}", name=safe_name(name))
                stored = asyncio.ensure_future(asyncio.to_thread(self.uploads.add, name, data))
                await asyncio.wait([stored])
                self.working = ""
                self._queue.pop(0)
                self._show_added(stored.result, drop)
        finally:
            self._queue_task = None

    def _show_added(self, add: Callable[[], Upload], drop: Drop | None) -> None:
        self._rejections.begin(drop)
        try:
            self.show(add())
        except XaiTfError as error:
            self.reject(str(error), drop)

    @param.depends("file", "model", watch=True, on_init=True)
    def _on_change(self) -> None:
        """Clear the results of another file or model, then request new ones."""
        self.visitor.cancel("read")
        other = self.model is not self._described
        cleared: dict[str, Any] = {}
        if other:
            self.visitor.cancel("describe")
            cleared["facts"] = None
        if self.problem == self._transient_problem:
            cleared["problem"] = ""
        self._described, self._transient_problem = self.model, ""
        self.param.update(reading=None, window=0, working="", **cleared)
        if self.model is None:
            return
        if self.file is None:
            self._preferred = {"sound" if takes_sound(self.model) else "picture": self.model}
        else:
            self._preferred[self.file.kind] = self.model
            self._last_model[self.file.sha256] = self.model
        if self.file is None:
            self._request_facts()
        else:  # the facts come after the answer, which the visitor waits for
            self.visitor.submit(Predict(self.model, self.file), "read").watch(self._on_reading)

    @param.depends("file", watch=True)
    def _on_file(self) -> None:
        """Request the new picture before any model is found, so that it is seen at once."""
        self.visitor.cancel("picture")
        own = _shown_by_browsers(self.file) if self.file is not None else b""
        self.picture = _data_url(own)
        if self._plot_sought is not self.file:
            self.visitor.cancel("plot")
            self._plot_sought, self.plot = None, b""
        if self.file is not None and self.file.kind != "sound" and not own:
            self._request_picture(None)

    @param.depends("reading", "match", watch=True)
    def _look_for_plot(self) -> None:
        """See whether the picture is one of a plot with axes, once it has an answer or no model."""
        match = self.match
        unknown = match is not None and match.file is self.file and match.model is None
        if self._plot_sought is self.file or not (self.reading is not None or unknown):
            return
        self._plot_sought = self.file
        if self.file.kind != "sound":
            request = FullPicture(self.file, PICTURE_SIDE, crop_plot=True)
            self.visitor.submit(request, "plot").watch(self._on_plot)

    def _on_plot(self, job: Job) -> None:
        if job.state == "done" and job.request.file is self.file:
            self.plot = job.answer

    def crop_plot(self) -> None:
        """Add what is inside the axes as a file of its own, and show it."""
        if self.plot and self.file is not None:
            name = t("{name}, cropped", name=self.file.name.rsplit(".", 1)[0])
            self.add(name, self.plot)

    def _request_picture(self, model: ModelEntry | None) -> None:
        request = FullPicture(self.file, PICTURE_SIDE, model)
        self.visitor.submit(request, "picture").watch(self._on_picture)

    def _on_picture(self, job: Job) -> None:
        if job.state == "done" and job.request.file is self.file:
            self.picture = _data_url(job.answer)

    def _request_thumbnail(self, file: Upload) -> None:
        def show(job: Job) -> None:
            if job.state == "done" and job.answer:
                self.thumbnails = self.thumbnails | {file.sha256: _data_url(job.answer)}

        if file.kind != "sound":
            request = FullPicture(file, THUMBNAIL_SIDE)
            self.visitor.submit(request, f"thumbnail {file.sha256}").watch(show)

    def _request_facts(self) -> None:
        if self.facts is None:
            self.visitor.submit(Describe(self.model), "describe").watch(self._on_facts)

    def _on_facts(self, job: Job) -> None:
        if job.request.model is not self.model:
            return
        if job.state == "done":
            self.facts = job.answer
        elif job.state == "failed":
            self._fail(job)
        if self.file is None:
            self.working = (
                ""
                if job.state in OVER
                else t("Loading {name}.", name=self.model.name) + f" {describe_progress(job)}"
            )

    def _on_reading(self, job: Job) -> None:
        if (job.request.model, job.request.file) != (self.model, self.file):
            return
        if job.state == "done":
            self.working = ""
            answer = (answer_summary(job.answer.prediction), bool(job.answer.ood_caption))
            self.param.update(
                reading=job.answer,
                window=job.answer.most_confident(),
                answers=self.answers | {self.file.sha256: answer},
            )
            if self.file.kind != "sound":  # the model may see only a part of the picture
                self._request_picture(self.model)
            self._request_facts()
        elif job.state == "failed":
            self.working = ""
            self._fail(job)
            self._request_facts()
        elif job.state != "cancelled":
            reading = t("Reading {name}.", name=job.request.file.name)
            self.working = f"{reading} {describe_progress(job)}"

    def _fail(self, job: Job) -> None:
        self.problem = self._transient_problem = error_text(job.error)

    def find_model(self) -> None:
        """Look for a model that knows the current file."""
        if self.file is None:
            return
        self.finder.find(
            self.file, tuple(self.models.values()), self._preferred.get(self.file.kind)
        )
        self._on_match()

    def _on_match(self) -> None:
        """Show the progress of the search for a model, and use the one that was found."""
        finder = self.finder
        if finder.looking:
            self.working = t(
                "Looking for a model that knows {name}: {done} of {total} tried.",
                name=self.file.name,
                done=finder.done,
                total=finder.total,
            )
            return
        match = finder.match
        if match is None or match.file is not self.file or match is self.match:
            return
        if match.problem:
            self.problem = self._transient_problem = library_text(match.problem)
        changed = {} if match.model is self.model else {"model": match.model}
        self.param.update(working="", match=match, **changed)


def is_medical(model: ModelEntry) -> bool:
    """Whether a model's predictions are about a patient."""
    return model.task is not None and find_task(model.task).medical


def _shown_by_browsers(file: Upload) -> bytes:
    """The bytes of a file that a browser shows as it is; none of others and of large ones."""
    if file.path.suffix.lower() not in (".png", ".jpg", ".jpeg") or file.size > LARGE:
        return b""
    try:
        return file.path.read_bytes()
    except OSError:  # reading it reports the error
        return b""


def _data_url(picture: bytes) -> str:
    """A PNG or JPEG as a data URL; "" for no picture."""
    if not picture:
        return ""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
