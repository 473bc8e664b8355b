"""The output head: replace the sigmoid or softmax at the end of a model by linear logits.

Where nothing but arithmetic on probabilities follows a sigmoid or softmax (an ensemble, a pooled
map, `1 - p`, `p / sum(p)`, a clip), there is no logit in the model to expose. What the model does
decides then: if its outputs are probabilities, their logarithms are logits that give exactly them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_tf.classifiers.graph import nodes
from xai_tf.classifiers.returns import LABEL_LOGITS, LOGITS, MULTI_LABEL, PROBABILITIES
from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras

LINEAR, SIGMOID, SOFTMAX = "linear", "sigmoid", "softmax"
QUANTITY, BINARY, CATEGORICAL = "quantity", "binary", "categorical"
# What losses of Keras say about an output without an activation; names without "_".
LOSSES = {
    **dict.fromkeys(("mse", "meansquarederror", "mae", "meanabsoluteerror"), QUANTITY),
    **dict.fromkeys(("mape", "meanabsolutepercentageerror"), QUANTITY),
    **dict.fromkeys(("msle", "meansquaredlogarithmicerror"), QUANTITY),
    **dict.fromkeys(("huber", "huberloss", "logcosh", "poisson"), QUANTITY),
    **dict.fromkeys(("binarycrossentropy", "bce", "binaryfocalcrossentropy"), BINARY),
    **dict.fromkeys(("hinge", "squaredhinge"), BINARY),
    **dict.fromkeys(("categoricalcrossentropy", "sparsecategoricalcrossentropy"), CATEGORICAL),
    **dict.fromkeys(("categoricalfocalcrossentropy", "categoricalhinge"), CATEGORICAL),
}
HIDDEN = "hidden"  # the end of a model in a layer that does not show its activation
# Activations whose outputs are probabilities.
SQUASHING = (SIGMOID, SOFTMAX, "hard_sigmoid")
# Probabilities below this, or above 1 minus this, have logits of no more digits in float32.
SMALLEST = 1e-7
LIMITING = ("Clip", "Maximum", "Minimum", "ReLU", "Relu")
# Of sums over classes that are constant.
SUM_TOLERANCE = 1e-5
CLIPPED_TOLERANCE = 0.02  # the same for a softmax with a lower and an upper limit
VARIED = 1e-3  # the deviation of an output over pictures from which on it is not constant


@dataclass(frozen=True, kw_only=True)
class OutputHead:
    """How a model ended before it was given a linear head.

    Attributes:
        activation: how logits become probabilities: "linear" (the model ends in logits, of which a
            softmax is taken), "sigmoid" (for two classes, or one for each of several labels) or
            "softmax".
        layer: the name of the layer that applied the activation, or that ends the model.
        num_logits: 1 for two classes with one output, else the number of classes.
        independent: whether the model ends in logits that are questions of their own, because it
            was trained with a binary cross-entropy or is said to return them.
        known: whether it is known what outputs without an activation mean. Where the file does not
            name the loss, one may as well be a quantity, and several may be independent labels.
        recovered: whether the logits are the logarithms of probabilities that the model computes
            without logits of its own, as an ensemble does.
        total: the sum of the outputs over the classes; 100 where they are percentages.
        certain: whether it is known what the outputs are; otherwise it was guessed by their values.
        clipped: whether something limits the probabilities of a softmax, after which their sum may
            differ from 1. Those that are given are divided by it.
    """

    activation: str
    layer: str
    num_logits: int
    independent: bool = False
    known: bool = True
    recovered: bool = False
    total: float = 1.0
    certain: bool = True
    clipped: bool = False

    @property
    def multi_label(self) -> bool:
        """Whether each output answers a question of its own, so that several may be true."""
        return self.num_logits > 1 and (self.activation == SIGMOID or self.independent)


def linear_head(
    model: keras.Model, loss: str = "", returns: str | None = None
) -> tuple[keras.Model, OutputHead]:
    """Make a flat model end in logits, whatever form its sigmoid or softmax has.

    Args:
        model: a flat model.
        loss: the loss it was trained with, a key of `LOSSES`; empty where that is unknown. It says
            what an output without an activation means.
        returns: what its outputs are, a name in `RETURNS`, where it ends in no activation, or in a
            layer that does not show it. By default as the loss says, or guessed by their values.

    Returns:
        The model, and how it ended before.

    Raises:
        ModelError: the model ends in neither class logits nor probabilities.
    """
    import keras

    producers = {id(tensor): node for node in nodes(model) for tensor in node.outputs}
    last = _last_node(model, producers)
    layer = last.operation
    shape = model.output_shape
    if len(shape) != 2:
        raise ModelError(
            f"Invalid model: its output has shape {shape}. Expected (batch, classes), as of a "
            "classifier of whole images."
        )
    activation = activation_of(layer)
    if activation == "log_softmax":  # logarithms of probabilities are logits of them
        activation = LINEAR
    head = OutputHead(activation=activation, layer=layer.name, num_logits=shape[-1])
    if head.activation in (LINEAR, "hard_sigmoid"):
        ends = list(_ends(last, producers))
        if HIDDEN in ends:
            return _of_values(model, head, returns)
        if any(end in SQUASHING for end in ends):
            recovered = _recover(model, head, ends)
            if recovered:
                return recovered
    _check_head(head)
    if head.activation == LINEAR:
        head = _linear_as_trained(head, loss, returns)
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


def loss_name(loss: Any) -> str:
    """The key of `LOSSES` for a loss of Keras: its name, function, object or configuration.

    Empty for one that is not in the table.
    """
    if isinstance(loss, dict):
        name = loss.get("class_name")
        loss = loss.get("config") if name == "function" else name
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    key = name.lower().replace("_", "").rpartition(">")[2]
    return key if key in LOSSES else ""


def _linear_as_trained(head: OutputHead, loss: str, returns: str | None) -> OutputHead:
    """A head without an activation, as it is said to be, or else as its loss tells.

    Raises:
        ModelError: it was trained to predict a quantity, or is said to return probabilities.
    """
    kind = LOSSES.get(loss)
    if kind == QUANTITY:
        raise ModelError(
            f"Invalid model: it was trained with the loss {loss!r}, so its output (layer "
            f"{head.layer!r}, without an activation) is a quantity and not the logit of a class. "
            "Only classifiers are explained: give one that ends in a sigmoid or softmax, or was "
            "trained with a cross-entropy."
        )
    if returns in (PROBABILITIES, MULTI_LABEL):
        raise ModelError(
            f"Invalid value for returns: {returns!r}. The last layer, {head.layer!r}, has no "
            f"activation, so its outputs are no probabilities. Give {LOGITS!r} (one class per "
            f"picture) or {LABEL_LOGITS!r} (several labels)."
        )
    independent = returns == LABEL_LOGITS or (returns is None and kind == BINARY)
    return replace(head, independent=independent, known=returns is not None or kind is not None)


def _last_node(model: keras.Model, producers: dict[int, Any]) -> Any:
    """The node that computes the output, ignoring layers behind it that do not change it."""
    node = producers[id(model.outputs[0])]
    while _is_identity(node.operation) and id(node.input_tensors[0]) in producers:
        node = producers[id(node.input_tensors[0])]
    return node


def _is_identity(operation: Any) -> bool:
    kind = type(operation).__name__
    return kind in ("Dropout", "Identity") or (
        kind == "Activation" and activation_of(operation) == LINEAR
    )


def _ends(node: Any, producers: dict[int, Any]) -> Iterator[str]:
    """The activations that a node is computed from by operations without weights of their own.

    "linear" stands for a layer with weights and no activation, and for the input of the model;
    "hidden" for a layer with code of its own.
    """
    seen, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        activation = activation_of(one.operation)
        if _is_hidden(one.operation):
            yield HIDDEN
            continue
        if activation in SQUASHING or getattr(one.operation, "weights", None):
            yield activation if activation in SQUASHING else LINEAR
            continue
        for tensor in one.input_tensors:
            if id(tensor) in producers:
                waiting.append(producers[id(tensor)])
            else:
                yield LINEAR


def _recover(
    model: keras.Model, head: OutputHead, ends: list[str]
) -> tuple[keras.Model, OutputHead] | None:
    """A model that ends in the logits of its probabilities; None where its outputs are logits.

    Raises:
        ModelError: the outputs are values from 0 to 1 that are no probabilities of classes.
    """
    import keras

    values = _outputs(model)
    count = head.num_logits
    sums = values.sum(axis=1)
    total = float(np.mean(sums))
    squashed = all(end in SQUASHING for end in ends)
    summed = count > 1 and values.min() >= -SUM_TOLERANCE and total > 0
    # Sigmoids that all say the same of noise have a constant sum, too.
    varied = SOFTMAX in ends or values.std(axis=0).max() > VARIED
    # Limits, as of 0.001 below, lift the sum of a softmax where the network is sure of itself.
    slack = CLIPPED_TOLERANCE if SOFTMAX in ends and _is_clipped(model) else SUM_TOLERANCE
    if summed and varied and np.ptp(sums) <= slack * total:
        total = float(round(total)) if abs(total - round(total)) <= slack else total
        logits = _log(model.outputs[0], total)
        recovered = replace(_recovered(head, SOFTMAX, total), clipped=_is_clipped(model))
        return keras.Model(model.inputs[0], logits), recovered
    bounded = values.min() >= -SUM_TOLERANCE and values.max() <= 1 + SUM_TOLERANCE
    each = SQUASHING if count == 1 else (SIGMOID, "hard_sigmoid")
    if bounded and all(end in each for end in ends):
        logits = _log_odds(model.outputs[0])
        return keras.Model(model.inputs[0], logits), _recovered(head, SIGMOID, 1.0)
    if squashed and not bounded and (count == 1 or values.min() >= -SUM_TOLERANCE):
        raise ModelError(
            f"Invalid model: layer {head.layer!r} scales probabilities to values from "
            f"{values.min():.3g} to {values.max():.3g}. Let the model end in the probabilities."
        )
    if bounded and count > 1:
        raise ModelError(
            f"Invalid model: layer {head.layer!r} combines probabilities to values from 0 to 1 "
            f"whose sum over the classes varies ({sums.min():.3g} to {sums.max():.3g}), so they "
            "are no longer probabilities. Divide them by their sum, or give one of the members."
        )
    return None


def _is_clipped(model: keras.Model) -> bool:
    """Whether an operation behind the last layer with weights limits values."""
    reversed_kinds = [type(node.operation).__name__ for node in nodes(model)][::-1]
    weighted = [bool(getattr(node.operation, "weights", None)) for node in nodes(model)][::-1]
    behind = reversed_kinds[: weighted.index(True)] if True in weighted else reversed_kinds
    return any(kind in LIMITING for kind in behind)


def _is_hidden(operation: Any) -> bool:
    """Whether an operation may apply an activation that it does not show."""
    kind = type(operation)
    own = kind.__module__.split(".")[0] != "keras"
    return own or kind.__name__ == "TFSMLayer"


def _of_values(
    model: keras.Model, head: OutputHead, returns: str | None
) -> tuple[keras.Model, OutputHead]:
    """A model that ends in logits, by what its outputs are said to be or else by their values."""
    import keras

    certain = given = returns is not None
    if returns is None:
        values = _outputs(model)
        sums = values.sum(axis=1)
        bounded = values.min() >= -SUM_TOLERANCE and values.max() <= 1 + SUM_TOLERANCE
        certain = head.num_logits > 1 and bounded and np.abs(sums - 1).max() <= SUM_TOLERANCE
        summed = certain or head.num_logits == 1
        returns = (PROBABILITIES if summed else MULTI_LABEL) if bounded else LOGITS
        # Values below 0 or above 1 are no probabilities.
        certain = certain or not bounded
    if returns in (LOGITS, LABEL_LOGITS):
        independent = returns == LABEL_LOGITS
        linear = replace(head, activation=LINEAR, independent=independent, known=given)
        return model, replace(linear, certain=certain)
    softmax = returns == PROBABILITIES and head.num_logits > 1
    output = model.outputs[0]
    logits = _log(output, 1.0) if softmax else _log_odds(output)
    recovered = _recovered(head, SOFTMAX if softmax else SIGMOID, 1.0)
    return keras.Model(model.inputs[0], logits), replace(recovered, certain=certain)


def _recovered(head: OutputHead, activation: str, total: float) -> OutputHead:
    return OutputHead(
        activation=activation,
        layer=head.layer,
        num_logits=head.num_logits,
        recovered=True,
        total=total,
    )


def _outputs(model: keras.Model) -> np.ndarray:
    """The outputs for random pictures from dark to bright and from flat to rich in contrast."""
    shape = model.input_shape[1:]
    rng = np.random.default_rng(0)
    levels = np.linspace(0.1, 0.9, 8, dtype=np.float32)[:, None, None, None]
    noise = rng.random((8, *shape), dtype=np.float32) - 0.5
    pictures = np.clip(levels + noise * np.linspace(0.1, 1, 8)[::-1, None, None, None], 0, 1)
    return np.asarray(model(pictures.astype(np.float32), training=False), np.float64)


def _log(probabilities: Any, total: float) -> Any:
    """Logits of a softmax from symbolic probabilities, by operations of Keras."""
    from keras import ops

    scaled = probabilities / total if total != 1 else probabilities
    return ops.log(ops.maximum(scaled, SMALLEST))


def _log_odds(probability: Any) -> Any:
    """Logits of a sigmoid from symbolic probabilities."""
    from keras import ops

    inside = ops.clip(probability, SMALLEST, 1 - SMALLEST)
    return ops.log(inside) - ops.log1p(-inside)


def activation_of(layer: keras.layers.Layer) -> str:
    """The activation a last layer applies: "linear", "sigmoid", "softmax" or Keras' name of it."""
    import keras

    function = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax) or isinstance(function, keras.layers.Softmax):
        return SOFTMAX
    if function is not None:
        return getattr(function, "__name__", type(function).__name__.lower())
    operation = type(layer).__name__.lower()
    return operation if operation in SQUASHING else LINEAR


def _check_head(head: OutputHead) -> None:
    if head.activation not in (LINEAR, SIGMOID, SOFTMAX):
        raise ModelError(
            f"Invalid model: it ends in the activation {head.activation!r} (layer {head.layer!r}). "
            "Expected sigmoid, softmax or plain logits."
        )
    if head.activation == SOFTMAX and head.num_logits == 1:
        raise ModelError(
            f"Invalid model: it ends in a softmax over one output (layer {head.layer!r}), which is "
            "always 1. Use a sigmoid for two classes."
        )
