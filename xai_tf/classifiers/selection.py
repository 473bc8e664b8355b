"""One output and one input of a model that has several: what is explained, and what is held.

A model of a picture and metadata becomes one of the picture alone: its other inputs are held at
given values. Whatever depends on these alone is computed once, and joins the graph as a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_tf.classifiers.graph import graph_of, nodes
from xai_tf.classifiers.output_head import SQUASHING, activation_of
from xai_tf.errors import ModelError, SettingError, UnknownNameError, nearest

if TYPE_CHECKING:
    import keras

HeldValue = float | Sequence[Any] | np.ndarray  # of one input, without the batch


@dataclass(frozen=True, eq=False)
class Selection:
    """A model with one picture as input and one output.

    Attributes:
        model: the model; the one that was given, if it has only these.
        output: the name of the output, where there are several; else empty.
        others: the names and shapes of the other outputs, as in "severity (1)".
        held: the values at which other inputs are held, by name.
    """

    model: keras.Model
    output: str = ""
    others: tuple[str, ...] = ()
    held: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What a person should know about the choice, or ""."""
        sentences = []
        if self.output:
            others = ", ".join(self.others)
            sentences.append(f"Of the outputs, {self.output!r} is explained, not {others}.")
        if self.held:
            values = ", ".join(f"{name} = {_shown(value)}" for name, value in self.held.items())
            sentences.append(
                f"The inputs beside the picture are held at {values}: probabilities and maps hold "
                "for these values only."
            )
        return " ".join(sentences)


def select(
    model: keras.Model, output: str | None = None, inputs: Mapping[str, HeldValue] | None = None
) -> Selection:
    """Choose the output that is explained, and hold the inputs that are no picture.

    Args:
        model: as it was loaded.
        output: the name of the output. By default the only one that is a sigmoid or a softmax, or
            the only one of shape (batch, classes).
        inputs: the values of the inputs beside the picture, by name; each of the shape of that
            input without the batch, or a number for one of a single value.

    Raises:
        ModelError: the output is not given and ambiguous, or an input has no value; the text lists
            the names with their shapes.
        UnknownNameError: there is no such output or input.
        SettingError: a value does not have the shape of its input.
    """
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        return Selection(model)  # a subclass, which is refused where its graph is read
    names = output_names(graph)
    number = _chosen_output(graph, names, output)
    if len(graph.inputs) == 1 and len(graph.outputs) == 1:
        if inputs:
            _held_values(graph, graph.inputs[:1], inputs)
        return Selection(model)
    picture = _picture(graph)
    others = [tensor for tensor in graph.inputs if tensor is not picture]
    held = _held_values(graph, others, inputs or {})
    several = len(names) > 1
    return Selection(
        _single(graph, picture, held, number),
        names[number] if several else "",
        tuple(
            _described(n, t)
            for n, t in zip(names, graph.outputs, strict=True)
            if n != names[number]
        ),
        held,
    )


def output_names(graph: keras.Model) -> list[str]:
    """The names of the outputs: the keys of a dict of outputs, or the names of their layers."""
    struct = getattr(graph, "_outputs_struct", None)
    return sorted(struct) if isinstance(struct, dict) else list(graph.output_names)


def _chosen_output(graph: keras.Model, names: list[str], given: str | None) -> int:
    if given is not None:
        if given not in names:
            raise UnknownNameError(
                f"{graph.name!r} has no output {given!r}. {nearest(given, names)}"
            )
        return names.index(given)
    if len(names) == 1:
        return 0
    flat = [k for k, tensor in enumerate(graph.outputs) if len(tensor.shape) == 2]
    squashed = [k for k in flat if _activation(graph.outputs[k]) in SQUASHING]
    for candidates in (squashed, flat):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            break
    listed = ", ".join(map(_described, names, graph.outputs))
    raise ModelError(
        f"{graph.name!r} has several outputs: {listed}. Choose the one to explain with "
        f"--output {names[0]} (in Python output={names[0]!r})."
    )


def _activation(tensor: Any) -> str:
    """The activation that a tensor comes from, within nested models too."""
    operation, _, index = tensor._keras_history  # noqa: SLF001 (Keras has no public access to it)
    inner = getattr(operation, "_functional", None) or operation
    if hasattr(inner, "_nodes_by_depth"):
        return _activation(inner.outputs[index])
    return activation_of(operation)


def _described(name: str, tensor: Any) -> str:
    shape = " x ".join(str(size or "any") for size in tensor.shape[1:])
    return f"{name} ({shape or 'a number'})"


def _picture(graph: keras.Model) -> Any:
    pictures = [t for t in graph.inputs if len(t.shape) == 4 and t.shape[-1] in (1, 3)]
    if len(pictures) == 1:
        return pictures[0]
    listed = ", ".join(_described(t.name, t) for t in graph.inputs)
    raise ModelError(
        f"{graph.name!r} has several inputs, of which {len(pictures)} are pictures: {listed}. Give "
        "a model with one picture, of shape (height x width x 3) or (height x width x 1), or a "
        "function of one picture, which holds the others, to xai_tf.from_function in Python."
    )


