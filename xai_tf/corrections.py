"""Where we depart from Xplique: the one place.

Right as they are: Saliency, GradientInput, IntegratedGradients, FEM, and Sobol but for its
baseline, which is black in Xplique and the task's here, as for HSIC.
Corrected below, each with its reason and a test in `tests/test_corrections.py` that shows it:

| explainer | Xplique 2.0.2 | here |
|---|---|---|
| GradCAM | patches a layer while it runs: unsafe in threads, blind inside nested models | reads the map as a second output |
| GradCAMPP | weights use the mean of the map, the paper its sum | the sum |
| GuidedBackprop, DeconvNet | a ReLU6 passes gradients where it is saturated | it does not |
| SmoothGrad, SquareGrad, VarGrad | TensorFlow's global seed only, which other threads disturb | a seed |
| Occlusion | sums overlapping squares (borders look weak), leaves edges out | the mean; the last square ends at the edge |
| Rise | no seed; one shift for a batch of masks; zero means nothing | a seed; a shift a mask; zero is no effect |
| Lime, KernelShap | no seed; segments of their own | a seed; the same segments |
| Lime | kernel on pixel distances, so its width depends on the picture | the paper's: cosine distance of the segments |
| KernelShap | plain least squares: shares do not add up | the paper's constrained fit, paired draws, exact when all fit |
| HsicAttributionMethod | kernel width is the median logit, negative or zero at times | the median distance between logits |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import Ridge
from xplique import attributions as xplique
from xplique.attributions.base import WhiteBoxExplainer, sanitize_input_output
from xplique.attributions.global_sensitivity_analysis.hsic_estimators import BinaryEstimator
from xplique.attributions.gradient_statistics.gradient_statistic import GradientStatistic

from xai_tf.meter import FORWARD_BATCH, GRADIENT_BATCH
from xai_tf.methods import patch_starts


def _nobody(_estimate: Callable[..., Any], *_known: Any) -> None:
    """Nobody looks at the map so far; see `xai_tf.partial.Offers`."""


class GradCAM(xplique.GradCAM):
    """Grad-CAM on maps and gradients that come out of one pass of the network."""

    def __init__(self, model: Any, features: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        WhiteBoxExplainer.__init__(self, model)
        self._features = features

    def _gradient(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        return self._features(inputs, targets)


class GradCAMPP(GradCAM):
    """Grad-CAM++ with the weights of the paper (its equation 19)."""

    @staticmethod
    def _compute_weights(gradients: Any, maps: Any) -> Any:
        square, cube = gradients**2, gradients**3
        # The paper's maps come after a ReLU; others could make the denominator vanish.
        total = tf.reduce_sum(tf.nn.relu(maps), axis=(1, 2), keepdims=True)
        positive = gradients > 0  # the others have no weight
        share = tf.math.divide_no_nan(square, 2 * square + total * cube)
        return tf.reduce_sum(tf.where(positive, share * gradients, 0), axis=(1, 2), keepdims=True)


class GuidedBackprop(xplique.GuidedBackprop):
    """The gradient of a network whose ReLUs were changed before (see `guided_relu`)."""

    def __init__(self, model: Any) -> None:
        WhiteBoxExplainer.__init__(self, model)


class _SeededStatistic(GradientStatistic):
    """A statistic of gradients over noisy copies, drawn from a seed."""

    offer = staticmethod(_nobody)

    def __init__(self, model: Any, seed: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._seed = seed

    @sanitize_input_output
    @WhiteBoxExplainer._harmonize_channel_dimension
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        maps = []
        for image, target in zip(inputs, targets, strict=True):
            self._initialize_online_statistic()
            rng = np.random.default_rng(self._seed)
            for start in range(0, self.nb_samples, GRADIENT_BATCH):
                count = min(GRADIENT_BATCH, self.nb_samples - start)
                noise = rng.normal(0, self.noise, (count, *image.shape)).astype(np.float32)
                repeated = tf.repeat(target[None], count, axis=0)
                gradients = self.batch_gradient(self.model, image[None] + noise, repeated)
                self._update_online_statistic(gradients[None])
                self.offer(self._so_far)
            maps.append(self._get_online_statistic_final_value()[0])
        return tf.stack(maps)

    def _so_far(self) -> Any:
        return self.reduce(self._get_online_statistic_final_value()[0], axis=-1, keepdims=True)


class SmoothGrad(_SeededStatistic, xplique.SmoothGrad):
    """SmoothGrad with a seed."""


class SquareGrad(_SeededStatistic, xplique.SquareGrad):
    """SquareGrad with a seed."""


class VarGrad(_SeededStatistic, xplique.VarGrad):
    """VarGrad with a seed."""


class Occlusion(xplique.Occlusion):
    """Occlusion as a mean over the squares that cover a pixel, up to the edges of the picture."""

    offer = staticmethod(_nobody)

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        base = self.inference_function(self.model, inputs, targets)
        size = inputs.shape[1:3]
        starts = [
            patch_starts(side, min(self.patch_size, *size), self.patch_stride) for side in size
        ]
        corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
        maps = []
        for image, target, score in zip(inputs, targets, base, strict=True):
            total, covered = np.zeros(size, np.float32), np.zeros(size, np.float32)
            for start in range(0, len(corners), FORWARD_BATCH):
                masks = self._masks(corners[start : start + FORWARD_BATCH], size)
                hidden = xplique.Occlusion._apply_masks(image, masks, self.occlusion_value)
                repeated = tf.repeat(target[None], len(masks), axis=0)
                fall = score - self.inference_function(self.model, hidden, repeated)
                total += np.einsum("n,nhw->hw", fall, masks)
                covered += masks.sum(axis=0)
                self.offer(self._mean, total, covered)
            maps.append(self._mean(total, covered))
        return tf.stack(maps)[..., None]

    @staticmethod
    def _mean(total: np.ndarray, covered: np.ndarray) -> np.ndarray:
        return total / np.maximum(covered, 1)  # in the end, all is covered

    def _masks(self, corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool (corners, height, width): the square at each corner."""
        masks = np.zeros((len(corners), *size), bool)
        for mask, (top, left) in zip(masks, corners, strict=True):
            mask[top : top + self.patch_size, left : left + self.patch_size] = True
        return masks


