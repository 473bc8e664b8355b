"""How much of a network can be seen, which decides what can explain it."""

from __future__ import annotations

# From least to most, each including those before it: the kinds of models that give so much.
ACCESS: dict[str, str] = {
    "predictions": "any function of a batch of pictures: ONNX Runtime, TF Lite, PyTorch, a server",
    "gradients": "a SavedModel, or a subclassed Keras model that mixes in TensorFlow operations",
    "layers": "a Functional or Sequential Keras model, or a subclassed one made of Keras layers",
    "feature maps": "one of those whose layers include convolutional feature maps",
}

FULL_ACCESS = list(ACCESS)[-1]
# What a model lacks that gives less, as the end of a sentence.
LACKS = {
    "gradients": "gives no gradients",
    "layers": "shows no layers",
    "feature maps": "has no convolutional feature map that can be seen",
}


def gives(access: str, needed: str) -> bool:
    """Whether a model with this access gives what is needed, both names in `ACCESS`.

    >>> gives("layers", "gradients"), gives("predictions", "gradients")
    (True, False)
    """
    ranks = list(ACCESS)
    return ranks.index(access) >= ranks.index(needed)
