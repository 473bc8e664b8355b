"""Transfer learning: fit the head, then fine-tune the upper layers of the backbone.

The frozen layers run only once on each of a fixed number of augmented copies of the training set;
only the layers above them are trained. Batch normalization stays as it was pretrained, and is
trained only where the weights are random.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.graph import cut_points, flatten, tensors, upper_part
from xai_tf.classifiers.prediction import probabilities
from xai_tf.classifiers.preprocessing import PREPROCESSING
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.errors import ModelError
from xai_tf.inputs.task import Augment
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    import keras


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a training.

    Attributes:
        backbone: a name in `BACKBONES`.
        weights: "imagenet", a weights file, or None for random weights.
        unfreeze: the number of last layers of the backbone to fine-tune; 0 trains only the head,
            -1 all layers.
        head_epochs: epochs for the head alone, without augmentation, at a learning rate of 0.001.
        epochs: epochs of fine-tuning, on augmented images.
        copies: the number of augmented copies of the training set, which the epochs use in turn; 0
            draws new ones for every epoch.
        rate: the highest learning rate of fine-tuning, with one epoch of warmup and cosine decay.
        batch_size: images per step.
        dropout: dropout rate of the pooled features.
        smoothing: label smoothing, 0 to 1.
        seed: random seed of weights, order and augmentation.
    """

    backbone: str = "mobilenet_v2"
    weights: str | Path | None = "imagenet"
    unfreeze: int = 30
    head_epochs: int = 30
    epochs: int = 12
    copies: int = 6
    rate: float = 1.5e-4
    batch_size: int = 32
    dropout: float = 0.3
    smoothing: float = 0.05
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and its history.

    Attributes:
        model: RGB in [0, 1] to logits, with the weights of the epoch with the lowest validation
            loss.
        history: for each epoch (phase, training loss, validation loss, validation accuracy); with
            several labels the accuracy is the share of labels that are right.
        seconds: the duration of the training.
    """

    model: keras.Model
    history: tuple[tuple[str, float, float, float], ...]
    seconds: float


def train(splits: Splits, recipe: Recipe, augment: Augment, progress: Progress = silent) -> Trained:
    """Train a classifier.

    Args:
        splits: images and labels; the test set is not used.
        recipe: the settings.
        augment: returns a changed image of a sample without changing its class.
        progress: called with (epochs done, epochs in all, what is trained now).

    Raises:
        ModelError: the weights do not fit the backbone, or the loss became NaN or infinite.
    """
    import keras

    start = time.perf_counter()
    keras.utils.set_random_seed(recipe.seed)
    data = splits.train
    num_logits = 1 if len(data.classes) == 2 and not data.multi_label else len(data.classes)
    model = build_model(
        recipe.backbone, num_logits, data.images.shape[1:3], recipe.weights, dropout=recipe.dropout
    )
    unfrozen = unfrozen_layers(model, recipe.unfreeze)
    history = _phase("head", model, [], splits, _Copies(data, None, 1, 0), recipe, progress)
    if unfrozen and recipe.epochs:
        copies = _Copies(data, augment, recipe.copies, recipe.seed)
        history += _phase("fine-tuning", model, unfrozen, splits, copies, recipe, progress)
    # A copy has no optimizer, which would make the file three times as large.
    return Trained(flatten(model), tuple(history), time.perf_counter() - start)


def with_sigmoids(model: keras.Model) -> keras.Model:
    """A model that ends in a sigmoid for each of its logits, so that it tells its several labels.

    Logits alone would look like those of a softmax.
    """
    import keras

    outputs = keras.layers.Activation("sigmoid", name="probabilities")(model.outputs[0])
    return keras.Model(model.inputs[0], outputs, name=model.name)


def features(model: keras.Model, inputs: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """The outputs of a model for uint8 images or float features, computed in batches."""
    import tensorflow as tf

    scale = 255.0 if inputs.dtype == np.uint8 else 1.0
    batches = [
        np.asarray(
            model(tf.cast(inputs[start : start + batch_size], tf.float32) / scale, training=False)
        )
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(batches)


def predict_files(model: keras.Model, data: Dataset) -> np.ndarray:
    """Probabilities of shape (files, classes); the logits of a file's windows are averaged."""
    return probabilities(data.file_means(features(model, data.images)), data.multi_label)


