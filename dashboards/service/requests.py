"""The requests of a page: frozen records, equal if their content is, whoever sends them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import SAMPLES as SAMPLES
from xai_tf.attribution.question import Question
from xai_tf.packages import versions

VISITOR = "visitor-"  # how the names of folders with a visitor's files begin
LOADING = "loading"  # the step in which a process loads a model


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file of a visitor, as it is stored on this server.

    Attributes:
        name: what the visitor calls it; shown as text only, never a path and never in a key.
        path: where it lies, named by its hash.
        sha256: of its bytes.
        size: in bytes.
        kind: "sound" or "picture", found in its content.
        public: whether it lies on this server anyway, as a sample does; what is known of any other
            file goes with the visitors who gave it.
    """

    name: str
    path: Path
    sha256: str
    size: int
    kind: str
    public: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model of this server: what is known without loading it.

    Attributes:
        name: unique on this server; the file's stem.
        path: the model file.
        sha256: of the file.
        task: the key of a task (`xai_tf.tasks.find_task`), or None.
        title: for people: task, backbone.
        classes: their names; empty where only loading will tell.
        summary: its test figures in a line, from the card; empty without a card.
        ood_sha256: of the file with its OOD detector; empty without one.
        card_sha256: of its card, which says how files are read; empty without one.
        accuracy: the share of test files that it classifies correctly; 0 where it is not known.
        private: whether a visitor brought it; what is found with it goes with the visitor.
    """

    name: str
    path: Path
    sha256: str
    task: str | None
    title: str
    classes: tuple[str, ...]
    summary: str
    ood_sha256: str = ""
    card_sha256: str = ""
    accuracy: float = 0.0
    private: bool = False


@dataclass(frozen=True)
class Describe:
    """Describe a model and measure its speed on this machine. Answer: `ModelFacts`."""

    model: ModelEntry


@dataclass(frozen=True)
class Prepare:
    """Load and compile a model ahead of time; sent by the server itself to an idle worker.

    Attributes:
        model: the model.
        to_recognize: whether only what tells if the model knows a file is prepared.
    """

    model: ModelEntry
    to_recognize: bool = False


@dataclass(frozen=True)
class Predict:
    """Read a file and predict it. Answer: `xai_tf.classifiers.reading.Reading`."""

    model: ModelEntry
    file: Upload


@dataclass(frozen=True)
class FullPicture:
    """A picture file at its own resolution, as PNG or JPEG. Answer: `bytes`. Not stored on disk.

    The answer is empty for a sound, where the model sees only a part of the picture, and where it
    was to be cropped and is no plot.

    Attributes:
        file: the file.
        side: the largest width or height, in pixels.
        model: the model that says how it is read; None to read it as any picture.
        crop_plot: whether a picture of a plot is cropped to the inside of its axes.
    """

    file: Upload
    side: int
    model: ModelEntry | None = None
    crop_plot: bool = False


@dataclass(frozen=True)
class Explain:
    """Explain one window of a file. Answer: `xai_tf.attribution.explanation.Explanation`.

    Attributes:
        model, file: what explains what.
        question: what is asked; its classes are indices.
        window: the number of the window; 0 unless it is a long recording.
        since: the same question of fewer samples, or one with the same draws, to continue from
            where its answer is stored. The answer is the same, so it makes no other request.
    """

    model: ModelEntry
    file: Upload
    question: Question = field(default_factory=Question)
    window: int = 0
    since: Explain | None = field(default=None, compare=False)

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.question.method

    @property
    def unsampled(self) -> Explain:
        """The same request without the number of samples."""
        settings = {n: value for n, value in self.question.given.items() if n != SAMPLES}
        question = replace(self.question, settings=settings, until_stable=None)
        return replace(self, question=question, since=None)

    @property
    def draws(self) -> Explain:
        """What all requests have in common whose samples are the same draws."""
        bare = self.unsampled
        draws = METHODS[self.method].draws or self.method
        return replace(bare, question=replace(bare.question, method=draws))

    @property
    def samples(self) -> int:
        """The maximum number of samples, for a method that draws samples."""
        default = METHODS[self.method].options[SAMPLES].default
        return int(self.question.given.get(SAMPLES, default))

    def of_samples(self, count: int) -> Explain:
        """The same request with a given number of samples."""
        option, bare = METHODS[self.method].options[SAMPLES], self.unsampled
        given = {} if count == option.default else {SAMPLES: count}
        return replace(bare, question=replace(bare.question, settings=bare.question.given | given))


@dataclass(frozen=True)
class ThroughLayers:
    """A CAM method through the resolutions of a network. Answer: `list[Explanation]`."""

    model: ModelEntry
    file: Upload
    question: Question = field(default_factory=lambda: Question("grad_cam"))
    window: int = 0


@dataclass(frozen=True)
class Average:
    """The mean map of several files. Answer: `xai_tf.evaluation.mean_map.MeanMap`.

    Attributes:
        model: what explains.
        files: what is explained; of a long recording the window that is most confident of the
            class.
        question: what is asked of each, with a target.
    """

    model: ModelEntry
    files: tuple[Upload, ...]
    question: Question

    @property
    def file(self) -> Upload:
        """What stands for all files where answers are stored and deleted."""
        together = hashlib.sha256("".join(file.sha256 for file in self.files).encode())
        return replace(
            self.files[0],
            sha256=together.hexdigest(),
            public=all(file.public for file in self.files),
        )


@dataclass(frozen=True)
class Part:
    """Partition one window of a file into named regions. Answer: `xai_tf.regions.Regions`."""

    model: ModelEntry
    file: Upload
    window: int = 0


@dataclass(frozen=True)
class Judge:
    """Score an explanation by metrics. Answer: `tuple[xai_tf.metrics.Score, ...]`.

    Attributes:
        explanation: what is judged; it is made first where it is not stored.
        metrics: names in `METRICS` that say something of its method.
    """

    explanation: Explain
    metrics: tuple[str, ...]

    @property
    def model(self) -> ModelEntry:
        """The model of the explanation."""
        return self.explanation.model

    @property
    def file(self) -> Upload:
        """The file of the explanation."""
        return self.explanation.file


@dataclass(frozen=True)
class Listen:
    """Play a part of the sound that was explained. Answer: `listening.SoundClip`.

    Attributes:
        explanation: whose evidence is heard; it is made first where it is not stored.
        part: a name in `listening.PARTS`.
        regions: numbers of the regions that are heard alone or muted, from 1 for the strongest;
            of "solo" and "mute" only.
        share: of all that speaks for the class; "supporting" keeps it, "remainder" leaves it
            out.
    """

    explanation: Explain
    part: str = "original"
    regions: tuple[int, ...] = ()
    share: float = 0.8

    @property
    def model(self) -> ModelEntry:
        """The model of the explanation."""
        return self.explanation.model

    @property
    def file(self) -> Upload:
        """The file of the explanation."""
        return self.explanation.file


TRIM = "trim"


@dataclass(frozen=True)
class Hide:
    """Hide a part of a file and predict it again. Answer: `hiding.WhatIf`. Not stored on disk.

    What is hidden is the union of the shapes, the regions, and the strongest tenth of a map.

    Attributes:
        model, file: what predicts what.
        window: the number of the window.
        shapes: boxes and strokes, as `xai_tf.inputs.hiding.draw_shapes` takes them.
        regions: (partition, region) names; see `xai_tf.regions`.
        strongest: the explanation whose strongest tenth is hidden; None for none.
        keep: whether everything else is hidden instead.
        fill: a name in `xai_tf.inputs.hiding.FILLS`, or `TRIM` to cut the marked times out of a
            sound.
    """

    model: ModelEntry
    file: Upload
    window: int = 0
    shapes: tuple[tuple[float, ...], ...] = ()
    regions: tuple[tuple[str, str], ...] = ()
    strongest: Explain | None = None
    keep: bool = False
    fill: str = "erase"


@dataclass(frozen=True)
class Bundle:
    """The bundle that the command writes, zipped. Answer: `bytes`.

    Attributes:
        explanations: what it holds.
        judged: the scores that go with them; those of no explanation in it are left out.
        opacity: of the maps.
    """

    explanations: tuple[Explain, ...]
    judged: tuple[Judge, ...] = ()
    opacity: float = 0.7


@dataclass(frozen=True)
class Evaluate:
    """Predict every labeled file of a folder. Answer: `xai_tf.evaluation.predictions.Predictions`.

    Never stored on disk.
    """

    model: ModelEntry
    folder: Path
    split: str = ""


@dataclass(frozen=True)
class FindSimilar:
    """The training samples most similar to a file. Answer: a list of `Neighbor`.

    Never stored on disk. What a process keeps are the features of the training files.

    Attributes:
        model, file: what sees what.
        source: the folder or CSV file of the training files.
        window: the number of the window.
        count: how many samples.
    """

    model: ModelEntry
    file: Upload
    source: Path
    window: int = 0
    count: int = 6


@dataclass(frozen=True)
class TryModel:
    """Load a visitor's model, and try each preprocessing. Answer: `trial.ModelTrial`.

    Never stored on disk.

    Attributes:
        model: the model; its task says how files are read.
        file: the file that is predicted with each preprocessing, or None.
        classes: the names of the classes, as the visitor gave them; empty for those it knows.
    """

    model: ModelEntry
    file: Upload | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DrawSearch:
    """The figures of a search, as PNG. Answer: `dict[str, bytes]` by figure. Never stored on disk.

    Attributes:
        folder: of the search.
        stamp: changes whenever its files do.
    """

    folder: Path
    stamp: str


Stored = Predict | Explain | ThroughLayers | Average | Part | Judge | Listen
Request = (
    Describe | FullPicture | Hide | Stored | Bundle | Evaluate | FindSimilar | TryModel | DrawSearch
)


# Increase it when the answer to a request, or its serialization, changes.
ANSWERS = 13


def is_packed(request: Request) -> bool:
    """Whether the answer comes as bytes, from `pack`."""
    return isinstance(request, Describe) or is_stored(request)


def is_stored(request: Request) -> bool:
    """Whether the answer is stored on disk: it depends on nothing but the request."""
    return isinstance(request, Stored)


def is_public(request: Stored) -> bool:
    """Whether the answer is about nothing that a visitor brought."""
    return request.file.public and not request.model.private


def key(request: Request) -> str:
    """The SHA-256 that names a request's answer: content and settings; no name, no path of a file.

    Answers with the same key are the same, whoever asks.
    """
    asked = json.dumps([ANSWERS, versions()["xai-tf"], _plain(request)], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def stored_names(request: Stored) -> tuple[str, str]:
    """The names of an answer in the store: public, and private to a visitor's file."""
    return key(request), f"{request.file.sha256}-{key(request)}"


def _plain(value: Any) -> Any:
    if isinstance(value, Upload):
        return value.sha256
    if isinstance(value, ModelEntry):
        return [value.sha256, value.task, list(value.classes), value.ood_sha256, value.card_sha256]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        plain = {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.compare}
        return {"kind": type(value).__name__, **plain}
    return value
