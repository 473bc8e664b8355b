"""A classifier from any function: a session of ONNX Runtime, a PyTorch model, a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.preprocessing import scaling_of
from xai_tf.classifiers.returns import PROBABILITIES, RETURNS
from xai_tf.errors import SettingError, pick
from xai_tf.inputs.options import ReadOptions
from xai_tf.inputs.task import Task
from xai_tf.tasks import TASKS


def from_function(
    function: Callable[[np.ndarray], Any],
    input_shape: Sequence[int],
    classes: Sequence[str] | None = None,
    *,
    returns: str = PROBABILITIES,
    preprocessing: str = "unit",
    name: str | None = None,
    task: str | Task | None = None,
    read_options: ReadOptions | None = None,
) -> Classifier:
    """Make a classifier from a function that predicts a batch of pictures.

    It has no gradients and no layers, so it is explained by the methods that only need predictions
    (the perturbation methods, see `xai-tf methods`) and scored by all metrics but randomisation.

    >>> import numpy as np
    >>> def brightness(images: np.ndarray) -> np.ndarray:
    ...     return images.mean(axis=(1, 2, 3))
    >>> classifier = from_function(brightness, (32, 32), ["dark", "bright"])
    >>> classifier.access, classifier.predict(np.full((32, 32, 3), 0.75))[0].name
    ('predictions', 'bright')

    Args:
        function: takes float32 pictures of shape (batch, height, width, channels), of any batch
            size, and returns one row for each: shape (batch, outputs), or (batch,) for one output.
            It is called from one thread at a time for each explanation.
        input_shape: (height, width) of RGB, or (height, width, channels) with 1 or 3 channels.
        classes: the names of the classes; two for one output, which is that of the second. By
            default those of the task, else "class 0", "class 1", ...
        returns: what the function returns, a name in `RETURNS`: "probabilities", "multi_label",
            "logits" or "label_logits". Each batch is checked. Probabilities may add up to 0.99 to
            1.01, and are divided by their sum.
        preprocessing: the color scaling the function expects, a name in `SCALINGS` or one of
            `scaling_of`. By default RGB in [0, 1].
        name: its name in messages and file names. By default that of the function.
        task: a name in `TASKS` or a task: how files are read and what the classes are.
        read_options: how files are read, such as how pictures are resized.

    Raises:
        ModelError: the function fails, or returns something else than it should.
        SettingError: `input_shape` is not that of a picture.
        UnknownNameError: there is no such preprocessing, task or kind of output.
    """
    import keras

    from xai_tf.classifiers.opaque import FunctionLayer, checked_outputs

    pick(RETURNS, returns, "kind of output")
    shape = _picture_shape(input_shape)
    pictures = np.random.default_rng(0).random((3, *shape[:2], 3), dtype=np.float32)
    scaled = scaling_of(preprocessing).apply(pictures, shape[2]).astype(np.float32)
    num_outputs = checked_outputs(function, scaled, returns).shape[1]
    name = name or getattr(function, "__name__", type(function).__name__).strip("<>")
    inputs = keras.Input(shape)
    layer = FunctionLayer(function, num_outputs, returns, name="function")
    return Classifier(
        keras.Model(inputs, layer(inputs)),
        classes,
        name=name,
        task=pick(TASKS, task, "task") if isinstance(task, str) else task,
        preprocessing=preprocessing,
        read_options=read_options,
        returns=returns,
    )


def _picture_shape(given: Sequence[int]) -> tuple[int, int, int]:
    shape = (*given, 3) if len(given) == 2 else tuple(given)
    whole = all(isinstance(side, int | np.integer) and side > 0 for side in shape)
    if len(shape) != 3 or shape[-1] not in (1, 3) or not whole:
        raise SettingError(
            f"Invalid value for 'input_shape': {tuple(given)}. Expected (height, width) or "
            "(height, width, channels) with 1 or 3 channels, such as (224, 224, 3)."
        )
    return shape
