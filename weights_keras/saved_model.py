"""SavedModel folders: load one as a Keras model of a single layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights_keras.errors import ModelFileError

if TYPE_CHECKING:
    import keras

GRAPH, NAME = "saved_model.pb", "saved_model"
ENDPOINTS = ("serving_default", "serve")
# Operations that reach outside of the graph: files, and the Python of the process.
OUTSIDE = ("ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc")
SAVES = ("Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints")
SAVER = "__inference__traced_save"  # the function of every SavedModel that writes checkpoints


def saved_model_folder(path: Path) -> Path | None:
    """The folder of a SavedModel that is given as the folder or its `saved_model.pb`, or None."""
    if path.name == GRAPH:
        path = path.parent
    return path if (path / GRAPH).is_file() else None


def load_saved_model(folder: Path) -> keras.Model:
    """Load a SavedModel as a Functional model with one layer, which runs its graph.

    A graph is a program, so one that reads or writes files or calls Python is refused.

    Raises:
        ModelFileError: it is damaged or refused, or takes anything but one batch of pictures.
    """
    import keras

    for name in _reaching_outside(folder):
        raise ModelFileError(
            f"{folder} contains the TensorFlow operation {name}, which reaches outside of the "
            "model. It is not loaded, because that can do anything to your machine. Save the model "
            "without it."
        )
    layer = _layer(folder)
    endpoint = layer.call_endpoint_fn
    if hasattr(endpoint, "concrete_functions"):  # an attribute, as Keras 3 exports it
        endpoint = endpoint.concrete_functions[0]
    specs = _specs(endpoint.structured_input_signature)
    shapes = [spec.shape.as_list() if spec.shape.rank is not None else None for spec in specs]
    if len(specs) != 1 or shapes[0] is None or len(shapes[0]) != 4 or shapes[0][0] is not None:
        raise ModelFileError(
            f"{folder} is a SavedModel with inputs of shape {shapes}. Expected one, (None, height, "
            "width, channels). Call it in a function of your own, with xai_tf.from_function."
        )
    if not specs[0].dtype.is_floating:
        raise ModelFileError(
            f"{folder} is a SavedModel that takes pictures as {specs[0].dtype.name}. Convert them "
            "in a function of your own, with xai_tf.from_function."
        )
    inputs = keras.Input(shapes[0][1:], dtype=specs[0].dtype.name)
    outputs = keras.tree.flatten(layer(inputs))
    if len(outputs) != 1:
        raise ModelFileError(
            f"{folder} is a SavedModel with {len(outputs)} outputs. Choose one in a function of "
            "your own, with xai_tf.from_function."
        )
    return keras.Model(inputs, outputs[0], name=layer.name)


def _layer(folder: Path) -> Any:
    import keras

    for endpoint in ENDPOINTS:
        try:
            return keras.layers.TFSMLayer(str(folder), endpoint, trainable=False, name=NAME)
        except ValueError as error:
            if "endpoint" not in str(error):
                raise ModelFileError(f"Cannot load the SavedModel {folder} ({error}).") from error
        except Exception as error:  # TensorFlow raises many types on a damaged folder
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelFileError(
                f"Cannot load the SavedModel {folder} ({cause[:200]}). Copy the whole folder again."
            ) from error
    raise ModelFileError(
        f"The SavedModel {folder} has no endpoint {' or '.join(ENDPOINTS)}. Export it with "
        "model.export(folder), or with tf.saved_model.save(model, folder, signatures=...)."
    )


def _specs(signature: Any) -> list[Any]:
    import tensorflow as tf

    return [spec for spec in tf.nest.flatten(signature) if isinstance(spec, tf.TensorSpec)]


def _reaching_outside(folder: Path) -> Iterator[str]:
    """The operations of a SavedModel that reach outside of it."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    stored = saved_model_pb2.SavedModel()
    try:
        stored.ParseFromString((folder / GRAPH).read_bytes())
    except (DecodeError, OSError) as error:
        raise ModelFileError(f"{folder / GRAPH} is damaged ({error}). Copy it again.") from error
    for graph in stored.meta_graphs:
        for function in graph.graph_def.library.function:
            saver = function.signature.name.startswith(SAVER)
            yield from (
                node.op
                for node in function.node_def
                if node.op in OUTSIDE or (node.op in SAVES and not saver)
            )
        yield from (node.op for node in graph.graph_def.node if node.op in OUTSIDE)
