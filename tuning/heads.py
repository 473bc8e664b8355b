"""From a configuration to a model: a head on a backbone, its trainable layers, its optimizer."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from tuning.space import Configuration
from xai_tf.classifiers.graph import cut_points, flatten, tensors, upper_part
from xai_tf.classifiers.preprocessing import PREPROCESSING
from xai_tf.errors import ModelError
from xai_tf.training.train import lower_momentum

if TYPE_CHECKING:
    import keras

CE, ACCURACY = "ce", "accuracy"


def trial_seed(seed: int, config: Configuration) -> int:
    """The seed of a trial: the same wherever and whenever its configuration is trained.

    It must be set before each build, because KerasTuner resets Keras' own seed there.
    """
    text = json.dumps([seed, config.to_dict()], sort_keys=True)
    return int(hashlib.sha256(text.encode()).hexdigest()[:7], 16) + 1


def head(
    config: Configuration, shape: tuple[int, ...], num_logits: int, seed: int | None = None
) -> keras.Model:
    """Build a head: features of `shape` (without the batch) to logits.

    Args:
        config: the layers of the head.
        shape: (height, width, channels) of feature maps, or (channels,) of pooled features.
        num_logits: as of `count_logits`.
        seed: random seed of the weights and of dropout.
    """
    import keras

    if seed is not None:
        keras.utils.set_random_seed(seed)
    layers = keras.layers
    inputs = x = keras.Input(shape, name="features")
    if len(shape) > 1:
        pooling = {"average": layers.GlobalAveragePooling2D, "flatten": layers.Flatten}
        x = pooling[config.pooling](name="pool")(x)
    for number, dense in enumerate(config.dense, start=1):
        penalty = keras.regularizers.L1L2(dense.l1, dense.l2) if dense.l1 or dense.l2 else None
        x = layers.Dense(
            dense.units, config.activation, kernel_regularizer=penalty, name=f"dense_{number}"
        )(x)
        x = _dropout(config.dropout, number, seed)(x)
    if not config.dense:
        x = _dropout(config.dropout, 1, seed)(x)
    return keras.Model(inputs, layers.Dense(num_logits, name="logits")(x), name="head")


def _dropout(rate: float, number: int, seed: int | None) -> keras.layers.Layer:
    """A dropout layer with its own seed; with the same seed, all layers would drop alike."""
    import keras

    return keras.layers.Dropout(
        rate, seed=None if seed is None else seed + number, name=f"dropout_{number}"
    )


def whole_model(base: keras.Model, top: keras.Model) -> keras.Model:
    """Put a head for feature maps on a backbone, as one flat model: RGB in [0, 1] to logits."""
    import keras

    return flatten(keras.Model(base.input, top(base.output), name=base.name))


def unfrozen_layers(base: keras.Model, count: int) -> list[str]:
    """The names of the last `count` layers of a backbone (-1: all of them).

    Raises:
        ModelError: the backbone has fewer layers.
    """
    all_names = [layer.name for layer in base.layers]
    names = all_names[all_names.index(PREPROCESSING) + 1 :]
    if count > len(names):
        raise ModelError(
            f"Cannot unfreeze {count} layers of {base.name!r}: it has {len(names)}. Use -1 to "
            "unfreeze all."
        )
    return names if count < 0 else names[len(names) - count :] if count else []


def deepest_cut(base: keras.Model, unfrozen: int) -> str | None:
    """The last layer whose output is the same in every epoch; None where all layers are trained.

    With no layer unfrozen it is the output of the backbone.
    """
    names = list(tensors(base))
    trained = unfrozen_layers(base, unfrozen)
    first = names.index(trained[0]) if trained else len(names)
    below = [name for name in cut_points(base) if names.index(name) < first]
    return below[-1] if below and below[-1] != PREPROCESSING else None


def lower_part(base: keras.Model, cut: str) -> keras.Model:
    """The part of a flat backbone up to the layer `cut`."""
    import keras

    return keras.Model(base.inputs[0], tensors(base)[cut], name=f"{base.name}_to_{cut}")


def set_trainable(model: keras.Model, base: keras.Model, count: int, train_norm: bool) -> None:
    """Freeze the layers of the backbone in `model`, except the last `count`.

    Args:
        model: a whole model or the upper part of one.
        base: the backbone by itself, for the names of its layers.
        count: as for `unfrozen_layers`.
        train_norm: whether batch normalization is trained too, as in a network without
            pretrained weights; otherwise it keeps its pretrained state.
    """
    import keras

    backbone = {layer.name for layer in base.layers}
    unfrozen = set(unfrozen_layers(base, count))
    for layer in model.layers:
        if layer.name in backbone:
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = layer.name in unfrozen and (train_norm or not norm)
            if norm and layer.trainable:
                lower_momentum(layer)


def compile_model(model: keras.Model, config: Configuration, multi_label: bool = False) -> None:
    """Compile a model that puts out logits, with cross-entropy as loss.

    The metrics are cross-entropy (the loss without penalties) and accuracy; with several labels
    the means over the labels. The optimizer is built at once, or its state would not be loaded
    into a trial that continues another. XLA is off, because on a CPU it costs more than it saves.
    """
    import keras

    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    }
    binary = multi_label or model.output_shape[-1] == 1
    losses, metrics = keras.losses, keras.metrics
    loss = losses.BinaryCrossentropy if binary else losses.CategoricalCrossentropy
    entropy = metrics.BinaryCrossentropy if binary else metrics.CategoricalCrossentropy
    # Keras' own "accuracy" would compare a logit with 0.5.
    accuracy = (
        metrics.BinaryAccuracy(ACCURACY, threshold=0.0)
        if binary
        else metrics.CategoricalAccuracy(ACCURACY)
    )
    model.compile(
        optimizers[config.optimizer](config.learning_rate),
        loss(from_logits=True),
        metrics=[entropy(CE, from_logits=True), accuracy],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)


def targets(labels: np.ndarray, num_logits: int) -> np.ndarray:
    """Training targets of the logits: float32 array of shape (rows, logits)."""
    if labels.ndim == 2:  # several labels
        return labels.astype(np.float32)
    if num_logits == 1:
        return labels[:, None].astype(np.float32)
    return np.eye(num_logits, dtype=np.float32)[labels]


def count_logits(classes: tuple[str, ...], multi_label: bool = False) -> int:
    """The number of logits: 1 for two classes, else one per class; of several labels one each."""
    return 1 if len(classes) == 2 and not multi_label else len(classes)


def set_dropout_step(model: keras.Model, seed: int, step: int) -> None:
    """Set dropout's random state to that after `step` batches, so that training continues."""
    for layer in model.layers:
        if layer.name.startswith("dropout_") and layer.rate:
            layer.seed_generator.state.assign([seed + int(layer.name.split("_")[1]), step])


def upper_model(model: keras.Model, cut: str | None) -> keras.Model:
    """The part of a whole model that is trained, from a cut to the logits."""
    return model if cut is None else upper_part(model, cut)
