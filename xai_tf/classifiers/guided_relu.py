"""Networks whose ReLUs go backwards in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def can_change_relu(model: keras.Model) -> bool:
    """Whether a flat model has ReLUs that can be changed, and none that leaks (those cannot)."""
    import keras

    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    leaking = any(float(layer.negative_slope or 0) for layer in layers)
    return not leaking and bool(layers or any(_activation_limit(x) for x in model.layers))


def with_relu(model: keras.Model, policy: Callable[..., Any]) -> keras.Model:
    """A copy of a flat model whose ReLUs go backwards by `policy(max_value, threshold)`.

    Xplique changes ReLU layers and `relu` activations; `relu6` activations are changed here.
    """
    from xplique.commons import override_relu_gradient

    changed = override_relu_gradient(model, policy)
    for layer in changed.layers:
        if _activation_limit(layer) == 6:
            layer.activation = policy(6.0)
    return changed


def _activation_limit(layer: Any) -> float:
    """Where the ReLU in a layer's activation saturates; 0 where there is none."""
    import keras

    limits = {keras.activations.relu: float("inf"), keras.activations.relu6: 6.0}
    function = getattr(layer, "activation", None)
    return limits.get(function, 0.0) if callable(function) else 0.0
