"""Sampling methods that can be continued: SmoothGrad, SquareGrad, VarGrad and RISE.

LIME and Kernel SHAP, which also sample, are in `segments.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from xplique import attributions as xplique
from xplique.attributions.base import sanitize_input_output
from xplique.attributions.gradient_statistics.gradient_statistic import GradientStatistic

from xai_tf.attribution.pass_counter import FORWARD_BATCH, GRADIENT_BATCH

GROUPS = 4  # of samples, whose maps are compared to estimate stability

State = Mapping[str, np.ndarray]


def no_preview(_estimate: Callable[..., Any], *_arguments: Any) -> None:
    """Show no previews; stands in for `xai_tf.attribution.previews.Previews`."""


def nearly_constant(scores: np.ndarray) -> bool:
    """Whether scores, float (samples,), are equal up to rounding."""
    return bool(np.ptp(scores) <= 1e-6 * np.abs(scores).max())


class Sampled:
    """An explainer that takes its samples block by block, and can be continued.

    The draws of a block depend only on the seed and the number of the block, so a run of 256
    samples continued by 256 equals a run of 512. Samples are assigned to groups in turn, so that
    maps of parts of the samples can be computed.

    Attributes:
        block: samples in a block, which is one batch of passes.
        nb_samples: number of samples to take in total.
        taken: number of samples taken so far.
        exact: whether the result does not depend on random draws.
    """

    block = FORWARD_BATCH
    exact = False
    preview = staticmethod(no_preview)
    nb_samples: int
    taken: int
    _seed: int

    @sanitize_input_output
    def explain(self, inputs: Any, targets: Any = None) -> Any:
        """Maps of images: float32 tensor of shape (batch, height, width, 1)."""
        maps = []
        for image, target in zip(inputs, targets, strict=True):
            self.begin(image, target)
            while self.taken < self.nb_samples:
                self.take()
                self.preview(self.so_far)
            maps.append(self.value())
        return tf.stack(maps)

    def begin(self, image: Any, target: Any, state: State | None = None) -> None:
        """Start on an image, or continue from the `state` of an earlier run on it.

        Args:
            image: float32 (height, width, 3).
            target: the weights of the logits.
            state: arrays by name, from `state()`.
        """
        self._image, self._target = np.asarray(image), tf.convert_to_tensor(target)[None]
        self.taken = 0
        self._reset(state)

    def take(self) -> None:
        """Take the next block, or the rest of it, and run its passes."""
        raise NotImplementedError

    def value(self, part: Sequence[int] | None = None) -> Any:
        """The map of the samples so far, (height, width, 1), or of some groups of them.

        None where there are too few samples.
        """
        raise NotImplementedError

    def so_far(self) -> Any:
        """The map to show as a preview, or None."""
        return self.value()

    def state(self) -> dict[str, np.ndarray]:
        """What `begin` needs to continue the run: arrays by name."""
        raise NotImplementedError

    def at_most(self, limit: int) -> int:
        """The number of useful samples, at most `limit`."""
        return limit

    @property
    def silent(self) -> bool:
        """Whether the output of the network was the same for all samples."""
        raise NotImplementedError

    def _reset(self, state: State | None) -> None:
        raise NotImplementedError

    def _next(self) -> tuple[np.random.Generator, slice]:
        """The random generator of the next block, and which of its samples to take."""
        number, start = divmod(self.taken, self.block)
        stop = min(self.block, start + self.nb_samples - self.taken)
        return np.random.default_rng((self._seed, number)), slice(start, stop)

    def _of(self, part: Sequence[int] | None) -> np.ndarray:
        """Which of the samples belong to some groups: bool (samples,)."""
        return np.isin(np.arange(self.taken) % GROUPS, part or range(GROUPS))

    def _targets(self, count: int) -> Any:
        return tf.repeat(self._target, count, axis=0)


class _SampledStatistic(Sampled, GradientStatistic):
    """A statistic of gradients over noisy copies, from sums over them.

    The sums are the same for all statistics, so that one can go on from the state of another.
    """

    block = GRADIENT_BATCH

    def __init__(self, model: Any, seed: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._seed = seed

    def take(self) -> None:
        rng, part = self._next()
        noise = rng.normal(0, self.noise, (self.block, *self._image.shape))
        copies = noise.astype(np.float32)[part]
        copies += self._image
        gradients = self.batch_gradient(self.model, copies, self._targets(len(copies)))
        gradients = np.asarray(gradients)
        squares = self._summed(gradients**2).mean(axis=-1, keepdims=True)
        self._sums += np.concatenate([self._summed(gradients), squares], axis=-1)
        self.taken += len(copies)

    def value(self, part: Sequence[int] | None = None) -> Any:
        count = int(self._of(part).sum())
        sums = self._sums[list(part or range(GROUPS))].sum(axis=0)
        return self._statistic(sums, count)[..., None] if count > 1 else None

    def state(self) -> dict[str, np.ndarray]:
        return {"sums": self._sums.copy(), "taken": np.array(self.taken)}

    @property
    def silent(self) -> bool:
        return not self._sums.any()

    def _initialize_online_statistic(self) -> None:
        """Does nothing: Xplique's own sums are not used, ours are by group."""

    def _reset(self, state: State | None) -> None:
        # By group and pixel: the sum of the gradient of each channel, and of their mean square.
        self._sums = np.zeros((GROUPS, *self._image.shape[:2], 4), np.float32)
        if state and state["sums"].shape == self._sums.shape:
            self._sums, self.taken = state["sums"].copy(), int(state["taken"])

    def _statistic(self, sums: np.ndarray, count: int) -> np.ndarray:
        """The map of some sums, float32 (height, width, 4), over so many copies."""
        raise NotImplementedError

    def _summed(self, values: np.ndarray) -> np.ndarray:
        """The sums of the values of each group: (groups, height, width, 3)."""
        firsts = ((group - self.taken) % GROUPS for group in range(GROUPS))
        return np.stack([values[first::GROUPS].sum(axis=0) for first in firsts])


