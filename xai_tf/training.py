"""Transfer learning on a folder of classes: fit the head, then fine-tune the upper layers.

What lies below the unfrozen layers is run once over a fixed number of augmented copies of the
training set; only what lies above is trained. Batch normalisation stays as it was pretrained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.dataset import Dataset, Splits
from xai_tf.errors import ModelError
from xai_tf.models import PREPROCESSING, build_model
from xai_tf.probability import probabilities
from xai_tf.surgery import cut_points, tensors, upper_part
from xai_tf.task import Augment

if TYPE_CHECKING:
    from pathlib import Path

    import keras

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """The settings of a training.

    Attributes:
        backbone: a name in `models.BACKBONES`.
        weights: "imagenet", a file, or None for random weights.
        unfreeze: how many of the last layers of the backbone are fine-tuned; 0 trains the head
            only, -1 trains all.
        copies: augmented copies of the training set; epochs take turns on them.
        head_epochs: epochs for the head alone, at a rate of 0.001.
        epochs: epochs of fine-tuning.
        rate: the highest learning rate of fine-tuning; it falls to zero along a cosine.
        batch_size: images a step.
        dropout: share of the pooled features dropped.
        smoothing: label smoothing.
        seed: of weights, order and augmentation.
    """

    backbone: str = "mobilenet_v2"
    weights: str | Path | None = "imagenet"
    unfreeze: int = 30
    copies: int = 4
    head_epochs: int = 4
    epochs: int = 12
    rate: float = 1e-4
    batch_size: int = 32
    dropout: float = 0.3
    smoothing: float = 0.05
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and how it went.

    Attributes:
        model: RGB in [0, 1] to logits, with the weights of the epoch that validated best.
        history: per epoch, (phase, training loss, validation loss, validation accuracy).
        seconds: how long it took.
    """

    model: keras.Model
    history: tuple[tuple[str, float, float, float], ...]
    seconds: float