class Rise(xplique.Rise):
    """RISE with a seed, a shift of its own for each mask, and zero where there is no effect."""

    offer = staticmethod(_nobody)

    def __init__(self, model: Any, seed: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._seed = seed

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        maps = []
        for image, target in zip(inputs, targets, strict=True):
            rng = np.random.default_rng(self._seed)
            weighted = shown = tf.zeros((*image.shape[:2], 1))
            total = 0.0
            for start in range(0, self.nb_samples, FORWARD_BATCH):
                count = min(FORWARD_BATCH, self.nb_samples - start)
                masks = self._masks(rng, count, image.shape[:2])
                masked = masks * image[None] + (1 - masks) * self.mask_value
                repeated = tf.repeat(target[None], count, axis=0)
                scores = self.inference_function(self.model, masked, repeated)
                weighted += tf.reduce_sum(scores[:, None, None, None] * masks, axis=0)
                shown += tf.reduce_sum(masks, axis=0)
                total += tf.reduce_sum(scores)
                self.offer(self._gain, weighted, shown, total / (start + count))
            maps.append(self._gain(weighted, shown, total / self.nb_samples))
        return tf.stack(maps)

    def _gain(self, weighted: Any, shown: Any, mean: Any) -> Any:
        return weighted / (shown + self.EPSILON) - mean

    def _masks(self, rng: np.random.Generator, count: int, size: tuple[int, int]) -> Any:
        """Random grids, enlarged to a cell more than the picture and cut at a random place."""
        grid = self.grid_size
        cells = rng.random((count, grid, grid, 1)) < self.preservation_probability
        height, width = (side + -(-side // grid) for side in size)
        large = tf.image.resize(tf.cast(cells, tf.float32), (height, width)).numpy()
        tops = rng.integers(0, height - size[0] + 1, count)
        lefts = rng.integers(0, width - size[1] + 1, count)
        return np.stack(
            [
                mask[top : top + size[0], left : left + size[1]]
                for mask, top, left in zip(large, tops, lefts, strict=True)
            ]
        )


class LocalModel(Ridge):
    """LIME's linear model; keeps how well it fits, as R2 of the weighted draws."""

    figures: dict[str, float]

    def fit(self, present: Any, scores: Any, sample_weight: Any = None) -> LocalModel:
        super().fit(present, scores, sample_weight)
        self.figures = {"r2": float(self.score(present, scores, sample_weight))}
        return self


class ShapleyModel:
    """Weighted least squares whose weights add up to the score of all less the score of none.

    The first two rows are the whole picture and the empty one: they are kept exactly.
    """

    coef_: np.ndarray
    figures: dict[str, float]

    def fit(self, present: Any, scores: Any, sample_weight: Any) -> ShapleyModel:
        full, empty = float(scores[0]), float(scores[1])
        self.figures = {"score_all": full, "score_none": empty, "undetermined": 0.0}
        rows, last = present[2:, :-1].astype(float), present[2:, -1:].astype(float)
        if rows.shape[1] == 0:
            self.coef_ = np.array([full - empty])
            return self
        root = np.sqrt(sample_weight[2:])[:, None]
        left = root * (rows - last)
        right = root[:, 0] * (scores[2:] - empty - last[:, 0] * (full - empty))
        first, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
        self.figures["undetermined"] = float(len(first) - rank)
        self.coef_ = np.append(first, full - empty - first.sum())
        return self

    def predict(self, present: Any) -> np.ndarray:
        return present @ self.coef_


def local_pictures(num_segments: Any, num_samples: int, seed: int) -> Any:
    """LIME's draws: which segments are present, int32 (samples, segments); the first has all."""
    rng = np.random.default_rng(seed)
    present = rng.integers(0, 2, (num_samples, int(num_segments[0])), dtype=np.int32)
    present[0] = 1
    return tf.constant(present)


def cosine_weights(_image: Any, present: Any, _pictures: Any, width: float = 0.25) -> Any:
    """LIME's kernel: exp(-d^2 / width^2), square-rooted, d the cosine distance to all present."""
    distance = 1 - tf.sqrt(tf.reduce_mean(tf.cast(present, tf.float32), axis=1))
    return tf.sqrt(tf.exp(-(distance**2) / width**2))


def coalitions(num_segments: Any, num_samples: int, seed: int) -> Any:
    """Kernel SHAP's draws: int32 (rows, segments); the first row has all, the second none.

    All coalitions where they fit; else sizes by the Shapley kernel, each with its complement
    (Covert & Lee 2021), which cancels the first-order error.
    """
    count = int(num_segments[0])
    ends = np.stack([np.ones(count, np.int32), np.zeros(count, np.int32)])
    if fits_all(count, num_samples):
        codes = np.arange(1, 2**count - 1)
        inner = (codes[:, None] >> np.arange(count)) & 1
        spare = np.zeros((num_samples - 2 - len(inner), count), np.int32)  # keeps the cost as told
        return tf.constant(np.concatenate([ends, inner, spare]).astype(np.int32))
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, count)
    chances = 1 / (sizes * (count - sizes))
    drawn = rng.choice(sizes, (num_samples - 1) // 2, p=chances / chances.sum())
    order = rng.random((len(drawn), count)).argsort(axis=1).argsort(axis=1)
    half = (order < drawn[:, None]).astype(np.int32)
    pairs = np.stack([half, 1 - half], axis=1).reshape(-1, count)
    return tf.constant(np.concatenate([ends, pairs])[:num_samples])


def fits_all(num_segments: int, num_samples: int) -> bool:
    """Whether every coalition of the segments can be among the samples."""
    return num_segments < 20 and 2**num_segments <= num_samples


def shapley_weights(_image: Any, present: Any, _pictures: Any, num_samples: int) -> Any:
    """Weights of the rows of `coalitions`: the Shapley kernel, or 1 where it drew the rows."""
    present = np.asarray(present)
    count, sizes = present.shape[1], present.sum(axis=1)
    if not fits_all(count, num_samples):
        return tf.ones(len(present))
    kernel = [0.0] + [(count - 1) / (comb(count, k) * k * (count - k)) for k in range(1, count)]
    return tf.constant(np.array([*kernel, 0.0])[sizes], tf.float32)


class MedianDistanceHsic(BinaryEstimator):
    """HSIC whose output kernel is as wide as the median distance between two scores."""

    def output_kernel_func(self, X: Any, Y: Any) -> Any:
        distance = np.abs(np.asarray(X) - np.asarray(Y))
        width = float(np.median(distance[~np.eye(len(distance), dtype=bool)])) or 1.0
        return tf.exp(-tf.cast(distance**2, tf.float32) / (2 * width**2))


def guided_relu(max_value: float | None = None, threshold: float = 0.0) -> Callable[[Any], Any]:
    """A ReLU that goes backwards where both the input and the gradient are positive."""
    return _relu(max_value, threshold, needs_active=True)


def deconv_relu(max_value: float | None = None, threshold: float = 0.0) -> Callable[[Any], Any]:
    """A ReLU that goes backwards where the gradient is positive."""
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
