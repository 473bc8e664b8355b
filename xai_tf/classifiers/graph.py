"""Reshape a Keras graph: flatten nested models, cut it, and end it in a linear head.

`flatten` copies the layers, since Keras lets a layer know only the first graph it was called in;
`upper_part` calls the layers of a flat model a second time, so it shares their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras

LINEAR, SIGMOID, SOFTMAX = "linear", "sigmoid", "softmax"


@dataclass(frozen=True)
class OutputHead:
    """How a model ended before it was given a linear head.

    Attributes:
        activation: "linear", "sigmoid" or "softmax", what turned logits into probabilities.
        layer: name of the layer that applied it.
        num_logits: 1 for a binary question with one output, else the number of classes.
    """

    activation: str
    layer: str
    num_logits: int


def flatten(model: keras.Model) -> keras.Model:
    """Copy `model` with every nested model opened up, into one flat Functional model.

    Xplique, and everyone who asks for a layer by name, sees only the top level of a model; after
    this, a layer inside a `base(inputs)` is as reachable as one written out. A layer whose name is
    taken gets a number behind it. Called as it is, the copy is in inference mode.

    Raises:
        ModelError: the model is no Sequential or Functional graph of one input and one output.
    """
    import keras

    graph = _functional(model)
    inputs = keras.Input(graph.inputs[0].shape[1:], name="input")
    copies = _Copies()
    outputs = _replay(graph, {id(graph.inputs[0]): inputs}, copies)
    flat = keras.Model(inputs, outputs, name=model.name)
    copies.take_weights()
    return flat


def upper_part(model: keras.Model, layer: str) -> keras.Model:
    """The part of a flat model above `layer`, as a model from that layer's output to the logits.

    Raises:
        ModelError: another path goes around the layer (see `cut_points`).
    """
    import keras

    cut = tensors(model)[layer]
    features = keras.Input(cut.shape[1:], name="features")
    try:
        return keras.Model(features, _replay(model, {id(cut): features}))
    except KeyError as error:
        raise ModelError(f"Layer {layer!r} is no cut: a path goes around it.") from error


def operations(model: keras.Model) -> list[Any]:
    """The layers and operations of a model in the order of the graph, nested models opened up."""
    import keras

    found = []
    for node in _nodes(_functional(model)):
        inner = isinstance(node.operation, keras.Model)
        found += operations(node.operation) if inner else [node.operation]
    return found


def at_first_convolution(model: keras.Model, images: Any) -> Any:
    """What the first convolution (or dense layer) of a model is given for `images`."""
    import keras

    graph = _functional(model)
    known = {id(graph.inputs[0]): keras.ops.convert_to_tensor(images)}
    for node in _nodes(graph):
        given = known[id(node.input_tensors[0])]
        if isinstance(node.operation, keras.Model):
            return at_first_convolution(node.operation, given)
        kind = type(node.operation).__name__
        if "Conv" in kind or kind in ("Dense", "Flatten"):
            return given
        args, kwargs = node.arguments.fill_in(known)
        if getattr(node.operation, "_call_has_training_arg", False):
            kwargs = {**kwargs, "training": False}  # random layers act unless told not to
        results = keras.tree.flatten(node.operation(*args, **kwargs))
        known.update(zip((id(tensor) for tensor in node.outputs), results, strict=True))
    return given


def tensors(model: keras.Model) -> dict[str, Any]:
    """What each layer or operation of a flat model puts out, by name, in the order of the graph.

    Operations such as the `+` of a ConvNeXt block are no layers, so `get_layer` does not know them.
    """
    found: dict[str, Any] = {}
    for node in _nodes(model):
        found.pop(node.operation.name, None)  # a layer called twice stands where it was last
        found[node.operation.name] = node.outputs[0]
    return found


def cut_points(model: keras.Model) -> list[str]:
    """Names of the layers and operations of a flat model that every path goes through.

    In the order of the graph; with the layer's output known, nothing below it is needed.
    """
    nodes = list(_nodes(model))
    last_use: dict[int, int] = {}
    for position, node in enumerate(nodes):
        for tensor in node.input_tensors:
            last_use[id(tensor)] = position
    last_use[id(model.outputs[0])] = len(nodes)
    names, needed_until = [], last_use.get(id(model.inputs[0]), 0)
    for position, node in enumerate(nodes):
        if needed_until <= position:
            names.append(node.operation.name)
        needed_until = max([needed_until, *(last_use.get(id(t), 0) for t in node.outputs)])
    return names


def linear_head(model: keras.Model) -> tuple[keras.Model, OutputHead]:
    """End a flat model in logits: take off the sigmoid or softmax, whatever form it has.

    Raises:
        ModelError: the head is none from which class logits can be had.
    """
    import keras

    last = _last_node(model)
    layer = last.operation
    shape = model.output_shape
    if len(shape) != 2:
        raise ModelError(
            f"The model's output has shape {shape}; a classifier gives (batch, classes). "
            "Give a classifier of whole images."
        )
    activation = _activation(layer)
    head = OutputHead(activation, layer.name, shape[-1])
    _check_head(head)
    if activation == LINEAR:
        if _gives_probabilities(model, last):
            raise ModelError(
                f"The model ends in probabilities that layer {layer.name!r} mixes or reshapes, so "
                "no class logits can be had. Give one of its members, or end it in one softmax."
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


class _Copies:
    """Copies of layers, one each however often the layer is called, with names of their own."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._names: set[str] = {"input"}

    def __call__(self, operation: Any) -> Any:
        import keras

        if not isinstance(operation, keras.Layer):
            return operation
        if id(operation) not in self._copies:
            name = self._free_name(operation.name)
            # Half precision is for training; gradients and maps want the whole.
            config = operation.get_config() | {"name": name, "dtype": "float32"}
            self._copies[id(operation)] = (operation, type(operation).from_config(config))
        return self._copies[id(operation)][1]

    def take_weights(self) -> None:
        for original, copy in self._copies.values():
            copy.set_weights(original.get_weights())
            if hasattr(copy, "finalize_state"):  # Normalization keeps what it makes of its weights
                copy.finalize_state()
            copy.trainable = original.trainable

    def _free_name(self, name: str) -> str:
        free, number = name, 1
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free


