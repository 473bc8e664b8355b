"""The forward and backward passes of a network, compiled once for all batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xai_tf.classifiers.graph import calls_function, tensors
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Passes:
    """The compiled passes of a model; each is traced once and takes any batch size.

    `images` are float32 of shape (batch, height, width, 3), `targets` are the weights of the logits
    that make the explained score, float32 of shape (batch, logits).

    Attributes:
        logits: (images) -> logits of shape (batch, logits).
        scores: (images, targets) -> scores of shape (batch,), the weighted sums of the logits.
        gradients: (images, targets) -> gradients of the scores, of the shape of the images.
        scores_and_gradients: (images, targets) -> both, from one pass.
    """

    logits: Callable[[Any], Any]
    scores: Callable[[Any, Any], Any]
    gradients: Callable[[Any, Any], Any]
    scores_and_gradients: Callable[[Any, Any], tuple[Any, Any]]


def compile_passes(model: keras.Model) -> Passes:
    """Compile the passes of a model for any batch size, so that nothing is traced twice."""
    import tensorflow as tf

    images, targets = _signature(model)

    @tf.function(input_signature=[images])
    def logits(images: Any) -> Any:
        return tf.cast(model(images, training=False), tf.float32)

    @tf.function(input_signature=[images, targets])
    def scores(images: Any, targets: Any) -> Any:
        return tf.reduce_sum(tf.cast(model(images, training=False), tf.float32) * targets, axis=-1)

    @tf.function(input_signature=[images, targets])
    def scores_and_gradients(images: Any, targets: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            score = tf.reduce_sum(
                tf.cast(model(images, training=False), tf.float32) * targets, axis=-1
            )
        return score, tape.gradient(score, images, unconnected_gradients="zero")

    def gradients(images: Any, targets: Any) -> Any:
        return scores_and_gradients(images, targets)[1]

    return Passes(logits, scores, gradients, scores_and_gradients)


def compile_predictions(model: keras.Model) -> Passes:
    """The passes of a model without gradients, which runs as Python code."""
    import tensorflow as tf

    def logits(images: Any) -> Any:
        try:
            return tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32)
        except ModelError as error:
            raise error from error.__context__  # Keras hides the cause of what its layers raise

    def scores(images: Any, targets: Any) -> Any:
        return tf.reduce_sum(logits(images) * targets, axis=-1)

    def no_gradients(_images: Any, _targets: Any) -> Any:
        raise ModelError(
            f"{model.name!r} gives predictions, but no gradients. Use a perturbation method, such "
            "as occlusion or rise."
        )

    return Passes(logits, scores, no_gradients, no_gradients)


def reaches_input(model: keras.Model) -> bool:
    """Whether the gradient of the logits reaches the input of a model with hidden parts.

    It does where TensorFlow connects them, also if saturated probabilities make it 0.
    """
    import numpy as np
    import tensorflow as tf

    if calls_function(model):
        return False
    rng = np.random.default_rng(0)
    images = rng.random((2, *model.input_shape[1:]), dtype=np.float32)
    targets = rng.normal(size=(2, model.output_shape[-1])).astype(np.float32)
    try:
        found = np.asarray(compile_passes(model).gradients(images, targets))
        with tf.GradientTape() as tape:
            given = tf.constant(images)
            tape.watch(given)
            score = tf.reduce_sum(tf.cast(model(given, training=False), tf.float32) * targets)
        connected = tape.gradient(score, given) is not None
    except Exception:  # code that TensorFlow cannot trace or differentiate raises many types
        return False
    return connected and bool(np.isfinite(found).all())


def compile_maps(model: keras.Model, layer: str) -> Callable[[Any], Any]:
    """Compile a pass (images) -> feature maps of a layer, (batch, height, width, channels)."""
    import keras
    import tensorflow as tf

    inner = keras.Model(model.inputs[0], tensors(model)[layer])

    @tf.function(input_signature=_signature(model)[:1])
    def maps(images: Any) -> Any:
        return inner(images, training=False)

    return maps


def compile_logits_and_means(model: keras.Model, layer: str) -> Callable[[Any], Any]:
    """Compile a pass (images) -> logits, and the spatial means of a layer's feature maps.

    Their shapes are (batch, logits) and (batch, channels). Both come from one forward pass.
    """
    import keras
    import tensorflow as tf

    inner = keras.Model(model.inputs[0], [model.outputs[0], tensors(model)[layer]])

    @tf.function(input_signature=_signature(model)[:1])
    def logits_and_means(images: Any) -> Any:
        logits, maps = inner(images, training=False)
        return tf.cast(logits, tf.float32), tf.reduce_mean(tf.cast(maps, tf.float32), axis=(1, 2))

    return logits_and_means


def compile_feature_pass(model: keras.Model, layers: tuple[str, ...]) -> Callable[[Any, Any], Any]:
    """Compile a pass (images, targets) -> feature maps of layers, and the score's gradients there.

    Both are lists with one array per layer, of shape (batch, height, width, channels). Xplique
    patches the layer while it runs instead, which is not thread-safe.
    """
    import keras
    import tensorflow as tf

    outputs = tensors(model)
    inner = keras.Model(model.inputs[0], [*(outputs[name] for name in layers), model.outputs[0]])

    @tf.function(input_signature=_signature(model))
    def maps_and_gradients(images: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            *maps, logits = inner(images, training=False)
            score = tf.reduce_sum(tf.cast(logits, tf.float32) * targets, axis=-1)
        return maps, tape.gradient(score, maps, unconnected_gradients="zero")

    return maps_and_gradients


def _signature(model: keras.Model) -> list[Any]:
    import tensorflow as tf

    return [
        tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
        tf.TensorSpec((None, model.output_shape[-1]), tf.float32),
    ]