def train(
    splits: Splits, recipe: Recipe, augment: Augment, report: Report | None = None
) -> Trained:
    """Train a classifier.

    Args:
        splits: images and labels; the test set is not looked at.
        recipe: the settings.
        augment: changes an image without changing its class.
        report: called with (what is being done, steps done, steps in all).

    Raises:
        ModelError: the weights do not fit the backbone, or the loss became NaN.
    """
    import keras

    start, say = time.perf_counter(), report or (lambda *_: None)
    keras.utils.set_random_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    data = splits.train
    num_logits = 1 if len(data.classes) == 2 else len(data.classes)
    image_size = data.images.shape[1:3]
    model = build_model(
        recipe.backbone, num_logits, image_size, recipe.weights, dropout=recipe.dropout
    )
    unfrozen = _unfrozen(model, recipe.unfreeze)
    lower, upper = _divide(model, unfrozen)

    def copy(number: int) -> np.ndarray:
        say(f"copy {number + 1} of {recipe.copies}", number, recipe.copies)
        images = data.images
        if number:
            images = np.stack([_augmented(image, augment, rng) for image in images])
        return features(lower, images)

    copies = [copy(number) for number in range(recipe.copies)]
    validation = features(lower, splits.validation.images)
    fit = _Fit(upper, recipe, data.labels, _class_weights(data.labels))
    phases = [("head", recipe.head_epochs, 1e-3, [])]
    if unfrozen:
        phases.append(("fine-tuning", recipe.epochs, recipe.rate, unfrozen))
    history, best = [], (np.inf, upper.get_weights())
    total, done = sum(epochs for _, epochs, *_ in phases), 0
    for phase, epochs, rate, layers in phases:
        fit.prepare(layers, rate, epochs * -(-len(data.labels) // recipe.batch_size))
        for epoch in range(epochs):
            say(f"{phase}, epoch {epoch + 1} of {epochs}", done, total)
            loss = fit.epoch(copies[epoch % len(copies)])
            val_loss, accuracy = _validate(upper, validation, splits.validation)
            if not np.isfinite(loss):
                raise ModelError(f"The loss became {loss} in {phase}. Take a lower rate.")
            history.append((phase, loss, val_loss, accuracy))
            if val_loss < best[0]:
                best = (val_loss, upper.get_weights())
            done += 1
        say(f"{phase}: best validation loss {best[0]:.3f}", done, total)
    upper.set_weights(best[1])
    return Trained(model, tuple(history), time.perf_counter() - start)


def features(lower: keras.Model | None, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """What a model puts out for uint8 images, in batches; without a model the images themselves."""
    if lower is None:
        return images
    parts = [
        np.asarray(lower(images[start : start + batch_size].astype(np.float32) / 255))
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)


def predict_files(model: keras.Model, data: Dataset) -> np.ndarray:
    """Probabilities of shape (files, classes); the logits of a file's windows are averaged."""
    return probabilities(data.file_means(features(model, data.images)))


class _Fit:
    """The upper part of a model under training: an optimizer that lives for a phase."""

    def __init__(
        self, upper: keras.Model, recipe: Recipe, labels: np.ndarray, weights: dict[int, float]
    ) -> None:
        self._upper, self._recipe, self._labels, self._weights = upper, recipe, labels, weights

    def prepare(self, layers: list[str], rate: float, steps: int) -> None:
        import keras

        names = {*layers, "logits"}
        for layer in self._upper.layers:
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = layer.name in names and not norm
        one = self._upper.output_shape[-1] == 1
        self._upper.compile(
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
            loss=keras.losses.BinaryCrossentropy(
                from_logits=True, label_smoothing=self._recipe.smoothing
            )
            if one
            else keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=self._recipe.smoothing
            ),
        )
        self._targets = (
            self._labels[:, None].astype(np.float32)
            if one
            else np.eye(self._upper.output_shape[-1], dtype=np.float32)[self._labels]
        )

    def epoch(self, inputs: np.ndarray) -> float:
        weights = np.vectorize(self._weights.get)(self._labels).astype(np.float32)
        scaled = inputs.astype(np.float32) / 255 if inputs.dtype == np.uint8 else inputs
        history = self._upper.fit(
            scaled, self._targets, sample_weight=weights,
            batch_size=self._recipe.batch_size, verbose=0,
        )  # fmt: skip
        return float(history.history["loss"][-1])


def _augmented(image: np.ndarray, augment: Augment, rng: np.random.Generator) -> np.ndarray:
    changed = augment(image.astype(np.float32) / 255, rng)
    return np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def _unfrozen(model: keras.Model, count: int) -> list[str]:
    """The last `count` layers of the backbone (-1: all of them), by name."""
    names = [layer.name for layer in model.layers]
    backbone = names[names.index(PREPROCESSING) + 1 : names.index("pool")]
    return backbone if count < 0 else backbone[len(backbone) - count :] if count else []


def _divide(model: keras.Model, unfrozen: list[str]) -> tuple[keras.Model | None, keras.Model]:
    """Part a model at the last cut below the unfrozen layers: (what is fixed, what is trained)."""
    import keras

    known, first = tensors(model), (unfrozen or ["dropout"])[0]
    order = list(known)
    below = [name for name in cut_points(model) if order.index(name) < order.index(first)]
    if not below or below[-1] == PREPROCESSING:
        return None, model
    return keras.Model(model.inputs[0], known[below[-1]]), upper_part(model, below[-1])


def _class_weights(labels: np.ndarray) -> dict[int, float]:
    """Each class counts the same, however many files it has."""
    counts = np.bincount(labels)
    return {label: len(labels) / (len(counts) * count) for label, count in enumerate(counts)}


def _validate(upper: keras.Model, inputs: np.ndarray, data: Dataset) -> tuple[float, float]:
    """Cross-entropy and accuracy by file."""
    logits = features(upper, inputs) if inputs.dtype == np.uint8 else _batched(upper, inputs)
    chances, labels = probabilities(data.file_means(logits)), data.file_labels
    right = np.clip(chances[np.arange(len(labels)), labels], 1e-7, 1)
    return float(-np.log(right).mean()), float((chances.argmax(axis=1) == labels).mean())


def _batched(model: keras.Model, inputs: np.ndarray, batch_size: int = 128) -> np.ndarray:
    starts = range(0, len(inputs), batch_size)
    return np.concatenate([np.asarray(model(inputs[s : s + batch_size])) for s in starts])
