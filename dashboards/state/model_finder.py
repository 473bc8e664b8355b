"""Finding the model that knows a file, by the out-of-distribution detectors of all models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.service.jobs import OVER
from dashboards.service.requests import ModelEntry, Predict, Upload
from dashboards.service.service import Job, Visitor
from xai_tf.errors import InputError
from xai_tf.tasks import find_task


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which model knows a file.

    Attributes:
        file: the file.
        model: the model to use; None where none that can tell knows such files.
        ratios: by model that was tried, how far the file lies from its training files, as a
            multiple of the distance that 99 % of its validation files do not exceed: up to 1 it
            knows such files.
        silent: the models that cannot tell what they know, as they have no detector.
        problem: why the file cannot be read; else empty.
    """

    file: Upload
    model: ModelEntry | None
    ratios: Mapping[ModelEntry, float]
    silent: tuple[ModelEntry, ...] = ()
    problem: str = ""

    @property
    def known(self) -> bool:
        """Whether the model that was chosen knows such files."""
        return self.model is not None and self.ratios.get(self.model, 2.0) <= 1

    @property
    def nearest(self) -> ModelEntry | None:
        """The model whose training files are least unlike the file, whether it knows it or not."""
        return min(self.ratios, key=lambda model: self.ratios[model], default=None)


class ModelFinder:
    """Tries a file on the models that can tell whether they know it.

    The preferred model comes first: if it knows the file, no other is asked. Then come models of
    pictures. Those of sounds, which read pictures of spectrograms, are tried
    only if no other knows the picture. The predictions are stored, so the model that is chosen
    answers at once.

    Attributes:
        match: the result; None while it is looking, or before there is a file.
        done, total: models tried, and to be tried.
    """

    def __init__(self, visitor: Visitor, changed: Callable[[], object], slot: str = "find") -> None:
        """`changed` is called whenever the attributes change; `slot` begins those of its jobs."""
        self.match: Match | None = None
        self.done, self.total = 0, 0
        self._visitor, self._changed, self._slot = visitor, changed, slot
        self._search: _Search | None = None

    @property
    def looking(self) -> bool:
        """Whether models are being tried."""
        return self._search is not None

    def find(
        self, file: Upload, models: Sequence[ModelEntry], preferred: ModelEntry | None
    ) -> None:
        """Try the file on the models; of several that know it, the preferred one is chosen."""
        self.cancel()
        search = _Search(self, file, models, preferred)
        self.match, self._search = None, search
        self.done, self.total = 0, search.total
        search.next_round()

    def cancel(self) -> None:
        """Stop looking."""
        if self._search is not None:
            search, self._search = self._search, None
            search.cancel()

    def report(self, search: _Search, match: Match | None) -> None:
        """Take the progress, or the result, of the current search."""
        if search is not self._search:
            return
        self.done, self.total = search.done, search.total
        if match is not None:
            self.match, self._search = match, None
        self._changed()

    def submit(self, request: Predict) -> Job:
        """Submit a request of the search."""
        return self._visitor.submit(request, f"{self._slot} {request.model.name}")

    def withdraw(self, request: Predict) -> None:
        """Cancel a request of the search."""
        self._visitor.cancel(f"{self._slot} {request.model.name}")


class _Search:
    """One search: rounds of models, until one of a round knows the file."""

    def __init__(
        self,
        finder: ModelFinder,
        file: Upload,
        models: Sequence[ModelEntry],
        preferred: ModelEntry | None,
    ) -> None:
        self._finder, self._file, self._preferred = finder, file, preferred
        fitting = [model for model in models if reads(model, file)]
        able = [model for model in fitting if model.ood_sha256]
        silent = [model for model in fitting if not model.ood_sha256]
        # A model of sounds also reads pictures of spectrograms, but few pictures are that.
        alike = [model for model in silent if takes_sound(model) == (file.kind == "sound")]
        self._silent = tuple(alike or silent)
        sounds = [model for model in able if takes_sound(model)]
        pictures = [model for model in able if not takes_sound(model)]
        rounds = [sounds] if file.kind == "sound" else [pictures, sounds]
        # The preferred one is chosen if it knows the file, so nothing else need be asked then.
        first = [model for model in able if model is preferred]
        self._rounds = [first, *([one for one in many if one not in first] for many in rounds)]
        self._ratios: dict[ModelEntry, float] = {}
        self._problem = ""
        self._waiting: dict[Predict, bool] = {}
        self.done, self.total = 0, sum(map(len, self._rounds))

    def next_round(self) -> None:
        """Start the next round that has models, or conclude."""
        while self._rounds and not self._knowing():
            models = self._rounds.pop(0)
            if models:
                self._waiting = {Predict(model, self._file): True for model in models}
                for request in tuple(self._waiting):
                    self._finder.submit(request).watch(self._on_job)
                return
        self._finder.report(self, self._conclusion())

    def cancel(self) -> None:
        """Withdraw what has not been answered."""
        for request in tuple(self._waiting):
            self._finder.withdraw(request)

    def _on_job(self, job: Job) -> None:
        if job.state not in OVER or not self._waiting.pop(job.request, False):
            return
        self.done += 1
        if job.answer is not None and job.answer.ood_score is not None:
            self._ratios[job.request.model] = job.answer.ood_score.ratio
        elif isinstance(job.error, InputError):
            self._problem = str(job.error)
        self._finder.report(self, None)
        if not self._waiting:
            self.next_round()

    def _knowing(self) -> list[ModelEntry]:
        return [model for model, ratio in self._ratios.items() if ratio <= 1]

    def _conclusion(self) -> Match:
        return Match(
            file=self._file,
            model=self._choice(),
            ratios=self._ratios,
            silent=self._silent,
            problem="" if self._ratios or self._silent else self._problem,
        )

    def _choice(self) -> ModelEntry | None:
        """The preferred model if it knows the file or cannot tell; else the best that knows it."""
        knowing, preferred = self._knowing(), self._preferred
        if preferred is not None and preferred in (*knowing, *self._silent):
            return preferred
        if not knowing:
            return self._silent[0] if len(self._silent) == 1 else None
        nearest = min(knowing, key=lambda model: self._ratios[model])
        # Distances of models of one task are not comparable, so their test results decide.
        alike = [model for model in knowing if model.task == nearest.task]
        return max(alike, key=lambda model: model.accuracy)


def takes_sound(model: ModelEntry) -> bool:
    """Whether a model reads sound files."""
    return model.task is not None and find_task(model.task).takes_sound


def reads(model: ModelEntry, file: Upload) -> bool:
    """Whether a model can read this kind of file."""
    return takes_sound(model) or file.kind != "sound"