class SmoothGrad(_SampledStatistic, xplique.SmoothGrad):
    """SmoothGrad with a seed."""

    def _statistic(self, sums: np.ndarray, count: int) -> np.ndarray:
        return sums[..., :-1].mean(axis=-1) / count


class SquareGrad(_SampledStatistic, xplique.SquareGrad):
    """SquareGrad with a seed."""

    def _statistic(self, sums: np.ndarray, count: int) -> np.ndarray:
        return sums[..., -1] / count


class VarGrad(_SampledStatistic, xplique.VarGrad):
    """VarGrad with a seed."""

    def _statistic(self, sums: np.ndarray, count: int) -> np.ndarray:
        means = sums / count
        spread = means[..., -1] - (means[..., :-1] ** 2).mean(axis=-1)
        return count / (count - 1) * spread


class Scored(Sampled):
    """A sampled explainer whose state is its scores: draws are reproduced from the seed."""

    model: Any
    inference_function: Any
    _scores: np.ndarray

    def take(self) -> None:
        """Take the next block, or the rest of it, and run its passes."""
        drawn = self._draw(*self._next())
        images = self._images(drawn)
        scores = self.inference_function(self.model, images, self._targets(len(images)))
        self._take(drawn, np.asarray(scores))

    def state(self) -> dict[str, np.ndarray]:
        """What `begin` needs to continue the run: the scores so far."""
        return {"scores": self._scores.copy()}

    @property
    def silent(self) -> bool:
        """Whether all samples have the same score."""
        return nearly_constant(self._scores)

    def _reset(self, state: State | None) -> None:
        self._scores = np.zeros(0, np.float32)
        self._empty()
        scores = state["scores"] if state else self._scores
        while self.taken < min(len(scores), self.nb_samples):
            drawn = self._draw(*self._next())
            drawn = drawn[: len(scores) - self.taken]
            self._take(drawn, scores[self.taken : self.taken + len(drawn)])

    def _take(self, drawn: np.ndarray, scores: np.ndarray) -> None:
        self._add(drawn, scores)
        self._scores = np.concatenate([self._scores, scores])
        self.taken += len(drawn)

    def _empty(self) -> None:
        """Discard everything added so far."""
        raise NotImplementedError

    def _draw(self, rng: np.random.Generator, part: slice) -> np.ndarray:
        """Some samples of a block; always draws the whole block, to be reproducible."""
        raise NotImplementedError

    def _images(self, drawn: np.ndarray) -> Any:
        """The inputs of the network: float32 (samples, height, width, 3)."""
        raise NotImplementedError

    def _add(self, drawn: np.ndarray, scores: np.ndarray) -> None:
        raise NotImplementedError


class Rise(Scored, xplique.Rise):
    """RISE with a seed, one shift per mask, and zero where there is no effect."""

    def __init__(self, model: Any, seed: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._seed = seed

    def value(self, part: Sequence[int] | None = None) -> Any:
        """The map of the samples so far or of some groups of them, (height, width, 1)."""
        weighted, shown = self._sums[list(part or range(GROUPS))].sum(axis=0)
        scores = self._scores[self._of(part)]
        if not len(scores):
            return None
        return (weighted / (shown + self.EPSILON) - scores.mean())[..., None]

    def _empty(self) -> None:
        self._sums = np.zeros((GROUPS, 2, *self._image.shape[:2]), np.float32)

    def _draw(self, rng: np.random.Generator, part: slice) -> np.ndarray:
        return self._masks(rng, self.block, self._image.shape[:2])[part]

    def _images(self, drawn: np.ndarray) -> Any:
        shade = np.float32(self.mask_value)
        return tf.constant(drawn) * (self._image - shade) + shade

    def _add(self, drawn: np.ndarray, scores: np.ndarray) -> None:
        numbers = (self.taken + np.arange(len(drawn))) % GROUPS
        mine = numbers == np.arange(GROUPS)[:, None]
        weights = np.stack([mine * scores, mine], axis=1).reshape(-1, len(drawn))
        weights = weights.astype(np.float32)
        self._sums += (weights @ drawn.reshape(len(drawn), -1)).reshape(self._sums.shape)

    def _masks(self, rng: np.random.Generator, count: int, size: tuple[int, int]) -> Any:
        """Random grids, enlarged to one cell more than the image and cropped at a random offset."""
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
