"""Integrated Gradients whose steps stand where the score changes, and their squares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from xplique.attributions.base import WhiteBoxExplainer, sanitize_input_output

from xai_tf.attribution.baselines import baseline_images, blurred
from xai_tf.attribution.corrections.sampled import no_preview
from xai_tf.attribution.methods import MAX_GAP, MAX_STEPS, MIN_STEPS
from xai_tf.attribution.pass_counter import GRADIENT_BATCH, PassCounter

FIRST_STEPS = 32  # equally far apart, before more are placed between them
CHECKS = 2  # in a row that must find the gap small, because one may do so by chance


class IntegratedGradients(WhiteBoxExplainer):
    """The gradient along the path from a baseline to the image, by the trapezoidal rule.

    On a network of ReLUs the gradient jumps along the path, so equal steps miss much of the score's
    change, whatever the rule. A pass gives the score at its point too, and so what the rule misses
    between two points: the intervals that miss most are halved, until the whole adds up.

    Args:
        model: the Keras model.
        pass_counter: runs and counts the passes.
        steps: number of points, equally far apart; 0 places them as described.
        baseline: the value in [0, 1] of all pixels of the baseline image, or a name in `BASELINES`.
            The map of several is the mean of their maps, each with steps of its own.

    Attributes:
        figures: of the latest image, see `Explanation.figures`.
    """

    preview = staticmethod(no_preview)
    figures: dict[str, float]

    def __init__(
        self, model: Any, pass_counter: PassCounter, steps: int, baseline: float | str
    ) -> None:
        super().__init__(model)
        self._pass_counter, self._steps, self._baseline = pass_counter, steps, baseline

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        maps = [self._map(*one) for one in zip(np.asarray(inputs), targets, strict=True)]
        return tf.stack(maps)[..., None]

    def _map(self, image: np.ndarray, target: Any) -> np.ndarray:
        paths = [_Path(image, one) for one in baseline_images(self._baseline, image)]
        for number, path in enumerate(paths, start=1):
            self._follow(path, target, partial(_mean_map, paths[:number]))
        self.figures = _figures(paths)
        return _mean_map(paths)

    def _follow(self, path: _Path, target: Any, so_far: Callable[[], np.ndarray]) -> None:
        """Take points of a path until it adds up; `so_far` is the map to preview."""
        self._take(path, np.linspace(0, 1, self._steps or FIRST_STEPS), target, so_far)
        small = 0
        while not self._steps and len(path.points) < MAX_STEPS:
            small = small + 1 if path.gap <= MAX_GAP else 0
            if small >= CHECKS and len(path.points) >= MIN_STEPS:
                break
            room = min(GRADIENT_BATCH, MAX_STEPS - len(path.points))
            self._take(path, path.worst_middles(room), target, so_far)

    def _take(
        self, path: _Path, points: np.ndarray, target: Any, so_far: Callable[[], np.ndarray]
    ) -> None:
        """Run the passes at points of the path, in batches."""
        for start in range(0, len(points), GRADIENT_BATCH):
            batch = points[start : start + GRADIENT_BATCH]
            targets = tf.repeat(target[None], len(batch), axis=0)
            path.add(batch, *self._pass_counter.scores_and_gradients(path.images(batch), targets))
            self.preview(so_far)


class SquaredIntegratedGradients(WhiteBoxExplainer):
    """The squares of what Integrated Gradients adds up, from a blurred image to the image.

    On the way, contributions of opposite sign cancel out in a sum. Their squares (as Hooker et al.
    2019, arXiv:1806.10758, square the gradients of noisy copies) keep those that are large: where
    the score is decided, whatever the sign. The path starts at the image itself, blurred, so a flat
    area gets nothing, whatever its color.

    Args:
        model: the Keras model.
        steps: number of points, in the middles of as many equal parts of the path.
        blur: standard deviation of the blur, as a share of the shorter side.
        smooth: that of the smoothing of the map, as a share of the shorter side.
    """

    preview = staticmethod(no_preview)

    def __init__(self, model: Any, steps: int, blur: float, smooth: float) -> None:
        super().__init__(model)
        self._steps, self._blur, self._smooth = steps, blur, smooth

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        maps = [self._map(*one) for one in zip(np.asarray(inputs), targets, strict=True)]
        return tf.stack(maps)[..., None]

    def _map(self, image: np.ndarray, target: Any) -> np.ndarray:
        start = blurred(image, self._blur)
        difference = image - start
        points = ((np.arange(self._steps) + 0.5) / self._steps).astype(np.float32)
        total = np.zeros(image.shape[:2], np.float32)
        for first in range(0, self._steps, GRADIENT_BATCH):
            batch = points[first : first + GRADIENT_BATCH, None, None, None]
            targets = tf.repeat(target[None], len(batch), axis=0)
            gradients = self.batch_gradient(self.model, start + batch * difference, targets)
            total += ((np.asarray(gradients) * difference) ** 2).sum(axis=(0, 3))
            self.preview(self._smoothed, total / (first + len(batch)))
        return self._smoothed(total / self._steps)

    def _smoothed(self, squares: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(squares, self._smooth * min(squares.shape), mode="nearest")


def _mean_map(paths: Sequence[_Path]) -> np.ndarray:
    return np.mean([path.map() for path in paths], axis=0)


def _figures(paths: Sequence[_Path]) -> dict[str, float]:
    """How far the map adds up; see `Explanation.figures`.

    Each path has a gap of its own, and the largest is told: errors of opposite signs would cancel
    in the mean of the maps.
    """
    starts, ends = zip(*(path.ends for path in paths), strict=True)
    return {
        "completeness_gap": max(path.gap for path in paths),
        "score": ends[0],
        "score_baseline": float(np.mean(starts)),
        "steps_taken": float(sum(len(path.points) for path in paths)),
    }


class _Path:
    """The points of a path that are known so far.

    Attributes:
        points: from 0 (the baseline) to 1 (the image), in any order.
    """

    def __init__(self, image: np.ndarray, baseline: np.ndarray) -> None:
        self._baseline, self._difference = baseline, image - baseline
        self.points: list[float] = []
        self._scores: list[float] = []
        self._slopes: list[float] = []  # of the score along the path: the sum of each map
        self._maps: list[np.ndarray] = []

    def images(self, points: np.ndarray) -> np.ndarray:
        """The images at points: float32 (points, height, width, 3)."""
        return self._baseline + points.astype(np.float32)[:, None, None, None] * self._difference

    def add(self, points: np.ndarray, scores: Any, gradients: Any) -> None:
        """Add points with their scores and gradients."""
        # Summed over the channels, because completeness holds for the sum of all values.
        maps = np.einsum("nhwc,hwc->nhw", gradients, self._difference)
        self.points += points.tolist()
        self._scores += np.asarray(scores, np.float64).tolist()
        self._slopes += maps.sum(axis=(1, 2), dtype=np.float64).tolist()
        self._maps += list(maps)

    def map(self) -> np.ndarray:
        """The map so far, (height, width); the part of the path that is known stands for all."""
        order = np.argsort(self.points)
        widths = np.diff(np.array(self.points)[order])
        weights = (np.append(widths, 0) + np.append(0, widths)) / 2 / widths.sum()
        total = np.zeros_like(self._maps[0])
        for weight, number in zip(weights.astype(np.float32), order, strict=True):
            total += weight * self._maps[number]
        return total

    @property
    def ends(self) -> tuple[float, float]:
        """The scores of the baseline and of the image."""
        return self._scores[self.points.index(0.0)], self._scores[self.points.index(1.0)]

    @property
    def gap(self) -> float:
        """What the map misses of the score's change, as a share of it."""
        start, end = self.ends
        return abs(float(self._intervals()[2].sum())) / max(abs(end - start), 1e-6)

    def worst_middles(self, count: int) -> np.ndarray:
        """The middles of the intervals where the rule misses most of the score's change."""
        starts, ends, errors = self._intervals()
        worst = np.argsort(-np.abs(errors), kind="stable")[:count]
        return np.sort((starts[worst] + ends[worst]) / 2)

    def _intervals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, end and error of each interval: the rule's change of the score less the true."""
        order = np.argsort(self.points)
        points, scores, slopes = (
            np.array(values)[order] for values in (self.points, self._scores, self._slopes)
        )
        rule = np.diff(points) * (slopes[1:] + slopes[:-1]) / 2
        return points[:-1], points[1:], rule - np.diff(scores)