def _phase(
    name: str,
    model: keras.Model,
    unfrozen: list[str],
    splits: Splits,
    copies: _Copies,
    recipe: Recipe,
    progress: Progress,
) -> list[tuple[str, float, float, float]]:
    """Train the head and the unfrozen layers; keep the epoch with the lowest validation loss."""
    import tensorflow as tf

    epochs = recipe.epochs if unfrozen else recipe.head_epochs
    lower, upper = divide(model, unfrozen)
    binary = model.output_shape[-1] == 1 or splits.train.multi_label
    compile_upper(upper, unfrozen, recipe, binary, epochs * -(-len(copies) // recipe.batch_size))
    targets, weights = targets_of(copies.labels, model.output_shape[-1]), _weights(copies.labels)
    held_out = splits.validation.images
    validation = held_out if lower is None else features(lower, held_out)
    history, best = [], (_validate(upper, validation, splits.validation)[0], upper.get_weights())
    for epoch in range(epochs):
        so_far = f", best validation loss {best[0]:.3f}" if epoch else ""
        progress(epoch, epochs, f"{name}, epoch {epoch + 1} of {epochs}{so_far}")
        rows = tf.data.Dataset.from_tensor_slices((copies.inputs(lower, epoch), targets, weights))
        rows = rows.shuffle(len(copies), seed=recipe.seed + epoch).batch(recipe.batch_size)
        loss = upper.fit(rows.map(_scaled), shuffle=False, verbose=0).history["loss"][-1]
        if not np.isfinite(loss):
            raise ModelError(f"The loss became {loss} in {name}. Use a lower learning rate.")
        val_loss, accuracy = _validate(upper, validation, splits.validation)
        history.append((name, float(loss), val_loss, accuracy))
        if val_loss < best[0]:
            best = (val_loss, upper.get_weights())
    progress(epochs, epochs, f"{name}: best validation loss {best[0]:.3f}")
    upper.set_weights(best[1])
    return history


class _Copies:
    """The training set, plain or augmented; frozen layers are computed once per copy."""

    def __init__(self, data: Dataset, augment: Augment | None, count: int, seed: int) -> None:
        self._data, self._augment, self._count = data, augment, count
        self._rng = np.random.default_rng(seed)
        self._cache: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._data.labels)

    @property
    def labels(self) -> np.ndarray:
        return self._data.labels

    def inputs(self, lower: keras.Model | None, epoch: int) -> np.ndarray:
        """The inputs of the trained layers in an epoch: features below the cut, or uint8 images."""
        number = epoch % self._count if self._count else epoch
        if number in self._cache:
            return self._cache[number]
        images = self._draw()
        inputs = images if lower is None else features(lower, images)
        if self._count and lower is not None:
            self._cache[number] = inputs
        return inputs

    def _draw(self) -> np.ndarray:
        if self._augment is None:
            return self._data.images
        return np.stack(
            [
                np.rint(np.clip(self._augment(self._data.sample(row), self._rng), 0, 1) * 255)
                for row in range(len(self))
            ]
        ).astype(np.uint8)


def _scaled(inputs: Any, targets: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Scale images, which stay bytes until they are used; features are used as they are."""
    import tensorflow as tf

    scale = 255.0 if inputs.dtype == tf.uint8 else 1.0
    return tf.cast(inputs, tf.float32) / scale, targets, weights


def compile_upper(
    upper: keras.Model, unfrozen: list[str], recipe: Recipe, binary: bool, steps: int
) -> None:
    """Compile the trained part of a model.

    Args:
        upper: the part, as from `divide`.
        unfrozen: the layers of the backbone that are trained; none in the phase of the head.
        recipe: the settings.
        binary: whether each logit is a question of its own.
        steps: the number of steps in all epochs.
    """
    import keras

    trained = {*unfrozen, "logits"}
    for layer in upper.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in trained and not (norm and recipe.weights)
        if norm and layer.trainable:
            lower_momentum(layer)
    rate: Any = 1e-3
    if unfrozen:
        warmup = steps // max(2, recipe.epochs)
        rate = keras.optimizers.schedules.CosineDecay(
            recipe.rate / 10, max(1, steps - warmup), warmup_target=recipe.rate, warmup_steps=warmup
        )
    losses = keras.losses
    loss = losses.BinaryCrossentropy if binary else losses.CategoricalCrossentropy
    upper.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0),
        loss(from_logits=True, label_smoothing=recipe.smoothing),
        jit_compile=False,  # on a CPU, XLA is several times slower and uses one core
    )


def lower_momentum(norm: keras.layers.BatchNormalization) -> None:
    """Let the moving statistics adapt in tens of steps instead of hundreds, as small sets need."""
    norm.momentum = min(norm.momentum, 0.9)


def targets_of(labels: np.ndarray, num_logits: int) -> np.ndarray:
    """The targets of labels: float32 of shape (rows, logits)."""
    if labels.ndim == 2:
        return labels.astype(np.float32)
    if num_logits == 1:
        return labels[:, None].astype(np.float32)
    return np.eye(num_logits, dtype=np.float32)[labels]


def _weights(labels: np.ndarray) -> np.ndarray:
    """A weight for each row, so that all classes count the same, whatever their size.

    With several labels all rows count the same, so that probabilities stay those of the data.
    """
    if labels.ndim == 2:
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels)
    return (len(labels) / (np.count_nonzero(counts) * counts[labels])).astype(np.float32)


def unfrozen_layers(model: keras.Model, count: int) -> list[str]:
    """The names of the last `count` layers of the backbone (-1: all of them)."""
    names = [layer.name for layer in model.layers]
    backbone = names[names.index(PREPROCESSING) + 1 : names.index("pool")]
    return backbone if count < 0 else backbone[len(backbone) - count :] if count else []


def divide(model: keras.Model, unfrozen: list[str]) -> tuple[keras.Model | None, keras.Model]:
    """Cut a model below the unfrozen layers: (the frozen part or None, the trained part)."""
    import keras

    outputs, first = tensors(model), (unfrozen or ["dropout"])[0]
    order = list(outputs)
    below = [name for name in cut_points(model) if order.index(name) < order.index(first)]
    if not below or below[-1] == PREPROCESSING:
        return None, model
    return keras.Model(model.inputs[0], outputs[below[-1]]), upper_part(model, below[-1])


def _validate(upper: keras.Model, inputs: np.ndarray, data: Dataset) -> tuple[float, float]:
    """Cross-entropy and accuracy, by file."""
    logits = features(upper, inputs)
    chances, labels = probabilities(data.file_means(logits), data.multi_label), data.file_labels
    if data.multi_label:
        right = np.clip(np.where(labels == 1, chances, 1 - chances), 1e-7, 1)
        return float(-np.log(right).mean()), float((right >= 0.5).mean())
    right = np.clip(chances[np.arange(len(labels)), labels], 1e-7, 1)
    return float(-np.log(right).mean()), float((chances.argmax(axis=1) == labels).mean())
