"""Walk and rebuild the graph of a Keras model: flatten nested models, and cut a model in two.

`flatten` copies the layers, because a Keras layer only knows the first graph it was called in;
`upper_part` calls the layers of a flat model a second time, so it shares their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from xai_tf.errors import ModelError

if TYPE_CHECKING:
    import keras


def flatten(model: keras.Model) -> keras.Model:
    """Copy a model into one flat Functional model, without nested models.

    Xplique and `get_layer` see only the top level of a model; in the copy they reach the layers of
    a nested `base(inputs)` too. A layer whose name is taken gets a number appended. The copy runs
    in inference mode, also where a layer is called with `training=True` (see `forced_training`).

    Raises:
        ModelError: the model is no Sequential or Functional graph with one input and one output.
    """
    import keras

    graph = _single_graph(model)
    inputs = keras.Input(graph.inputs[0].shape[1:], name="input")
    copies = _Copies()
    (outputs,) = replay(graph, {id(graph.inputs[0]): inputs}, copies)
    flat = keras.Model(inputs, outputs, name=model.name)
    copies.take_weights()
    return flat


def upper_part(model: keras.Model, layer: str) -> keras.Model:
    """The part of a flat model above `layer`: a model from that layer's output to the logits.

    Raises:
        ModelError: a path bypasses the layer (see `cut_points`).
    """
    import keras

    cut = tensors(model)[layer]
    features = keras.Input(cut.shape[1:], name="features")
    try:
        return keras.Model(features, replay(model, {id(cut): features})[0])
    except KeyError as error:
        raise ModelError(
            f"Cannot cut the model at layer {layer!r}: another path bypasses it. Choose a layer "
            "that all paths go through."
        ) from error


def operations(model: keras.Model) -> list[Any]:
    """The layers and operations of a model and its nested models, in the order of the graph."""
    collected = []
    for node in nodes(graph_of(model)):
        nested = is_graph(node.operation)
        collected += operations(node.operation) if nested else [node.operation]
    return collected


def has_opaque_layer(model: keras.Model) -> bool:
    """Whether a part of a model is hidden in a layer."""
    from xai_tf.classifiers.opaque import OPAQUE

    return any(isinstance(operation, OPAQUE) for operation in operations(model))


def calls_function(model: keras.Model) -> bool:
    """Whether a part of a model is a function of NumPy arrays."""
    from xai_tf.classifiers.opaque import FunctionLayer

    return any(isinstance(operation, FunctionLayer) for operation in operations(model))


def inputs_of(
    model: keras.Model, images: Any, wanted: Callable[[Any], bool]
) -> tuple[Any | None, Any]:
    """Run a model in inference mode up to the first operation that is wanted.

    Args:
        model: a Sequential or Functional model; nested ones are walked through, too.
        images: its input.
        wanted: says of a layer or operation whether to stop in front of it.

    Returns:
        The operation and its first input; (None, the output of the model) where none is wanted.
    """
    import keras

    graph = _single_graph(model)
    values = {id(graph.inputs[0]): keras.ops.convert_to_tensor(images)}
    for node in nodes(graph):
        args, kwargs = node.arguments.fill_in(values)
        if is_graph(node.operation):
            found, result = inputs_of(node.operation, values[id(node.input_tensors[0])], wanted)
            if found is not None:
                return found, result
            results = [result]
        elif wanted(node.operation):
            return node.operation, values[id(node.input_tensors[0])]
        else:
            if getattr(node.operation, "_call_has_training_arg", False):
                kwargs = {**kwargs, "training": False}  # random layers are active by default
            results = keras.tree.flatten(node.operation(*args, **kwargs))
        values.update(zip((id(tensor) for tensor in node.outputs), results, strict=True))
    return None, values[id(graph.outputs[0])]


def is_graph(operation: Any) -> bool:
    """Whether an operation is a model whose layers are known: a Functional or Sequential one."""
    return hasattr(getattr(operation, "_functional", None) or operation, "_nodes_by_depth")


def nodes(graph: keras.Model) -> Iterator[Any]:
    """The calls of a graph, each after those whose outputs it needs."""
    available, waiting = {id(tensor) for tensor in graph.inputs}, []
    by_depth = graph._nodes_by_depth  # noqa: SLF001 (Keras has no public access to its nodes)
    for depth in sorted(by_depth, reverse=True):
        waiting += [node for node in by_depth[depth] if not node.is_input]
    # Keras orders by depth from the output; a node that is early by depth may still have to wait.
    while waiting:
        node = next(n for n in waiting if all(id(t) in available for t in n.input_tensors))
        waiting.remove(node)
        available.update(id(tensor) for tensor in node.outputs)
        yield node


def tensors(model: keras.Model) -> dict[str, Any]:
    """The output of each layer or operation of a flat model, by name, in the order of the graph.

    Unlike `get_layer` it includes operations that are no layers, such as the `+` of a ConvNeXt
    block.
    """
    by_name: dict[str, Any] = {}
    for node in nodes(model):
        by_name.pop(node.operation.name, None)  # a layer called twice counts where it is last
        by_name[node.operation.name] = node.outputs[0]
    return by_name


def cut_points(model: keras.Model) -> list[str]:
    """Names of the layers and operations of a flat model that all paths go through.

    In the order of the graph. The logits depend on the input only through the output of such a
    layer.
    """
    ordered = list(nodes(model))
    last_use: dict[int, int] = {}
    for position, node in enumerate(ordered):
        for tensor in node.input_tensors:
            last_use[id(tensor)] = position
    last_use[id(model.outputs[0])] = len(ordered)
    names, needed_until = [], last_use.get(id(model.inputs[0]), 0)
    for position, node in enumerate(ordered):
        if needed_until <= position:
            names.append(node.operation.name)
        needed_until = max([needed_until, *(last_use.get(id(t), 0) for t in node.outputs)])
    return names


class _Copies:
    """Copies of layers with unique names: one copy per layer, however often it is called."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._names: set[str] = {"input"}

    def __call__(self, operation: Any) -> Any:
        import keras

        from xai_tf.classifiers.opaque import OPAQUE

        if not isinstance(operation, keras.Layer) or isinstance(operation, OPAQUE):
            return operation
        if id(operation) not in self._copies:
            name = self._free_name(operation.name)
            # Half precision is for training; gradients and maps need float32.
            try:
                config = operation.get_config() | {"name": name, "dtype": "float32"}
                copy = type(operation).from_config(config)
            except (NotImplementedError, TypeError, ValueError):
                return operation  # a Lambda, or a layer of a user without a configuration
            self._copies[id(operation)] = (operation, copy)
        return self._copies[id(operation)][1]

    def take_weights(self) -> None:
        for original, copy in self._copies.values():
            copy.set_weights(original.get_weights())
            if hasattr(copy, "finalize_state"):  # Normalization caches values made from its weights
                copy.finalize_state()
            copy.trainable = original.trainable

    def _free_name(self, name: str) -> str:
        free, number = name, 1
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free


