"""Keras 2 files: rewrite the parts of their configuration that Keras 3 cannot parse.

Keras 3 reads the weights of such files, but fails on parts of the configuration: an axis given as a
list, arguments that layers no longer have, slashes in names, nested references, and the bare
TensorFlow operations that `preprocess_input` and expressions such as `x / 255` left in a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

# Arguments that Keras 3 layers no longer take.
REMOVED_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "DepthwiseConv2D": ("groups",),
    "Conv2DTranspose": ("groups",),
    "SeparableConv2D": (
        "groups",
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
    ),
}
# TensorFlow operations with a constant, as arguments of a `Rescaling` layer.
ARITHMETIC = {
    "math.truediv": lambda value: {"scale": _each(value, lambda x: 1 / x)},
    "math.divide": lambda value: {"scale": _each(value, lambda x: 1 / x)},
    "math.multiply": lambda value: {"scale": value},
    "math.subtract": lambda value: {"scale": 1.0, "offset": _each(value, lambda x: -x)},
    "math.add": lambda value: {"scale": 1.0, "offset": value},
    "nn.bias_add": lambda value: {"scale": 1.0, "offset": value},
    "__operators__.add": lambda value: {"scale": 1.0, "offset": value},
}
# Those whose first argument is the constant.
MIRRORED = {
    "math.subtract": lambda value: {"scale": -1.0, "offset": value},
    "math.multiply": lambda value: {"scale": value},
    "math.add": lambda value: {"scale": 1.0, "offset": value},
    "__operators__.add": lambda value: {"scale": 1.0, "offset": value},
}
# TensorFlow operations as layers: the class, and its configuration from the arguments. None where
# the arguments are others than this layer has.
LAYERS: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {
    "cast": ("Activation", lambda given: {"activation": "linear"} if _is_float(given) else None),
    "nn.relu": ("ReLU", lambda given: {}),
    "nn.relu6": ("ReLU", lambda given: {"max_value": 6.0}),
    "nn.softmax": ("Softmax", lambda given: {"axis": given.get("axis", -1)}),
    "math.sigmoid": ("Activation", lambda given: {"activation": "sigmoid"}),
    "nn.sigmoid": ("Activation", lambda given: {"activation": "sigmoid"}),
    "math.tanh": ("Activation", lambda given: {"activation": "tanh"}),
    "nn.silu": ("Activation", lambda given: {"activation": "silu"}),
    "math.reduce_mean": ("GlobalAveragePooling2D", lambda given: _pooling(given)),
    "math.reduce_max": ("GlobalMaxPooling2D", lambda given: _pooling(given)),
    "image.resize": ("Resizing", lambda given: _resizing(given)),
    "concat": ("Concatenate", lambda given: {"axis": given.get("axis", -1)}),
    "math.add": ("Add", lambda given: {}),
    "__operators__.add": ("Add", lambda given: {}),
    "math.multiply": ("Multiply", lambda given: {}),
    "math.subtract": ("Subtract", lambda given: {}),
    "math.maximum": ("Maximum", lambda given: {}),
    # The axis of colors in the reverse order, as `preprocess_input` of VGG and ResNet has it.
    "__operators__.getitem": ("Flip", lambda given: {"axis": -1} if _is_reversed(given) else None),
}


CONSTANT = "_CONSTANT_VALUE"  # in the place of a layer, where the first argument is a number

# The folder of weights in archives of TF 2.12 and 2.13.
OLD_LAYERS = "_layer_checkpoint_dependencies"


class UnknownOperationError(ValueError):
    """A bare TensorFlow operation has no Keras 3 counterpart; the text is its name."""


def modernize_config(config: Any) -> Any:
    """Rewrite the configuration of a Keras 2 model for Keras 3.

    Arithmetic with constants becomes a `Rescaling` layer, and the operations of `LAYERS` become
    those layers; everything else keeps its meaning.

    Raises:
        UnknownOperationError: the model contains another TensorFlow operation.
    """
    if isinstance(config, list):
        if _is_reference(config):
            return [_name(config[0]), *map(modernize_config, config[1:])]
        return [modernize_config(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "Policy":  # of mixed precision
        return config["config"]["name"]
    if config.get("class_name") in ("TFOpLambda", "SlicingOpLambda"):
        config = _as_layer(config)
    kind = config.get("class_name")
    new = {
        key: _name(value) if key == "name" and isinstance(value, str) else modernize_config(value)
        for key, value in config.items()
    }
    if isinstance(new.get("module"), str):
        new["module"] = _module(new["module"])
    inner = new.get("config")
    if isinstance(inner, dict):
        _renumber(inner)
        for argument in (*REMOVED_ARGUMENTS.get(str(kind), ()), "rng_type"):
            inner.pop(argument, None)
        if kind != "InputLayer" and "module" in new:  # an archive, whose InputLayer has it, too
            inner.pop("batch_input_shape", None)
        if kind == "BatchNormalization" and isinstance(inner.get("axis"), list):
            inner["axis"] = inner["axis"][0]
        for key in ("input_layers", "output_layers"):
            if isinstance(inner.get(key), list) and len(inner[key]) == 1:
                inner[key] = inner[key][0]
    return new


def operations() -> dict[str, type]:
    """The operations of Keras 3 that stand in a modernized configuration, by their class."""
    from keras.src.ops.numpy import Flip  # Keras has no public access to it

    return {"Flip": Flip}


def name_operations(config: Any) -> tuple[Any, dict[str, type]]:
    """Name the operations of Keras 3 that a model contains beside its layers.

    A legacy `.h5` file names their classes without the module, so that Keras does not find them, or
    takes the layer of that name, such as Subtract.

    Returns:
        The configuration with names of their own, and the classes by these names.
    """
    import keras

    known = {
        kind.__name__: kind
        for kind in _all_subclasses(keras.Operation)
        if kind.__module__.startswith("keras.src.ops.")
    }
    found: dict[str, type] = {}

    def named(item: Any) -> Any:
        if isinstance(item, list):
            return [named(element) for element in item]
        if not isinstance(item, dict):
            return item
        new = {key: named(value) for key, value in item.items()}
        kind = item.get("class_name")
        # Layers have settings such as "trainable"; operations none but their arguments.
        if "inbound_nodes" in item and kind in known and "trainable" not in item["config"]:
            new["class_name"] = f"{kind}Operation"
            found[new["class_name"]] = known[kind]
        return new

    return named(config), found


def _all_subclasses(kind: type) -> Iterator[type]:
    subclass: type
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _all_subclasses(subclass)


def _module(name: str) -> str:
    """The module of a class in Keras 3; `tf_keras` is Keras 2 beside it."""
    if name.endswith(".engine.functional"):
        return "keras.src.models.functional"
    if name.endswith(".engine.sequential"):
        return "keras"
    return name.removeprefix("tf_") if name.startswith("tf_keras") else name


def _renumber(config: dict[str, Any]) -> None:
    """Count the calls of nested models from 0, as Keras 3 does; Keras 2 started at 1."""
    layers = [x for x in config.get("layers", []) if isinstance(x, dict) and "inbound_nodes" in x]
    nested = {layer["name"] for layer in layers if _counts_from_one(layer)}

    def renumbered(item: Any) -> Any:
        if not isinstance(item, list):
            return item
        if _is_reference(item) and item[0] in nested:
            return [item[0], item[1] - 1, *item[2:]]
        return [renumbered(element) for element in item]

    for layer in layers:
        layer["inbound_nodes"] = renumbered(layer["inbound_nodes"])
    if nested:
        config["output_layers"] = renumbered(config["output_layers"])


def _counts_from_one(layer: dict[str, Any]) -> bool:
    if layer["class_name"] == "Sequential":
        return layer["config"]["layers"][0]["class_name"] == "InputLayer"
    return layer["class_name"] in ("Functional", "Model")


def _as_layer(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a layer of Keras 3 that replaces a TensorFlow operation."""
    function, name = config["config"]["function"], config["config"]["name"]
    (node,) = config["inbound_nodes"]
    # With a single input the reference is not nested: [layer, node, tensor, arguments].
    references = [node] if isinstance(node[0], str) else list(node)
    arguments = {key: value for key, value in references[0][3].items() if value is not None}
    values = [arguments[key] for key in ("y", "value", "bias") if key in arguments]
    settings, kind = None, ""
    if references[0][0] == CONSTANT and function in MIRRORED and _is_reference(values[0]):
        kind, settings = "Rescaling", MIRRORED[function](references[0][2])
        references = [[*values[0], {}]]
    elif function in ARITHMETIC and len(values) == 1 and _is_constant(values[0]):
        kind, settings = "Rescaling", {"offset": 0.0, **ARITHMETIC[function](values[0])}
    elif function in LAYERS and not any(map(_is_constant, values)):
        references += [[*value, {}] for value in values if _is_reference(value)]
        kind, settings = LAYERS[function][0], LAYERS[function][1](arguments)
    if settings is None or any(reference[0] == CONSTANT for reference in references):
        raise UnknownOperationError(f"tf.{function}")
    if kind != "Flip":  # an operation, which has no type
        settings["dtype"] = "float32"
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **settings},
        "inbound_nodes": [[[*reference[:3], {}] for reference in references]],
    }


