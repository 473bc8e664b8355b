"""The color scaling a network expects: as a layer, and detected in a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.classifiers.graph import first_convolution_input
from xai_tf.errors import pick

if TYPE_CHECKING:
    import keras

DEFAULT_SIZE = (224, 224)
PREPROCESSING = "preprocessing"  # the name of the layer that scales RGB in [0, 1]


@dataclass(frozen=True)
class Scaling:
    """The color scaling a backbone expects, as an affine map of RGB in [0, 1].

    All preprocessing functions of Keras are of this kind: output = RGB @ kernel + bias.

    Attributes:
        title: its name on pages and in tables.
        scale: the factor of each channel, in the order of the output.
        bias: the offset added to each channel.
        bgr: whether the output has the channel order BGR.
    """

    title: str
    scale: tuple[float, float, float]
    bias: tuple[float, float, float]
    bgr: bool = False

    def weights(self, channels: int = 3) -> list[np.ndarray]:
        """Kernel (3, channels) and bias (channels,) of a Dense layer that applies the scaling.

        With one channel the network gets the mean of the three.
        """
        order = [2, 1, 0] if self.bgr else [0, 1, 2]
        kernel, bias = np.eye(3)[:, order] * self.scale, np.array(self.bias)
        if channels == 1:
            kernel, bias = kernel.mean(axis=1, keepdims=True), bias.mean(keepdims=True)
        return [kernel.astype(np.float32), bias.astype(np.float32)]


_ONES = (1.0, 1.0, 1.0)
_BYTES = (255.0, 255.0, 255.0)
_ZEROS = (0.0, 0.0, 0.0)
# The values of keras.applications.imagenet_utils.preprocess_input.
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
        "BGR in [0, 255] minus the ImageNet mean (Keras mode 'caffe')",
        _BYTES,
        (-103.939, -116.779, -123.68),
        bgr=True,
    ),
}


def scaling_layer(scaling: str, channels: int = 3) -> keras.layers.Dense:
    """A frozen layer that applies a scaling to RGB in [0, 1]."""
    import keras

    layer = keras.layers.Dense(channels, trainable=False, name=PREPROCESSING)
    layer.build((None, None, None, 3))
    layer.set_weights(pick(SCALINGS, scaling, "preprocessing").weights(channels))
    return layer


def find_preprocessing(model: keras.Model) -> tuple[str, str] | None:
    """Detect the color scaling a network expects, from what its own first layers do.

    White is given as 1 and as 255 and followed to the first convolution. Where 255 arrives as a
    small value, the network scales bytes itself; where it arrives as a large one, the network
    scales RGB in [0, 1] itself.

    Returns:
        The name of a scaling and the reason. None where both values arrive unchanged, so that
        nothing can be concluded.
    """
    size = [side or DEFAULT_SIZE[0] for side in model.input_shape[1:3]]
    white = np.ones((1, *size, model.input_shape[-1]), np.float32)
    one, byte = (
        float(np.abs(np.asarray(first_convolution_input(model, white * level), np.float32)).max())
        for level in (1, 255)
    )
    if abs(one - 1) < 1e-6 and abs(byte - 255) < 1e-3:
        return None
    if byte <= 256:
        return "raw", f"the model scales its input itself: 255 becomes {byte:.3g}"
    return "unit", f"the model scales RGB in [0, 1] itself: 1 becomes {one:.3g}"


def with_preprocessing(model: keras.Model, scaling: str) -> keras.Model:
    """Make a model take RGB in [0, 1] of a fixed size, 224x224 where it takes any size."""
    import keras

    height, width, channels = model.input_shape[1:]
    if scaling == "unit" and None not in (height, width) and channels == 3:
        return model
    inputs = keras.Input((height or DEFAULT_SIZE[0], width or DEFAULT_SIZE[1], 3), name="input")
    return keras.Model(inputs, model(scaling_layer(scaling, channels)(inputs)))