def _held_values(
    graph: keras.Model, others: list[Any], given: Mapping[str, HeldValue]
) -> dict[str, np.ndarray]:
    """The value of each input beside the picture, checked."""
    needed = {} if len(graph.inputs) == 1 else {tensor.name: tensor for tensor in others}
    for name in given:
        if name not in needed:
            known = nearest(name, list(needed)) if needed else "It takes a picture only."
            raise UnknownNameError(f"{graph.name!r} has no input {name!r} to hold. {known}")
    missing = [name for name in needed if name not in given]
    if missing:
        listed = ", ".join(_described(name, needed[name]) for name in missing)
        raise ModelError(
            f"{graph.name!r} needs values for its inputs beside the picture: {listed}. Hold them "
            f"fixed with --input {missing[0]}=NUMBER (in Python inputs={{{missing[0]!r}: ...}})."
        )
    return {name: _of_shape(name, given[name], tensor) for name, tensor in needed.items()}


def _of_shape(name: str, given: HeldValue, tensor: Any) -> np.ndarray:
    shape = tuple(tensor.shape[1:])
    try:
        value = np.asarray(given, np.float64)
        exact = value.astype(tensor.dtype)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"Invalid value for input {name!r}: {given!r}. Expected numbers ({tensor.dtype})."
        ) from error
    fits = value.shape == shape or (value.ndim == 0 and shape in ((), (1,)))
    if not fits or not np.isfinite(value).all():
        expected = " x ".join(map(str, shape)) or "1"
        raise SettingError(
            f"Invalid value for input {name!r}: {_shown(value)}. Expected {expected} finite "
            "number(s), such as --input NAME=0.5 or --input NAME=1,0."
        )
    if not np.allclose(exact, value):
        raise SettingError(
            f"Invalid value for input {name!r}: {_shown(value)}. Expected whole numbers "
            f"({tensor.dtype})."
        )
    return np.asarray(exact.reshape(shape))


def _shown(value: np.ndarray) -> str:
    return ", ".join(f"{number:g}" for number in np.ravel(value))


def _single(
    graph: keras.Model, picture: Any, held: Mapping[str, np.ndarray], number: int
) -> keras.Model:
    """The model of the picture alone to one output; it shares the layers and weights."""
    import keras

    inputs = keras.Input(picture.shape[1:], name=picture.name, dtype=picture.dtype)
    values: dict[int, Any] = {
        id(tensor): keras.ops.convert_to_tensor(held[tensor.name][None], tensor.dtype)
        for tensor in graph.inputs
        if tensor is not picture
    }
    outputs = _replay(graph, values | {id(picture): inputs})
    if not keras.backend.is_keras_tensor(outputs[number]):
        raise ModelError(
            f"Output {output_names(graph)[number]!r} of {graph.name!r} does not depend on the "
            "picture. Choose another with --output."
        )
    return keras.Model(inputs, outputs[number], name=graph.name)


def _replay(graph: keras.Model, values: dict[int, Any], training: Any = None) -> list[Any]:
    """Call a graph on symbolic tensors and constants; what is constant stays constant.

    `training` is how a nested graph is called, which its layers take over.
    """
    import keras

    for node in nodes(graph):
        given = [values[id(tensor)] for tensor in node.input_tensors]
        symbolic = [one for one in given if keras.backend.is_keras_tensor(one)]
        if symbolic and len(symbolic) < len(given):
            given = [_in_batch(one, symbolic[0]) for one in given]
        at_node = {id(t): one for t, one in zip(node.input_tensors, given, strict=True)}
        args, kwargs = node.arguments.fill_in(at_node)
        operation = node.operation
        mode = kwargs.get("training") if training is None else training
        if isinstance(operation, keras.Model):
            inner = graph_of(operation)
            inner_values = {id(t): one for t, one in zip(inner.inputs, given, strict=True)}
            results = _replay(inner, inner_values, mode)
        else:
            if getattr(operation, "_call_has_training_arg", False):
                kwargs = {**kwargs, "training": mode if symbolic else False}
            results = keras.tree.flatten(operation(*args, **kwargs))
        values.update(zip((id(tensor) for tensor in node.outputs), results, strict=True))
    return [values[id(tensor)] for tensor in graph.outputs]


def _in_batch(value: Any, reference: Any) -> Any:
    """A constant of shape (1, ...) for every row of a symbolic tensor, by operations of Keras.

    It hangs on a tensor that it is mixed with anyway, so a cut of the graph finds no other path.
    """
    import keras
    from keras import ops

    if keras.backend.is_keras_tensor(value):
        return value
    axes = tuple(range(1, len(reference.shape)))
    row = ops.zeros_like(ops.max(reference, axis=axes) if axes else reference)
    zeros = ops.cast(ops.reshape(row, (-1, *(1 for _ in value.shape[1:]))), value.dtype)
    return ops.add(zeros, value)
