"""Corrections of methods that mask parts of the image: occlusion, and HSIC."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from xplique import attributions as xplique
from xplique.attributions.base import sanitize_input_output
from xplique.attributions.global_sensitivity_analysis.hsic_estimators import BinaryEstimator
from xplique.attributions.global_sensitivity_analysis.samplers import Sampler

from xai_tf.attribution.corrections.coalitions import hadamard_rows
from xai_tf.attribution.corrections.sampled import no_preview
from xai_tf.attribution.methods import patch_starts
from xai_tf.attribution.pass_counter import FORWARD_BATCH


class Occlusion(xplique.Occlusion):
    """Occlusion as a mean over the patches that cover a pixel, up to the edges of the image."""

    preview = staticmethod(no_preview)

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        base = self.inference_function(self.model, inputs, targets)
        size = inputs.shape[1:3]
        starts = [patch_starts(side, self.patch_size, self.patch_stride) for side in size]
        corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
        maps = []
        for image, target, score in zip(inputs, targets, base, strict=True):
            total, covered = np.zeros(size, np.float32), np.zeros(size, np.float32)
            for start in range(0, len(corners), FORWARD_BATCH):
                masks = self._masks(corners[start : start + FORWARD_BATCH], size)
                masked = xplique.Occlusion._apply_masks(  # noqa: SLF001  (of our base class)
                    image, masks, self.occlusion_value
                )
                repeated = tf.repeat(target[None], len(masks), axis=0)
                drop = score - self.inference_function(self.model, masked, repeated)
                total += np.einsum("n,nhw->hw", drop, masks)
                covered += masks.sum(axis=0)
                self.preview(self._mean, total, covered)
            maps.append(self._mean(total, covered))
        return tf.stack(maps)[..., None]

    @staticmethod
    def _mean(total: np.ndarray, covered: np.ndarray) -> np.ndarray:
        return total / np.maximum(covered, 1)  # every pixel is covered in the end

    def _masks(self, corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool (corners, height, width): the patch at each corner."""
        masks = np.zeros((len(corners), *size), bool)
        for mask, (top, left) in zip(masks, corners, strict=True):
            mask[top : top + self.patch_size, left : left + self.patch_size] = True
        return masks


class BalancedMasks(Sampler):
    """Which cells HSIC shows in each masked image, see `hadamard_rows`; always the same ones."""

    def __init__(self) -> None:
        super().__init__(binary=True)

    def __call__(self, dimension: int, nb_design: int) -> np.ndarray:
        """Float32 (nb_design, dimension), 1 where a cell is shown."""
        return hadamard_rows(dimension, 0, nb_design, seed=0).astype(np.float32)


class MedianDistanceHsic(BinaryEstimator):
    """HSIC whose output kernel is as wide as the median distance between two scores."""

    def output_kernel_func(self, X: Any, Y: Any) -> Any:  # noqa: N803  (Xplique's names)
        """The Gaussian kernel between scores: float32 tensor of shape (samples, samples)."""
        distance = np.abs(np.asarray(X) - np.asarray(Y))
        width = float(np.median(distance[~np.eye(len(distance), dtype=bool)])) or 1.0
        return tf.exp(-tf.cast(distance**2, tf.float32) / (2 * width**2))
