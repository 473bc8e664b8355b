"""Copies of a network whose ReLUs have another gradient, as guided backprop needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def can_change_relu(model: keras.Model) -> bool:
    """Whether the gradients of all ReLUs of a flat model can be replaced, and there are some."""
    import keras

    if any(type(layer).__module__.split(".")[0] != "keras" for layer in model.layers):
        return False  # a layer of one's own may hold ReLUs

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    leaky = any(float(layer.negative_slope or 0) for layer in layers)
    return not leaky and bool(layers or any(_activation_limit(x) for x in model.layers))


def with_relu(model: keras.Model, policy: Callable[..., Any]) -> keras.Model:
    """A copy of a flat model whose ReLUs have the gradient of `policy(max_value, threshold)`.

    Xplique replaces ReLU layers and `relu` activations; `relu6` activations are replaced here.
    """
    from xplique.commons import override_relu_gradient

    changed = override_relu_gradient(model, policy)
    for layer in changed.layers:
        if _activation_limit(layer) == 6:
            layer.activation = policy(6.0)
    return changed


def _activation_limit(layer: Any) -> float:
    """The value at which the ReLU activation of a layer saturates; 0 where it has none."""
    import keras

    limits = {keras.activations.relu: float("inf"), keras.activations.relu6: 6.0}
    function = getattr(layer, "activation", None)
    return limits.get(function, 0.0) if callable(function) else 0.0