def _last_node(model: keras.Model) -> Any:
    """The call that makes the output, behind layers that leave it as it is."""
    producers = {id(tensor): node for node in _nodes(model) for tensor in node.outputs}
    node = producers[id(model.outputs[0])]
    while _passes_on(node.operation) and id(node.input_tensors[0]) in producers:
        node = producers[id(node.input_tensors[0])]
    return node


def _passes_on(operation: Any) -> bool:
    kind = type(operation).__name__
    return kind in ("Dropout", "Identity") or (
        kind == "Activation" and _activation(operation) == LINEAR
    )


def _gives_probabilities(model: keras.Model, node: Any) -> bool:
    """Whether a call only mixes or reshapes what a sigmoid or softmax made."""
    producers = {id(tensor): node for node in _nodes(model) for tensor in node.outputs}
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
    """The name of the function a last layer applies: one of ours, or what Keras calls it."""
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
            f"The model ends in the activation {head.activation!r} (layer {head.layer!r}). "
            "End it in sigmoid, softmax or plain logits."
        )
    if head.activation == SIGMOID and head.num_logits > 1:
        raise ModelError(
            f"The model ends in {head.num_logits} independent sigmoids (layer {head.layer!r}): "
            "several labels at once. Give one output for two classes, or a softmax."
        )
    if head.activation == SOFTMAX and head.num_logits == 1:
        raise ModelError(
            f"The model ends in a softmax over one output (layer {head.layer!r}), which is always "
            "1. Use a sigmoid for two classes."
        )


def _functional(model: keras.Model) -> keras.Model:
    """The graph of a Functional or Sequential model."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth") or len(graph.inputs) != 1:
        raise ModelError(
            f"{model.name!r} is a {type(model).__name__} that cannot be opened. Give a Sequential "
            "or Functional Keras model with one input."
        )
    if len(graph.outputs) != 1:
        raise ModelError(
            f"{model.name!r} has {len(graph.outputs)} outputs. Give a model with one output."
        )
    return graph


def _nodes(graph: keras.Model) -> Iterator[Any]:
    """The calls of a graph in an order in which each comes after those it needs."""
    known, waiting = {id(tensor) for tensor in graph.inputs}, []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        waiting += [node for node in graph._nodes_by_depth[depth] if not node.is_input]
    # Keras orders by depth from the output; a node that is early by depth may still wait.
    while waiting:
        node = next(n for n in waiting if all(id(t) in known for t in n.input_tensors))
        waiting.remove(node)
        known.update(id(tensor) for tensor in node.outputs)
        yield node


def _same(operation: Any) -> Any:
    return operation


def _replay(
    graph: keras.Model, known: dict[int, Any], replace: Callable[[Any], Any] = _same
) -> Any:
    """Call the graph's operations again, starting from known tensors (by id of the old ones)."""
    import keras

    needed = _needed_nodes(graph, known)
    for node in _nodes(graph):
        if id(node) not in needed:
            continue
        args, kwargs = node.arguments.fill_in(known)
        operation = node.operation
        if isinstance(operation, keras.Model):
            inner = _functional(operation)
            results = [
                _replay(inner, {id(inner.inputs[0]): known[id(node.input_tensors[0])]}, replace)
            ]
        else:
            results = keras.tree.flatten(replace(operation)(*args, **kwargs))
        known.update(zip((id(t) for t in node.outputs), results, strict=True))
    return known[id(graph.outputs[0])]


def _needed_nodes(graph: keras.Model, known: dict[int, Any]) -> set[int]:
    """Ids of the nodes between the known tensors and the output."""
    producers = {id(t): node for node in _nodes(graph) for t in node.outputs}
    needed, waiting = set(), [graph.outputs[0]]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in known:
            continue
        node = producers[id(tensor)]
        if id(node) not in needed:
            needed.add(id(node))
            waiting += node.input_tensors
    return needed
