"""A model from the inside: its layers, and what each method uses of it, as plain data."""

from __future__ import annotations

from typing import Any

from xai_tf.attribution.methods import METHODS, Method
from xai_tf.bundles.write import describe_classifier
from xai_tf.classifiers.access import LACKS
from xai_tf.classifiers.classifier import Classifier


def inspect_classifier(classifier: Classifier) -> dict[str, Any]:
    """What a model is, its layers, and what each method uses of it, as plain data."""
    return {
        **describe_classifier(classifier),
        "methods": {name: _use(classifier, method) for name, method in METHODS.items()},
        "resolution_layers": classifier.resolution_layers,
        "layers": _layers(classifier),
    }


def _layers(classifier: Classifier) -> list[dict[str, Any]]:
    from xai_tf.classifiers.graph import tensors

    return [
        {
            "name": name,
            "kind": type(tensor._keras_history.operation).__name__,  # noqa: SLF001  (no other way)
            "shape": list(tensor.shape),
            "feature_map": name in classifier.feature_layers,
        }
        for name, tensor in tensors(classifier.model).items()
    ]


def _use(classifier: Classifier, method: Method) -> str:
    """What a method uses of a model, in words."""
    if not method.works_with(classifier.access):
        return f"not applicable: the model {LACKS[method.needs]}"
    number = method.passes(method.settings({}, classifier.baseline), classifier.image_size)
    passes = f"{number} pass{'es' * (number != '1')}"
    if method.needs_layer:
        return f"{passes}, layer {classifier.last_feature_layer}"
    if method.relu_only and not classifier.has_relu:
        return f"{passes}; without ReLU in the network, same as the plain gradient"
    return passes
