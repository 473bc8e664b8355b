"""What a page can ask for: frozen records, told apart by what is asked and never by who asks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xai_tf.methods import METHODS


@dataclass(frozen=True)
class Upload:
    """A file a visitor gave, as it lies on this server.

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


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be asked: what is known of it without loading it.

    Attributes:
        name: unique on this server; the file's stem.
        path: the model file.
        sha256: of the file.
        task: a name in `TASKS`, or None.
        title: for people: task, backbone.
        classes: their names; empty where only loading will tell.
        summary: its test figures in a line, from the card; empty without a card.
    """

    name: str
    path: Path
    sha256: str
    task: str | None
    title: str
    classes: tuple[str, ...]
    summary: str


@dataclass(frozen=True)
class Describe:
    """What is a model, and how fast is it here? Answer: `ModelFacts`."""

    model: ModelEntry


@dataclass(frozen=True)
class Prepare:
    """Have a model at hand, compiled: asked by the server itself of a process that is idle."""

    model: ModelEntry


@dataclass(frozen=True)
class Predict:
    """Read a file and predict it. Answer: `xai_tf.windows.Reading`."""

    model: ModelEntry
    file: Upload


@dataclass(frozen=True)
class Explain:
    """Explain one window of a file. Answer: `xai_tf.explanation.Explanation`.

    Attributes:
        model, file: what explains what.
        method: a name in `METHODS`.
        window: the number of the window; 0 unless it is a long recording.
        target, contrast: indices of classes, as in `explain`; target None is the predicted one.
        layer: a feature layer, or None for the last.
        seed: of a stochastic method.
        settings: (name, value) pairs that differ from the defaults, sorted by name.
    """

    model: ModelEntry
    file: Upload
    method: str
    window: int = 0
    target: int | None = None
    contrast: int | None = None
    layer: str | None = None
    seed: int = 0
    settings: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", tuple(sorted(self.settings)))


@dataclass(frozen=True)
class ThroughLayers:
    """A CAM method through the stages of a network. Answer: `list[Explanation]`."""

    model: ModelEntry
    file: Upload
    method: str = "grad_cam"
    window: int = 0
    target: int | None = None
    contrast: int | None = None


@dataclass(frozen=True)
class Bundle:
    """The bundle that the command writes, zipped. Answer: `bytes`."""

    explanations: tuple[Explain, ...]
    opacity: float = 0.7


@dataclass(frozen=True)
class Evaluate:
    """Predict every labelled file of a folder. Answer: `Evaluation`. Never kept on disk."""

    model: ModelEntry
    folder: Path
    split: str = ""


@dataclass(frozen=True)
class DrawSearch:
    """The figures of a search, as PNG. Answer: `dict[str, bytes]` by figure. Never kept on disk.

    Attributes:
        folder: of the search.
        stamp: changes whenever its files do.
    """

    folder: Path
    stamp: str


Request = Describe | Predict | Explain | ThroughLayers | Bundle | Evaluate | DrawSearch


@dataclass(frozen=True)
class ModelFacts:
    """What loading a model tells.

    Attributes:
        name: of the model.
        classes: their names.
        image_size: (height, width).
        backbone: its name in `BACKBONES`, or None.
        feature_layers: names of the layers Grad-CAM can look at, in the order of the graph.
        stages: those at the end of each resolution.
        forward_seconds, gradient_seconds: of one image within a batch, measured here when warm.
        baseline: the level that means "nothing there".
        has_relu: whether Guided backprop and DeconvNet are methods of their own on it.
        description: `xai_tf.bundle.describe_classifier`'s.
    """

    name: str
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    backbone: str | None
    feature_layers: tuple[str, ...]
    stages: tuple[str, ...]
    forward_seconds: float
    gradient_seconds: float
    baseline: float
    has_relu: bool
    description: dict[str, Any]

    def seconds(self, request: Explain) -> float:
        """What an explanation will take, when nobody else is asking."""
        method = METHODS[request.method]
        cost = method.cost(method.settings(dict(request.settings), self.baseline), self.image_size)
        return cost.forward * self.forward_seconds + cost.gradient * self.gradient_seconds


@dataclass(frozen=True)
class Evaluation:
    """A classifier on labelled files.

    Attributes:
        model: its name.
        folder: where the files are.
        classes: of the classifier.
        files: the files that could be read.
        labels: index of the true class of each.
        logits: of each, a tuple of floats.
        probabilities: of each, a tuple of floats.
        skipped: (file, why) of those that could not be read.
    """

    model: str
    folder: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    skipped: tuple[tuple[Path, str], ...]


# Raise it when the same request is answered otherwise, or its answer is packed otherwise.
ANSWERS = 3


def is_packed(request: Request) -> bool:
    """Whether the answer comes as bytes, from `pack`."""
    return isinstance(request, Describe) or is_stored(request)


def is_stored(request: Request) -> bool:
    """Whether the answer is kept on disk: it depends on nothing but the request."""
    return isinstance(request, Predict | Explain | ThroughLayers)


def key(request: Request) -> str:
    """The SHA-256 that names a request's answer: content and settings; no name, no path of a file.

    Answers with the same key are the same, whoever asks.
    """
    asked = json.dumps([ANSWERS, _version(), _plain(request)], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def stored_names(request: Predict | Explain | ThroughLayers) -> tuple[str, str]:
    """Where its answer may lie in the store: as one for all, and as one about a visitor's file."""
    return key(request), f"{request.file.sha256}-{key(request)}"


@cache
def _version() -> str:
    return version("xai-tf")


def _plain(value: Any) -> Any:
    if isinstance(value, Upload):
        return value.sha256
    if isinstance(value, ModelEntry):
        return [value.sha256, value.task, list(value.classes)]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        fields = {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return {"kind": type(value).__name__, **fields}
    return value
