"""The output head: replace the sigmoid or softmax at the end of a model by linear logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xai_tf.classifiers.graph import nodes
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras

LINEAR, SIGMOID, SOFTMAX = "linear", "sigmoid", "softmax"


@dataclass(frozen=True)
class OutputHead:
    """How a model ended before it was given a linear head.

    Attributes:
        activation: how it turned logits into probabilities: "linear", "sigmoid" or "softmax".
        layer: the name of the layer that applied the activation.
        num_logits: 1 for two classes with one output, else the number of classes.
    """

    activation: str
    layer: str
    num_logits: int


def linear_head(model: keras.Model) -> tuple[keras.Model, OutputHead]:
    """Make a flat model end in logits: remove the sigmoid or softmax, whatever form it has.

    Returns:
        The model, and how it ended before.

    Raises:
        ModelError: the model does not end in class logits or in probabilities made from them.
    """
    import keras

    last = _last_node(model)
    layer = last.operation
    shape = model.output_shape
    if len(shape) != 2:
        raise ModelError(
            f"Invalid model: its output has shape {shape}. Expected (batch, classes), as of a "
            "classifier of whole images."
        )
    activation = _activation(layer)
    head = OutputHead(activation, layer.name, shape[-1])
    _check_head(head)
    if activation == LINEAR:
        if _gives_probabilities(model, last):
            raise ModelError(
                f"Invalid model: it ends in probabilities that layer {layer.name!r} mixes or "
                "reshapes, so it has no class logits. Give one of its members, or end it in one "
                "softmax."
            )
        if last.outputs[0] is not model.outputs[0]:
            return keras.Model(model.inputs[0], last.outputs[0]), head
        return model, head
    if isinstance(layer, keras.layers.Dense):
        config = layer.get_config() | {"activation": "linear", "name": f"{layer.name}_linear"}
        dense = keras.layers.Dense.from_config(config)
        logits = dense(last.input_tensors[0])
        dense.set_weights(layer.get_weights())
    else:
        logits = last.input_tensors[0]
    return keras.Model(model.inputs[0], logits), head


def _last_node(model: keras.Model) -> Any:
    """The node that computes the output, ignoring layers behind it that do not change it."""
    producers = {id(tensor): node for node in nodes(model) for tensor in node.outputs}
    node = producers[id(model.outputs[0])]
    while _is_identity(node.operation) and id(node.input_tensors[0]) in producers:
        node = producers[id(node.input_tensors[0])]
    return node


def _is_identity(operation: Any) -> bool:
    kind = type(operation).__name__
    return kind in ("Dropout", "Identity") or (
        kind == "Activation" and _activation(operation) == LINEAR
    )


def _gives_probabilities(model: keras.Model, node: Any) -> bool:
    """Whether a node only mixes or reshapes the output of a sigmoid or softmax."""
    producers = {id(tensor): node for node in nodes(model) for tensor in node.outputs}
    if _activation(node.operation) in (SIGMOID, SOFTMAX):
        return True
    mixing = (
        "Average",
        "Maximum",
        "Minimum",
        "Flatten",
        "Reshape",
        "Concatenate",
        "Dropout",
        "GlobalAveragePooling2D",
        "Identity",
        "Activation",
    )
    return type(node.operation).__name__ in mixing and any(
        _gives_probabilities(model, producers[id(tensor)])
        for tensor in node.input_tensors
        if id(tensor) in producers
    )


def _activation(layer: keras.layers.Layer) -> str:
    """The activation a last layer applies: "linear", "sigmoid", "softmax" or Keras' name of it."""
    import keras

    function = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax) or isinstance(function, keras.layers.Softmax):
        return SOFTMAX
    if function is not None:
        return getattr(function, "__name__", type(function).__name__.lower())
    operation = type(layer).__name__.lower()
    return operation if operation in (SIGMOID, SOFTMAX) else LINEAR


def _check_head(head: OutputHead) -> None:
    if head.activation not in (LINEAR, SIGMOID, SOFTMAX):
        raise ModelError(
            f"Invalid model: it ends in the activation {head.activation!r} (layer {head.layer!r}). "
            "Expected sigmoid, softmax or plain logits."
        )
    if head.activation == SIGMOID and head.num_logits > 1:
        raise ModelError(
            f"Invalid model: it ends in {head.num_logits} independent sigmoids (layer "
            f"{head.layer!r}), as for several labels at once. Expected one output for two classes, "
            "or a softmax."
        )
    if head.activation == SOFTMAX and head.num_logits == 1:
        raise ModelError(
            f"Invalid model: it ends in a softmax over one output (layer {head.layer!r}), which is "
            "always 1. Use a sigmoid for two classes."
        )
