"""Models whose layers cannot be seen, as a layer of a Keras graph.

So a function, a SavedModel and a subclassed model get their preprocessing and their logits as every
other model does. `Classifier.access` says what is left of what a graph would give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from xai_tf.classifiers.returns import LABEL_LOGITS, LOGITS, PROBABILITIES
from xai_tf.errors import ModelError

# How far from 1 the sum of probabilities may be before it is divided by; quantized models round.
SUM_SLACK = 0.01


class FunctionLayer(keras.layers.Layer):
    """A function of NumPy arrays as a layer. It runs eagerly, and has no gradient.

    Attributes:
        function: from float32 (batch, height, width, channels) to (batch, outputs).
        num_outputs: the number of its outputs.
        returns: what they are, a name in `RETURNS`.
    """

    def __init__(
        self, function: Callable[[Any], Any], num_outputs: int, returns: str, **kwargs: Any
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.function, self.num_outputs, self.returns = function, num_outputs, returns

    def call(self, images: Any) -> Any:
        """The checked outputs of the function for a batch."""
        found = checked_outputs(self.function, np.asarray(images), self.returns, self.num_outputs)
        return keras.ops.convert_to_tensor(found)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch, outputs)."""
        return (input_shape[0], self.num_outputs)


class ModelLayer(keras.layers.Layer):
    """A model whose call Keras cannot follow, as a layer; copies share its weights."""

    def __init__(self, model: keras.Model, num_outputs: int, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.model, self.num_outputs = model, num_outputs

    def call(self, images: Any) -> Any:
        """The output of the model in inference mode."""
        return self.model(images, training=False)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch, outputs)."""
        return (input_shape[0], self.num_outputs)


OPAQUE = (FunctionLayer, ModelLayer, keras.layers.TFSMLayer)


def checked_outputs(
    function: Callable[[Any], Any],
    images: np.ndarray,
    returns: str = PROBABILITIES,
    num_outputs: int | None = None,
) -> np.ndarray:
    """Call a function on a batch, and check what it returns.

    Args:
        function: from float32 (batch, height, width, channels) to (batch, outputs), or (batch,).
        images: the batch.
        returns: what the outputs are, a name in `RETURNS`.
        num_outputs: their number, where it is known.

    Returns:
        float32 array of shape (batch, outputs). The sum of probabilities, which may be off by
        `SUM_SLACK`, is made 1.

    Raises:
        ModelError: the function fails, or its outputs are not what they should be.
    """
    name = getattr(function, "__name__", type(function).__name__)
    try:
        found = np.asarray(function(images), np.float64)
    except Exception as error:  # whatever the function of a user raises
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise _function_error(
            f"The function {name!r} failed on a float32 batch of shape {images.shape}: {cause}. "
            "It must take any number of pictures and return an array of shape (batch, outputs)."
        ) from error
    if found.ndim == 1:
        found = found[:, None]
    expected = (len(images), num_outputs or found.shape[-1])
    if found.shape != expected or not found.shape[-1]:
        raise _function_error(
            f"The function {name!r} returned shape {found.shape} for a batch of shape "
            f"{images.shape}. Expected {(len(images), num_outputs or 'outputs')}, one row each."
        )
    if not np.isfinite(found).all():
        raise _function_error(
            f"The function {name!r} returned NaN or infinity for pictures of RGB from 0 to 1. "
            "Check the range it expects (`preprocessing`), and the weights of the model."
        )
    if returns not in (LOGITS, LABEL_LOGITS):
        found = _as_probabilities(found, name, returns)
    return found.astype(np.float32)


def _as_probabilities(found: np.ndarray, name: str, returns: str) -> np.ndarray:
    low, high = float(found.min()), float(found.max())
    if low < -SUM_SLACK or high > 1 + SUM_SLACK:
        raise _function_error(
            f"The function {name!r} returned values from {low:.3g} to {high:.3g}, which are no "
            "probabilities. If they are logits, give returns='logits'."
        )
    found = found.clip(0, 1)
    if returns == PROBABILITIES and found.shape[1] > 1:
        sums = found.sum(axis=1, keepdims=True)
        if np.abs(sums - 1).max() > SUM_SLACK:
            raise _function_error(
                f"The probabilities of the function {name!r} add up to {sums.min():.3g} to "
                f"{sums.max():.3g}, not to 1. If several classes can be true at once, give "
                "returns='multi_label'; if they are logits, returns='logits'."
            )
        found = found / sums
    return found


def _function_error(text: str) -> ModelError:
    error = ModelError(text)
    # Keras would add the arguments of its layers to the text.
    error._keras_call_info_injected = True  # type: ignore[attr-defined]  # noqa: SLF001
    return error
