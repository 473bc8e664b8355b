"""What networks want of their colours, done by a layer, and found in models of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.classifiers.graph import at_first_convolution
from xai_tf.errors import pick

if TYPE_CHECKING:
    import keras

DEFAULT_SIZE = (224, 224)
PREPROCESSING = "preprocessing"  # the name of the layer that turns RGB in [0, 1] into what follows


@dataclass(frozen=True)
class Scaling:
    """What a backbone wants of its colours, as an affine map of RGB in [0, 1].

    Every preprocessing of Keras is one: output = RGB @ kernel + bias.

    Attributes:
        title: for people.
        scale: factor of each channel, in the order of the output.
        bias: added to each channel.
        bgr: whether blue comes first in the output.
    """

    title: str
    scale: tuple[float, float, float]
    bias: tuple[float, float, float]
    bgr: bool = False

    def weights(self, channels: int = 3) -> list[np.ndarray]:
        """Kernel (3, channels) and bias (channels,) of a Dense layer that does it.

        A network with one channel is given the mean of the three.
        """
        order = [2, 1, 0] if self.bgr else [0, 1, 2]
        kernel, bias = np.eye(3)[:, order] * self.scale, np.array(self.bias)
        if channels == 1:
            kernel, bias = kernel.mean(axis=1, keepdims=True), bias.mean(keepdims=True)
        return [kernel.astype(np.float32), bias.astype(np.float32)]


_ONES = (1.0, 1.0, 1.0)
_BYTES = (255.0, 255.0, 255.0)
_ZEROS = (0.0, 0.0, 0.0)
# The figures of keras.applications.imagenet_utils.preprocess_input.
SCALINGS: dict[str, Scaling] = {
    "unit": Scaling("RGB in [0, 1], as given", _ONES, _ZEROS),
    "raw": Scaling("RGB in [0, 255]; the network scales itself", _BYTES, _ZEROS),
    "tf": Scaling("RGB in [-1, 1] (Keras mode 'tf')", (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)),
    "torch": Scaling(
        "RGB, ImageNet mean and deviation (Keras mode 'torch')",
        (1 / 0.229, 1 / 0.224, 1 / 0.225),
        (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
    ),
    "caffe": Scaling(
        "BGR in [0, 255] less the ImageNet mean (Keras mode 'caffe')",
        _BYTES, (-103.939, -116.779, -123.68), bgr=True,
    ),
}  # fmt: skip


def scaling_layer(scaling: str, channels: int = 3) -> keras.layers.Dense:
    """A frozen layer that turns RGB in [0, 1] into the colours of a scaling."""
    import keras

    layer = keras.layers.Dense(channels, trainable=False, name=PREPROCESSING)
    layer.build((None, None, None, 3))
    layer.set_weights(pick(SCALINGS, scaling, "preprocessing").weights(channels))
    return layer


def find_preprocessing(model: keras.Model) -> tuple[str, str] | None:
    """What a network wants of its colours, by what its own first layers make of them.

    White as 1 and white as 255 are sent to the first convolution. Where 255 arrives as a small
    number, the network scales bytes itself; where it arrives as a large one, it scales RGB in
    [0, 1]; where both arrive as they were, nothing can be told.

    Returns:
        The name of a scaling and the reason, or None.
    """
    size = [side or DEFAULT_SIZE[0] for side in model.input_shape[1:3]]
    white = np.ones((1, *size, model.input_shape[-1]), np.float32)
    one, byte = (
        float(np.abs(np.asarray(at_first_convolution(model, white * level), np.float32)).max())
        for level in (1, 255)
    )
    if abs(one - 1) < 1e-6 and abs(byte - 255) < 1e-3:
        return None
    if byte <= 256:
        return "raw", f"the model scales its input itself: 255 becomes {byte:.3g}"
    return "unit", f"the model scales RGB in [0, 1] itself: 1 becomes {one:.3g}"


def with_preprocessing(model: keras.Model, scaling: str) -> keras.Model:
    """Put RGB in [0, 1] of a fixed size in front of a model: 224x224 where it takes any."""
    import keras

    height, width, channels = model.input_shape[1:]
    if scaling == "unit" and None not in (height, width) and channels == 3:
        return model
    inputs = keras.Input((height or DEFAULT_SIZE[0], width or DEFAULT_SIZE[1], 3), name="input")
    return keras.Model(inputs, model(scaling_layer(scaling, channels)(inputs)))