def _is_float(arguments: dict[str, Any]) -> bool:
    return str(arguments.get("dtype")).startswith("float")


def _pooling(arguments: dict[str, Any]) -> dict[str, Any] | None:
    over_places = arguments.get("axis") in ([1, 2], [-3, -2])
    return {"keepdims": bool(arguments.get("keepdims"))} if over_places else None


def _resizing(arguments: dict[str, Any]) -> dict[str, Any] | None:
    if set(arguments) - {"size", "method", "name"}:
        return None
    height, width = arguments["size"]
    method = arguments.get("method", "bilinear")
    return {"height": height, "width": width, "interpolation": method}


def _is_reversed(arguments: dict[str, Any]) -> bool:
    """Whether a slice is `x[..., ::-1]` or `x[:, :, :, ::-1]`."""
    whole: dict[str, Any] = {"start": None, "stop": None, "step": None}
    axes = ([{"class_name": "__ellipsis__"}], [whole] * 3)
    return arguments.get("slice_spec") in [[*others, whole | {"step": -1}] for others in axes]


def _is_constant(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    return isinstance(value, int | float)


def _each(value: Any, change: Any) -> Any:
    return [change(item) for item in value] if isinstance(value, list) else change(value)


def _is_reference(item: list[Any]) -> bool:
    return len(item) >= 3 and isinstance(item[0], str) and all(type(x) is int for x in item[1:3])


def _name(name: str) -> str:
    return name.replace("/", "_")


def rename_weights(file: h5py.File, config: Any) -> None:
    """Name the weights in the archive of TF 2.12 or 2.13 as Keras 3 does, in place.

    These versions counted a layer with weights twice in the names of its class (dense, dense_2,
    dense_4), under another folder, and wrote backslashes between them on Windows.

    Args:
        file: the open `model.weights.h5` of the archive.
        config: the configuration of the model.
    """
    arrays: list[str] = []
    file.visititems(lambda name, item: arrays.append(name) if hasattr(item, "shape") else None)
    for name in arrays:
        if "\\" in name:
            file.move(name, name.replace("\\", "/"))
    for name in [name for name in file if "\\" in name]:
        del file[name]
    _rename_in(file, config)


def _rename_in(group: Any, config: Any) -> None:
    """Rename the layers of one model, inner ones first."""
    if OLD_LAYERS not in group:
        return
    old = group[OLD_LAYERS]
    counts: dict[str, int] = {}
    indices: dict[str, int] = {}
    target = group.create_group("layers_renamed")
    for layer in config.get("config", {}).get("layers", []):
        kind = _snake_case(layer["class_name"])
        count, index = counts.get(kind, 0), indices.get(kind, 0)
        name = _numbered(kind, count)
        has_weights = name in old and _has_data(old[name])
        counts[kind], indices[kind] = count + 1 + has_weights, index + 1
        if has_weights:
            _rename_in(old[name], layer)
            old.move(name, f"{target.name}/{_numbered(kind, index)}")
    del group[OLD_LAYERS]
    group.move("layers_renamed", "layers")


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _has_data(group: Any) -> bool:
    """Whether any array lies below a group."""
    return group.visititems(lambda _, item: True if hasattr(item, "shape") else None) is not None


def _snake_case(name: str) -> str:
    """The name of a class as Keras writes it in archives: "Conv2D" is "conv2d"."""
    from keras.src.utils.naming import to_snake_case

    return str(to_snake_case(name))
