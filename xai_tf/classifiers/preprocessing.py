"""The color scalings networks expect: as arrays, and as layers in front of a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.errors import SettingError, pick

if TYPE_CHECKING:
    import keras

DEFAULT_SIZE = (224, 224)
PREPROCESSING = "preprocessing"  # the name of the layer that scales RGB in [0, 1]
# The gray level of RGB by ITU-R BT.601, which Keras, PIL and OpenCV use.
LUMA = (0.299, 0.587, 0.114)
_OWN = re.compile(r"mean=([\d.,]+) std=([\d.,]+)")


@dataclass(frozen=True)
class Scaling:
    """The color scaling a network expects, from RGB in [0, 1].

    All preprocessing functions of Keras are affine: output = RGB @ kernel + bias.

    Attributes:
        title: its name on pages and in tables.
        scale: the factor of each channel, in the order of the output.
        bias: the offset added to each channel.
        bgr: whether the output has the channel order BGR.
        standardized: whether each picture is then brought to mean 0 and deviation 1 over all its
            pixels and channels.
    """

    title: str
    scale: tuple[float, float, float]
    bias: tuple[float, float, float]
    bgr: bool = False
    standardized: bool = False

    def weights(self, channels: int = 3) -> list[np.ndarray]:
        """Kernel (3, channels) and bias (channels,) of a Dense layer that applies the affine part.

        A network with one channel gets the luma (`LUMA`), scaled as the mean of the channels is.
        """
        order = [2, 1, 0] if self.bgr else [0, 1, 2]
        kernel, bias = np.eye(3)[:, order] * self.scale, np.array(self.bias)
        if channels == 1:
            kernel = np.array(LUMA)[:, None] * np.mean(self.scale)
            bias = bias.mean(keepdims=True)
        return [kernel.astype(np.float32), bias.astype(np.float32)]

    def apply(self, images: np.ndarray, channels: int = 3) -> np.ndarray:
        """Scale pictures: float32 (batch, height, width, 3) in [0, 1] to (..., channels)."""
        kernel, bias = self.weights(channels)
        scaled = images @ kernel + bias
        if self.standardized:
            axes = (1, 2, 3)
            centered = scaled - scaled.mean(axes, keepdims=True)
            scaled = centered / np.sqrt((centered**2).mean(axes, keepdims=True) + EPSILON)
        return scaled


_ONES = (1.0, 1.0, 1.0)
_BYTES = (255.0, 255.0, 255.0)
_ZEROS = (0.0, 0.0, 0.0)
EPSILON = 1e-7  # added to the variance of a picture before its root is divided by
# Those of Keras have the values of keras.applications.imagenet_utils.preprocess_input.
SCALINGS: dict[str, Scaling] = {
    "unit": Scaling("RGB in [0, 1] (bytes / 255)", _ONES, _ZEROS),
    "raw": Scaling("RGB in [0, 255] (bytes as they are)", _BYTES, _ZEROS),
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
    "bgr": Scaling("BGR in [0, 1] (OpenCV's order / 255)", _ONES, _ZEROS, bgr=True),
    "bgr_raw": Scaling("BGR in [0, 255] (OpenCV's order)", _BYTES, _ZEROS, bgr=True),
    "standardized": Scaling(
        "each picture to mean 0 and deviation 1 (tf.image.per_image_standardization)",
        _ONES,
        _ZEROS,
        standardized=True,
    ),
}


def scaling_of(name: str) -> Scaling:
    """A scaling by its name, or of a mean and a deviation of one's own.

    >>> scaling_of("mean=0.5,0.5,0.5 std=0.25,0.25,0.25").scale
    (4.0, 4.0, 4.0)

    Args:
        name: a name in `SCALINGS`, or "mean=R,G,B std=R,G,B" of RGB in [0, 1]; one number stands
            for all three.

    Raises:
        UnknownNameError: there is no such scaling.
        SettingError: a mean or a deviation is not one or three numbers, or a deviation is 0.
    """
    if not name.startswith("mean="):
        return pick(SCALINGS, name, "preprocessing")
    try:
        found = _OWN.fullmatch(name.strip())
        mean, deviation = (_three(found[part]) for part in (1, 2))  # type: ignore[index]
        if min(deviation) <= 0:
            raise ValueError("a deviation of 0")
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"Invalid value for preprocessing: {name!r}. Expected a name or, for RGB in [0, 1], "
            '"mean=0.485,0.456,0.406 std=0.229,0.224,0.225".'
        ) from error
    pairs = list(zip(mean, deviation, strict=True))
    return Scaling(
        f"RGB in [0, 1], {name}",
        (1 / deviation[0], 1 / deviation[1], 1 / deviation[2]),
        (-pairs[0][0] / pairs[0][1], -pairs[1][0] / pairs[1][1], -pairs[2][0] / pairs[2][1]),
    )


def _three(text: str) -> tuple[float, float, float]:
    numbers = [float(part) for part in text.split(",")]
    first, second, third = numbers * 3 if len(numbers) == 1 else numbers
    return first, second, third


def scaled(inputs: keras.KerasTensor, scaling: str, channels: int = 3) -> keras.KerasTensor:
    """Apply a scaling to symbolic RGB in [0, 1], by frozen layers."""
    import keras

    entry = scaling_of(scaling)
    layer = keras.layers.Dense(channels, trainable=False, name=PREPROCESSING)
    layer.build((None, None, None, 3))
    layer.set_weights(entry.weights(channels))
    output = layer(inputs)
    if entry.standardized:
        standardize = keras.layers.LayerNormalization(
            axis=[1, 2, 3], epsilon=EPSILON, center=False, scale=False, name="standardization"
        )
        output = standardize(output)
    return output


def with_preprocessing(
    model: keras.Model, scaling: str, image_size: tuple[int, int]
) -> keras.Model:
    """Make a model take RGB in [0, 1] of a fixed (height, width)."""
    import keras

    channels = model.input_shape[-1]
    if scaling == "unit" and model.input_shape[1:] == (*image_size, 3):
        return model
    inputs = keras.Input((*image_size, 3), name="input")
    return keras.Model(inputs, model(scaled(inputs, scaling, channels)))
