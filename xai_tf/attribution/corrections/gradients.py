"""Corrections of methods that use gradients and feature maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from xplique import attributions as xplique
from xplique.attributions.base import WhiteBoxExplainer, sanitize_input_output

from xai_tf.classifiers.placement import Placement


class GradCAM(xplique.GradCAM):
    """Grad-CAM on feature maps and gradients from one pass of the network.

    Args:
        model: the Keras model.
        features: the maps of images and targets, and their gradients.
        placement: where the maps lie in the images; None where they cover them.
    """

    def __init__(
        self,
        model: Any,
        features: Callable[[Any, Any], tuple[Any, Any]],
        placement: Placement | None = None,
    ) -> None:
        WhiteBoxExplainer.__init__(self, model)
        self._features, self._placement = features, placement

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        if self._placement is None:
            return super().explain(inputs, targets)
        maps, gradients = self._features(inputs, targets)
        cams = self._apply_weights(self._compute_weights(gradients, maps), maps)
        return _laid(cams, self._placement)

    def _gradient(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        return self._features(inputs, targets)


class GradCAMPP(GradCAM):
    """Grad-CAM++ with the weights of the paper (its equation 19)."""

    @staticmethod
    def _compute_weights(gradients: Any, maps: Any) -> Any:
        square, cube = gradients**2, gradients**3
        # The paper's maps come after a ReLU; negative values could make the denominator vanish.
        total = tf.reduce_sum(tf.nn.relu(maps), axis=(1, 2), keepdims=True)
        positive = gradients > 0  # other gradients have weight zero
        share = tf.math.divide_no_nan(square, 2 * square + total * cube)
        return tf.reduce_sum(tf.where(positive, share * gradients, 0), axis=(1, 2), keepdims=True)


class FEM(xplique.FEM):
    """FEM on the maps of one pass of the network.

    Args:
        features: the maps of images.
        k: standard deviations above the mean that count as strong.
        placement: as for `GradCAM`.
    """

    def __init__(
        self, features: Callable[[Any], Any], k: float, placement: Placement | None = None
    ) -> None:
        self.batch_size, self.k = None, tf.cast(k, tf.float32)
        self.model, self._placement = features, placement

    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        if self._placement is None:
            return super().explain(inputs, targets)
        weights, masks = self._compute_weights(self.model(inputs), self.k)
        return _laid(self._apply_weights(weights, masks), self._placement)


def _laid(cells: Any, placement: Placement) -> Any:
    """Maps of cells (batch, rows, columns) laid over the images: (batch, height, width, 1)."""
    return tf.stack([placement.lay(one) for one in np.asarray(cells)])[..., None]


class GuidedBackprop(xplique.GuidedBackprop):
    """The gradient of a network whose ReLUs have been replaced (see `guided_relu`)."""

    def __init__(self, model: Any) -> None:
        WhiteBoxExplainer.__init__(self, model)


def guided_relu(max_value: float | None = None, threshold: float = 0.0) -> Callable[[Any], Any]:
    """A ReLU that backpropagates where both the input and the gradient are positive."""
    return _relu(max_value, threshold, needs_active=True)


def deconv_relu(max_value: float | None = None, threshold: float = 0.0) -> Callable[[Any], Any]:
    """A ReLU that backpropagates where the gradient is positive."""
    return _relu(max_value, threshold, needs_active=False)


def _relu(max_value: float | None, threshold: float, needs_active: bool) -> Callable[[Any], Any]:
    relu = tf.keras.layers.ReLU(max_value=max_value, threshold=threshold)

    @tf.custom_gradient
    def forward(inputs: Any) -> Any:
        def backward(gradient: Any) -> Any:
            passing = tf.ones_like(inputs, bool) if max_value is None else inputs < max_value
            if needs_active:
                passing &= inputs > threshold
            return tf.nn.relu(gradient) * tf.cast(passing, gradient.dtype)

        return relu(inputs), backward

    return forward
