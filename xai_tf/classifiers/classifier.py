"""A classifier: any Keras image model, made to take RGB in [0, 1] and to give logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import weights_keras
from weights_keras import ModelCard, ModelFileError
from xai_tf.classifiers.backbones import BACKBONES, RELATIVES, recognise
from xai_tf.classifiers.forward import (
    Passes,
    compile_feature_pass,
    compile_logits_and_means,
    compile_maps,
    compile_passes,
)
from xai_tf.classifiers.graph import (
    SIGMOID,
    SOFTMAX,
    OutputHead,
    cut_points,
    flatten,
    linear_head,
    operations,
    tensors,
)
from xai_tf.classifiers.guided_relu import can_change_relu, with_relu
from xai_tf.classifiers.ood_detector import OODDetector
from xai_tf.classifiers.prediction import Prediction, probabilities
from xai_tf.classifiers.preprocessing import SCALINGS, find_preprocessing, with_preprocessing
from xai_tf.errors import InputError, ModelError, UnknownNameError, nearest, pick
from xai_tf.inputs.sample import Sample, file_sha256
from xai_tf.inputs.task import Task
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    import keras

ASSUMED = "assumed"  # how the reason for a guessed preprocessing begins
TOLERANCE = 1e-6  # of probabilities, between a model as it was loaded and its linear head
BATCH = 32


class Classifier:
    """A Keras model that takes RGB in [0, 1] and ends in logits, and what is known of it.

    Attributes:
        model: flat Functional model: (batch, height, width, 3) in [0, 1] to (batch, logits).
        classes: the names of the classes; two for one logit.
        name: for people and file names.
        task: the task it was trained for, or None.
        card: its model card, or None.
        head: how the model ended when it was loaded.
        preprocessing: the name in `preprocessing.SCALINGS` of what is done to the colours.
        preprocessing_reason: why that was chosen, in words.
        sha256: of the model file.
        ood_detector: tells whether an input is like those it was trained on; None where it brings none.
        ood_problem: what is wrong with the gate it brings, a sentence; then there is none.
    """

    ood_detector: OODDetector | None = None
    ood_problem: str = ""

    def __init__(
        self,
        model: keras.Model,
        classes: Sequence[str] | None = None,
        *,
        name: str | None = None,
        task: Task | None = None,
        card: ModelCard | None = None,
        preprocessing: str | None = None,
        sha256: str = "",
    ) -> None:
        """Flatten a model and give it a linear head.

        Args:
            model: any Sequential or Functional classifier of images.
            classes: the names of its classes; those of the card or the task, else "class 0", ...
            name, task, card, sha256: as the attributes.
            preprocessing: a name in `preprocessing.SCALINGS`; found in the model if left out.

        Raises:
            ModelError: the model takes no images, or ends in no class logits.
        """
        _check_input(model)
        inside = operations(model)
        backbone = recognise({operation.name for operation in inside})
        found, reason = find_preprocessing(model) or _preprocessing_of(backbone, card)
        self.preprocessing = preprocessing or found
        self.preprocessing_reason = "as you said" if preprocessing else reason
        self.model, self.head = linear_head(flatten(with_preprocessing(model, self.preprocessing)))
        self.backbone = backbone or (card.backbone if card else None)
        _check_same_probabilities(model, self)
        self.card, self.task, self.sha256 = card, task, sha256
        self._compiled: dict[Any, Any] = {}
        self.name = name or model.name
        self.classes = self._class_names(classes)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the input."""
        return self.model.input_shape[1:3]

    @property
    def baseline(self) -> float:
        """The level in [0, 1] that means "nothing there"."""
        return self.task.baseline if self.task else 0.0

    @cached_property
    def passes(self) -> Passes:
        """The compiled passes of the model."""
        return compile_passes(self.model)

    def read(self, path: str | Path) -> Sample:
        """Read a file for this classifier; of a long recording, its first window."""
        return self.windows(path)[0]

    def windows(self, path: str | Path) -> list[Sample]:
        """Read all of a file: one sample, or one per window of a long recording."""
        from xai_tf.inputs.sample import read_image

        if self.task:
            return self.task.windows(path, self.image_size)
        return read_image(Path(path), self.image_size)

    def predict(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Predict samples, in batches.

        Raises:
            InputError: a sample has not the size the classifier takes.
        """
        (logits,) = self._batched(lambda images: (self.passes.logits(images),), samples)
        return [self.prediction(row) for row in logits]

    def predict_with_means(
        self, samples: Sequence[Sample], layer: str
    ) -> tuple[list[Prediction], np.ndarray]:
        """Predict samples, and in the same pass average a layer's map over its places.

        Returns:
            The predictions, and a float32 array of shape (samples, channels).

        Raises:
            InputError: a sample has not the size the classifier takes.
        """
        logits, means = self._batched(self.logits_and_means(layer), samples)
        return [self.prediction(row) for row in logits], means

    def _batched(
        self, run: Callable[[Any], Sequence[Any]], samples: Sequence[Sample]
    ) -> list[np.ndarray]:
        """What a pass puts out for samples, in batches."""
        for sample in samples:
            if sample.image.shape != (*self.image_size, 3):
                raise InputError(
                    f"{sample.source} was read at {sample.image.shape[:2]}; {self.name!r} takes "
                    f"{self.image_size}. Read it with classifier.read()."
                )
        found = [
            [part.numpy() for part in run(np.stack([s.image for s in samples[at : at + BATCH]]))]
            for at in range(0, len(samples), BATCH)
        ]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def prediction(self, logits: np.ndarray) -> Prediction:
        """A Prediction of the logits of one sample, or of the mean logits of several windows."""
        return Prediction(logits, probabilities(logits[None])[0], self.classes)

    def label(self, name: str | int) -> int:
        """The index of a class given by name or index.

        Raises:
            UnknownNameError: there is no such class.
        """
        if name in self.classes:
            return self.classes.index(name)
        if str(name).isdecimal() and int(name) < len(self.classes):
            return int(name)
        raise UnknownNameError(
            f"{self.name!r} knows no class {str(name)!r}. {nearest(str(name), list(self.classes))}"
        )

    def target(self, label: int, contrast: int | None = None) -> np.ndarray:
        """The weights of the logits that make the score of a class: float32 of shape (logits,).

        One logit z explains class 1 with z and class 0 with -z. With `contrast` the score is the
        logit of the class less that of the other, "why this and not that"; for one logit that is
        the same, z being that difference already.
        """
        if self.model.output_shape[-1] == 1:
            return np.array([1.0 if label == 1 else -1.0], np.float32)
        weights = np.zeros(len(self.classes), np.float32)
        weights[label] = 1
        if contrast is not None:
            weights[contrast] -= 1
        return weights

    @cached_property
    def feature_layers(self) -> tuple[str, ...]:
        """The layers that put out a map with more than one place, in the order of the graph.

        What comes before the first map of more than three channels only changes colours or size.
        """
        maps = {
            name: tensor.shape[-1]
            for name, tensor in tensors(self.model).items()
            if len(tensor.shape) == 4 and min(tensor.shape[1:3]) > 1
        }
        return tuple(dropwhile(lambda name: maps[name] <= 3, maps))

    @property
    def last_feature_layer(self) -> str:
        """The last spatial layer, where Grad-CAM looks unless told otherwise.

        Raises:
            ModelError: there is none.
        """
        if not self.feature_layers:
            raise ModelError(
                f"{self.name!r} has no convolutional feature map, which Grad-CAM and FEM need. "
                "Take a gradient or perturbation method."
            )
        return self.feature_layers[-1]

    @cached_property
    def resolution_layers(self) -> tuple[str, ...]:
        """The last layer of each resolution that all paths go through: the depth in few steps."""
        last: dict[int, str] = {}
        cuts, known = set(cut_points(self.model)), tensors(self.model)
        for name in self.feature_layers:
            padding = type(known[name]._keras_history.operation).__name__ == "ZeroPadding2D"
            if name in cuts and not padding:
                last[round(np.log2(self.image_size[0] / known[name].shape[1]))] = name
        return tuple(last.values())

    def feature_layer(self, name: str | None) -> str:
        """Check the name of a feature layer; None is the last one.

        Raises:
            UnknownNameError: there is no such layer, or it puts out no map.
        """
        if name is None:
            return self.last_feature_layer
        if name in self.feature_layers:
            return name
        known = name in tensors(self.model)
        raise UnknownNameError(
            f"Layer {name!r} of {self.name!r} puts out no feature map. "
            f"The last that does is {self.last_feature_layer!r}."
            if known
            else f"{self.name!r} has no layer {name!r}. {nearest(name, list(self.feature_layers))}"
        )

    def feature_pass(self, layers: tuple[str, ...]) -> Callable[[Any, Any], Any]:
        """The compiled pass to the maps of layers, and the score's gradients there."""
        if layers not in self._compiled:
            self._compiled[layers] = compile_feature_pass(self.model, layers)
        return self._compiled[layers]

    def logits_and_means(self, layer: str) -> Callable[[Any], Any]:
        """The compiled pass to the logits, and to the mean of a layer's map over its places."""
        if ("means", layer) not in self._compiled:
            self._compiled["means", layer] = compile_logits_and_means(self.model, layer)
        return self._compiled["means", layer]

    def feature_maps(self, layer: str) -> Callable[[Any], Any]:
        """The compiled pass to the map of a layer."""
        if layer not in self._compiled:
            self._compiled[layer] = compile_maps(self.model, layer)
        return self._compiled[layer]

    def passes_with_relu(self, policy: Callable[..., Any]) -> Passes | None:
        """The passes of a copy whose ReLUs go backwards by `policy`; None if there is no ReLU."""
        if not self.has_relu:
            return None
        if policy not in self._compiled:
            self._compiled[policy] = compile_passes(with_relu(self.model, policy))
        return self._compiled[policy]

    @cached_property
    def has_relu(self) -> bool:
        """Whether it has ReLUs whose backward pass can be changed, and none that leaks."""
        return can_change_relu(self.model)

    def _class_names(self, classes: Sequence[str] | None) -> tuple[str, ...]:
        count = max(2, self.model.output_shape[-1])
        given = classes or (self.card and self.card.classes) or (self.task and self.task.classes)
        if not given:
            return tuple(f"class {index}" for index in range(count))
        twice = next((n for i, n in enumerate(given) if n in given[:i]), None)
        if twice:
            raise ModelError(
                f"{self.name!r} has the class {twice!r} twice. Give each its own name."
            )
        if len(given) != count:
            raise ModelError(
                f"{self.name!r} has {count} classes, but {len(given)} names were given "
                f"({', '.join(given)}). Name them all, in the order of the outputs."
            )
        return tuple(given)


def load(
    model: str | Path,
    *,
    classes: Sequence[str] | None = None,
    task: str | Task | None = None,
    preprocessing: str | None = None,
) -> Classifier:
    """Load a classifier.

    Examples:
        >>> classifier = load("dogs_mobilenetv2")
        >>> classifier.image_size, len(classifier.classes)
        ((224, 224), 10)

    Args:
        model: a name from `weights_keras`, or a `.keras` or `.h5` file.
        classes: names of the classes, where the file does not come with a card.
        task: a name in `TASKS`: how files are read and what the classes are.
        preprocessing: what the network wants of its colours, a name in
            `preprocessing.SCALINGS`; found in the model if left out.

    Raises:
        ModelError: the model is missing, damaged, holds code, or is no image classifier.
        UnknownNameError: no such model or task.
    """
    path = model_path(model)
    try:
        if path == Path(model):
            loaded = weights_keras.load_file(path)
            digest = file_sha256(path)
            card = card_beside(path, digest)
        else:
            pick(dict.fromkeys(weights_keras.names()), str(model), "model")
            loaded, card = weights_keras.load(str(model))
            digest = card.sha256 or file_sha256(path)  # a resumed run knows a model by it
    except ModelFileError as error:
        raise ModelError(str(error)) from error
    if isinstance(task, str):
        task = pick(TASKS, task, "task")
    if task is None and card and card.task in TASKS:
        task = TASKS[card.task]
    try:
        classifier = Classifier(
            loaded,
            classes,
            name=path.stem,
            task=task,
            card=card,
            preprocessing=preprocessing,
            sha256=digest,
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    _add_ood_detector(classifier, path)
    return classifier


def model_path(model: str | Path) -> Path:
    """The file of a model, given itself or by its name in `weights_keras`."""
    path = Path(model)
    if path.suffix.lower() in weights_keras.store.SUFFIXES or path.is_file():
        return path
    return weights_keras.FOLDER / f"{model}.keras"


def card_beside(path: Path, digest: str) -> ModelCard | None:
    """The card in the `.md` file beside a model file, if it is about that very file."""
    try:
        card = weights_keras.read_card(path.with_suffix(".md"))
    except (OSError, ValueError):
        return None
    return card if card.sha256 in ("", digest) else None


def _add_ood_detector(classifier: Classifier, path: Path) -> None:
    """Load the gate beside a model file; the model works without it, too."""
    try:
        arrays = weights_keras.load_ood_detector(path, classifier.sha256, classifier.card)
        if arrays is None:
            return
        ood_detector = OODDetector.from_arrays(arrays)
        tensor = tensors(classifier.model).get(ood_detector.layer)
        if tensor is None or tensor.shape[1:] != (*tensor.shape[1:3], len(ood_detector.center)):
            raise ValueError(f"it is about a layer {ood_detector.layer!r} of another model")
        classifier.ood_detector = ood_detector
    except (ModelFileError, ValueError, TypeError) as error:
        file = weights_keras.ood_file(path)
        cause = str(error).rstrip(".").replace(str(file), file.name)
        classifier.ood_problem = (
            f"Whether an input is one for {classifier.name!r} is not checked: {cause}. Fetch "
            f"{file.name} again, or make it with `xai-tf fit-ood`."
        )


def _check_input(model: keras.Model) -> None:
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):
        raise ModelError(
            f"The model takes an input of shape {shape}; an image classifier takes "
            "(batch, height, width, 3) or (batch, height, width, 1). Give a model of pictures."
        )


def _preprocessing_of(backbone: str | None, card: ModelCard | None) -> tuple[str, str]:
    """What a network without preprocessing of its own wants of its colours, and why."""
    if card and card.backbone in BACKBONES:
        return "unit", "its card says so"
    if backbone is None:
        return "unit", f"{ASSUMED}: neither preprocessing nor a known backbone is in the model"
    entry = BACKBONES.get(backbone) or RELATIVES[backbone]
    return entry.scaling, f"the backbone is {entry.title}, which was trained so"


def _check_same_probabilities(original: keras.Model, classifier: Classifier) -> None:
    """Raise a ModelError unless the linear head says what the model said as it was loaded."""
    import keras

    channels = original.input_shape[-1]
    images = np.random.default_rng(0).random((2, *classifier.image_size, 3), dtype=np.float32)
    kernel, bias = SCALINGS[classifier.preprocessing].weights(channels)
    output = original(images @ kernel + bias, training=False)
    said = np.asarray(keras.tree.flatten(output)[0], dtype=np.float64)
    logits = np.asarray(classifier.model(images, training=False))
    now = _as_it_ended(logits, classifier.head)
    difference = np.abs(said - now).max() / max(1.0, np.abs(said).max())
    half = any("16" in layer.compute_dtype for layer in original._flatten_layers())
    if not difference <= (2e-2 if half else TOLERANCE):
        raise ModelError(
            f"With a linear head the model says something else (difference {difference:.1e}). "
            "It may draw random numbers or keep a state, which cannot be explained."
        )


def _as_it_ended(logits: np.ndarray, head: OutputHead) -> np.ndarray:
    if head.activation == SIGMOID:
        return probabilities(logits)[:, 1:]
    return probabilities(logits) if head.activation == SOFTMAX else logits.astype(np.float64)