def graph_of(model: keras.Model) -> keras.Model:
    """The graph of a Functional or Sequential model.

    Raises:
        ModelError: it is neither.
    """
    graph = getattr(model, "_functional", None) or model
    if not is_graph(graph):
        raise ModelError(
            f"Cannot read the graph of {model.name!r}, a {type(model).__name__}. Give a Sequential "
            "or Functional Keras model with one input."
        )
    return graph


def _single_graph(model: keras.Model) -> keras.Model:
    """The graph of a model with one input and one output; raise a ModelError for others."""
    graph = graph_of(model)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"{model.name!r} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs where "
            "one of each is expected. Give a model with one input and one output."
        )
    return graph


def forced_training(model: keras.Model) -> list[str]:
    """Layers that run as in training whenever the model runs, because they are called that way.

    Such are dropout that stays active (Monte-Carlo dropout) and batch normalization by the batch
    at hand: `BatchNormalization()(x, training=True)`. Those in a nested model that is called with
    `training=True` are included.

    Returns:
        Their names, in the order of the graph.
    """
    return [layer.name for layer in _forced(graph_of(model), None)]


def _forced(graph: keras.Model, outer: bool | None) -> Iterator[Any]:
    import keras

    for node in nodes(graph):
        # How a nested model is called overrides how its layers are called.
        training = node.arguments.kwargs.get("training") if outer is None else outer
        operation = node.operation
        if isinstance(operation, keras.Model):
            yield from _forced(graph_of(operation), training)
        elif training and _differs_in_training(operation):
            yield operation


def _differs_in_training(operation: Any) -> bool:
    import keras

    if isinstance(operation, keras.layers.BatchNormalization):
        return True
    random = ("rate", "seed_generator")  # of dropout, noise and augmentation
    return any(getattr(operation, name, None) for name in random)


def _unchanged(operation: Any) -> Any:
    return operation


def replay(
    graph: keras.Model, new_tensors: dict[int, Any], replace: Callable[[Any], Any] = _unchanged
) -> list[Any]:
    """Call the operations of a graph again, on new tensors given by the id of the old ones.

    Each operation is called as `replace` gives it: by default itself, which shares its weights.

    Returns:
        The new tensors of its outputs.
    """
    import keras

    needed = _needed_nodes(graph, new_tensors)
    for node in nodes(graph):
        if id(node) not in needed:
            continue
        args, kwargs = node.arguments.fill_in(new_tensors)
        operation = node.operation
        if is_graph(operation):
            inner = graph_of(operation)
            given = [new_tensors[id(tensor)] for tensor in node.input_tensors]
            inner_inputs = dict(zip(map(id, inner.inputs), given, strict=True))
            results = replay(inner, inner_inputs, replace)
        else:
            if kwargs.get("training"):
                kwargs = {**kwargs, "training": False}
            results = keras.tree.flatten(replace(operation)(*args, **kwargs))
        new_tensors.update(zip((id(t) for t in node.outputs), results, strict=True))
    return [new_tensors.get(id(tensor)) for tensor in graph.outputs]


def _needed_nodes(graph: keras.Model, given: dict[int, Any]) -> set[int]:
    """Ids of the nodes between the given tensors and the output."""
    producers = {id(t): node for node in nodes(graph) for t in node.outputs}
    needed, waiting = set(), list(graph.outputs)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in given:
            continue
        node = producers[id(tensor)]
        if id(node) not in needed:
            needed.add(id(node))
            waiting += node.input_tensors
    return needed
