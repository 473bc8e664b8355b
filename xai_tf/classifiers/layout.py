"""Models whose input or output is laid out otherwise than (height, width, channels) and (classes).

Such are networks for MNIST, which take (28, 28) or (784,), networks with the channels first, and
those that end in a map of one cell. They become models of the usual layout that give the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isqrt
from typing import TYPE_CHECKING, Any

from xai_tf.classifiers.graph import graph_of, is_graph, nodes, operations, replay
from xai_tf.errors import ModelError
from xai_tf.inputs.sample import MIN_SIDE

if TYPE_CHECKING:
    import keras

COLORS = (1, 3)
TO_LAST, TO_FIRST = (2, 3, 1), (3, 1, 2)  # as `Permute` counts axes


@contextmanager
def told_if_not_supported() -> Iterator[None]:
    """Raise a ModelError where TensorFlow has no code for an operation on this machine."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.UnimplementedError as error:
        cause = next((line for line in str(error).splitlines() if "support" in line), str(error))
        cause = cause.rpartition("}} ")[2].partition(" [Op:")[0].removesuffix(".")
        raise ModelError(
            f"TensorFlow cannot run this model on this machine: {cause}. Convolutions with the "
            "channels first run on a CPU when TF_ENABLE_ONEDNN_OPTS=1 is set before TensorFlow "
            "is imported (`import xai_tf` first does it)."
        ) from error


def usual_layout(model: keras.Model) -> tuple[keras.Model, str]:
    """A model of pictures with the channels last that ends in one vector of classes.

    Args:
        model: with one input and one output.

    Returns:
        The model, which is the one given where it has that layout already or one that is no
        picture's, and a sentence on what was assumed of its input, or "".
    """
    import keras

    layers = keras.layers
    shape = tuple(model.inputs[0].shape[1:])
    picture, note = _picture_shape(shape)
    if picture and len(shape) == 3:  # the channels come first
        model = _channels_last(model, picture)
    elif is_graph(model) and _computes_channels_first(model):
        inputs = keras.Input(shape, name="input")
        model = keras.Model(inputs, _one_layer(model, inputs), name=model.name)
    elif picture:
        inputs = keras.Input(picture, name="input")
        reshaped = layers.Reshape(shape, name="as_input")(inputs)
        model = keras.Model(inputs, model(reshaped), name=model.name)
    output = model.outputs[0].shape
    if len(output) == 4 and tuple(output[1:3]) == (1, 1):
        model = keras.Model(
            model.inputs[0], layers.Flatten(name="as_output")(model.outputs[0]), name=model.name
        )
    return model, note


def _picture_shape(shape: tuple[int | None, ...]) -> tuple[tuple[int, int, int] | None, str]:
    """(height, width, channels) of an input of another layout, and what is assumed; else None."""
    sides = [side or 0 for side in shape]
    if len(shape) == 3 and sides[0] in COLORS and sides[2] not in COLORS and min(sides[1:]):
        return (sides[1], sides[2], sides[0]), ""
    if len(shape) == 2 and min(sides) >= MIN_SIDE:
        return (sides[0], sides[1], 1), (
            f"Its input of {sides[0]} x {sides[1]} numbers is taken for the gray levels of a "
            "picture."
        )
    for channels, kind in ((1, "gray levels"), (3, "RGB values")):
        side = isqrt(sides[0] // channels) if len(shape) == 1 else 0
        if side >= MIN_SIDE and side * side * channels == sides[0]:
            return (side, side, channels), (
                f"Its input of {sides[0]} numbers is taken for the {kind} of a picture of {side} x "
                f"{side} pixels, row by row. If it is none, give another model."
            )
    return None, ""


def _channels_last(model: keras.Model, shape: tuple[int, int, int]) -> keras.Model:
    """A model with the channels first as one that takes them last.

    Where it moves them to the end before anything else, it is entered behind that. Others become
    one layer: their feature maps have the channels first, too.
    """
    import keras

    inputs = keras.Input(shape, name="input")
    if is_graph(model) and not _computes_channels_first(model):
        graph = graph_of(model)
        start = id(graph.inputs[0])
        first = [node for node in nodes(graph) if start in map(id, node.input_tensors)]
        if all(getattr(node.operation, "dims", None) == TO_LAST for node in first):
            entered = {id(node.outputs[0]): inputs for node in first}
            return keras.Model(inputs, replay(graph, entered)[0], name=model.name)
    turned = keras.layers.Permute(TO_FIRST, name="channels_first")(inputs)
    return keras.Model(inputs, _one_layer(model, turned), name=model.name)


def _one_layer(model: keras.Model, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """The output of a model that is hidden in a layer, because its maps would be misread."""
    from xai_tf.classifiers.opaque import ModelLayer

    layer = ModelLayer(model, model.output_shape[-1], name=f"{model.name}_model")
    return layer(inputs)


def _computes_channels_first(model: keras.Model) -> bool:
    def first(operation: Any) -> bool:
        return bool(getattr(operation, "data_format", "") == "channels_first")

    return any(map(first, operations(model)))
