"""Any Keras model as a graph: subclassed models are traced, or become one layer of a graph."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_tf.classifiers.graph import flatten, is_graph
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras

SAME = 1e-5  # how far the output of a traced model may be from that of the model itself


def as_graph(model: keras.Model, image_size: tuple[int, int] | None = None) -> keras.Model:
    """A model as a Functional graph; one that is a graph already is returned as it is.

    A Sequential model without an input is built. The call of a subclassed model is traced, which
    shows its layers. Where that fails, because it mixes other operations with its layers, the model
    becomes a single layer (`ModelLayer`).

    Args:
        model: any Keras model.
        image_size: (height, width) of the input, for a model that has not been called yet.

    Raises:
        ModelError: the input size is not known, or the model cannot be called.
    """
    import keras

    if is_graph(model):
        return model
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"Expected a Keras model, got {type(model).__name__!r}. Give any other function to "
            "xai_tf.from_function."
        )
    shape = _input_shape(model, image_size)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    try:
        expected = model(images, training=False)  # builds it
    except Exception as error:  # whatever the code of a user raises
        cause = (str(error).split("\n\n")[-1].splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{model.name!r} cannot be called on a batch of shape {images.shape}: {cause}. Check "
            "the image size."
        ) from error
    if is_graph(model):  # a Sequential one
        return model
    flat = keras.tree.flatten(expected)
    if len(flat) != 1 or len(flat[0].shape) != 2:
        raise ModelError(
            f"Invalid model: the output of {model.name!r} has the shapes "
            f"{[tuple(output.shape) for output in flat]}. Expected one output of shape (batch, "
            "classes), as of a classifier of whole images."
        )
    return _traced(model, images, np.asarray(flat[0])) or _wrapped(model, shape, flat[0].shape[-1])


def _traced(model: keras.Model, images: np.ndarray, expected: np.ndarray) -> keras.Model | None:
    """The graph of the layers that a subclassed model calls; None where it cannot be followed."""
    import keras

    inputs = keras.Input(images.shape[1:])
    training = "training" in inspect.signature(model.call).parameters
    try:
        outputs = model.call(inputs, **({"training": False} if training else {}))
        graph = keras.Model(inputs, keras.tree.flatten(outputs)[0], name=model.name)
        found = np.asarray(flatten(graph)(images, training=False))
    except Exception:  # code of a user on symbolic tensors, and layers that cannot be copied
        return None
    close = np.abs(found - expected).max() <= SAME * max(1.0, float(np.abs(expected).max()))
    return graph if close else None


def _wrapped(model: keras.Model, shape: tuple[int, ...], num_outputs: int) -> keras.Model:
    import keras

    from xai_tf.classifiers.opaque import ModelLayer

    inputs = keras.Input(shape)
    layer = ModelLayer(model, num_outputs, name=f"{model.name}_model")
    return keras.Model(inputs, layer(inputs), name=model.name)


def _input_shape(model: keras.Model, image_size: tuple[int, int] | None) -> tuple[int, ...]:
    """(height, width, channels): what a model was built for; `image_size` of RGB if it was not."""
    built: Any = getattr(model, "_build_shapes_dict", None) or {}
    shape = next(iter(built.values()), None) if isinstance(built, Mapping) else None
    if shape and len(shape) == 4 and None not in shape[1:]:
        return tuple(shape[1:])
    channels = shape[-1] if shape and len(shape) == 4 else 3
    if image_size:
        return (*image_size, channels)
    raise ModelError(
        f"{model.name!r} is a {type(model).__name__} that does not know its input size, as one "
        "that has never been called. Give the size: --size 224, or image_size=(224, 224)."
    )
