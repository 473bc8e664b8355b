"""LIME and Kernel SHAP: a value for each segment, from images with some segments masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from xplique.attributions.base import BlackBoxExplainer

from xai_tf.attribution.corrections.coalitions import (
    MAX_PLAYERS,
    CoalitionPairs,
    all_coalitions,
    can_enumerate,
    hadamard_rows,
    shapley_weights,
)
from xai_tf.attribution.corrections.sampled import GROUPS, Scored, State, nearly_constant
from xai_tf.attribution.corrections.shapley import PairedShapley, neighboring_triples
from xai_tf.attribution.pass_counter import FORWARD_BATCH

PREVIEW_SAMPLES = 4  # per segment, before the linear model so far is shown
FIT_SAMPLES = 2  # per segment, before a part of the samples is fitted, or R2 is computed
KERNEL_WIDTH = 0.25
FULL = 512  # up to so many coalitions, a run until stable takes all of them


class LocalModel(Ridge):
    """LIME's linear model, with its R2 on the weighted samples it was fitted to.

    R2 is left out where it says nothing: with about as many weights as samples any model fits, and
    constant scores leave nothing to fit.
    """

    figures: dict[str, float]

    def fit(self, present: Any, scores: Any, sample_weight: Any = None) -> LocalModel:
        """Fit the scores (samples,) by the segments present, int (samples, segments)."""
        super().fit(present, scores, sample_weight)
        enough = len(present) >= FIT_SAMPLES * present.shape[1] and not nearly_constant(scores)
        self.figures = {"r2": float(self.score(present, scores, sample_weight))} if enough else {}
        return self


class ExactShapley:
    """Weighted least squares whose weights sum to the score of all minus the score of none.

    For all coalitions, or those that have been enumerated so far. The first two rows are the full
    image and the empty one, which are fitted exactly.
    """

    coef_: np.ndarray
    figures: dict[str, float]

    def fit(self, present: Any, scores: Any, sample_weight: Any) -> ExactShapley:
        """Fit the scores (samples,) by the segments present, int (samples, segments)."""
        full, empty = float(scores[0]), float(scores[1])
        self.figures = {"score_all": full, "score_none": empty, "undetermined": 0.0}
        rows, last = present[2:, :-1].astype(float), present[2:, -1:].astype(float)
        if rows.shape[1] == 0:
            self.coef_ = np.array([full - empty])
            return self
        root = np.sqrt(sample_weight[2:])[:, None]
        left = root * (rows - last)
        right = root[:, 0] * (scores[2:] - empty - last[:, 0] * (full - empty))
        # The normal equations have the same solution, at a cost independent of the samples.
        first, _, rank, _ = np.linalg.lstsq(left.T @ left, left.T @ right, rcond=None)
        self.figures["undetermined"] = float(len(first) - rank)
        self.coef_ = np.append(first, full - empty - first.sum())
        return self

    def predict(self, present: Any) -> np.ndarray:
        """The fitted change of the score: float (samples,)."""
        return present @ self.coef_


class _Surrogate(Scored, BlackBoxExplainer):
    """A linear model of the score, by the segments that are present.

    Attributes:
        interpretable_model: the model of all samples, set by `value`.
    """

    interpretable_model: LocalModel | ExactShapley | PairedShapley

    def __init__(
        self, model: Any, seed: int, segments: np.ndarray, nb_samples: int, baseline: float
    ) -> None:
        super().__init__(model, FORWARD_BATCH)
        self._seed, self._segments, self._baseline = seed, segments, np.float32(baseline)
        self.nb_samples, self.count = nb_samples, int(segments.max()) + 1

    def value(self, part: Sequence[int] | None = None) -> Any:
        chosen = self._of(part)
        if part and chosen.sum() < FIT_SAMPLES * self.count:
            return None
        present, scores = self._present[chosen], self._scores[chosen]
        model = self._fitted(present, scores)
        if part is None:
            self.interpretable_model = model
        elif model.figures.get("undetermined"):
            return None
        return model.coef_.astype(np.float32)[self._segments][..., None]

    def so_far(self) -> Any:
        """The map, once the samples determine it."""
        if self._few:
            return None
        values = self.value()
        return None if self.interpretable_model.figures.get("undetermined") else values

    @property
    def _few(self) -> bool:
        return self.taken < PREVIEW_SAMPLES * self.count

    def _empty(self) -> None:
        self._present = np.zeros((0, self.count), np.int32)

    def _images(self, drawn: np.ndarray) -> np.ndarray:
        shown = drawn.astype(bool)[:, self._segments, None]
        return np.where(shown, self._image, self._baseline)

    def _add(self, drawn: np.ndarray, scores: np.ndarray) -> None:
        self._present = np.concatenate([self._present, drawn])

    def _fitted(self, present: np.ndarray, scores: np.ndarray) -> Any:
        """The model of some samples: their segments, int (samples, segments), and scores."""
        raise NotImplementedError


class Lime(_Surrogate):
    """LIME with a seed, the segments of Kernel SHAP, the paper's kernel and balanced samples."""

    def _fitted(self, present: np.ndarray, scores: np.ndarray) -> LocalModel:
        return LocalModel().fit(present, scores, cosine_weights(present))

    def _of(self, part: Sequence[int] | None) -> np.ndarray:
        return pairs_of(self.taken, part)

    def _draw(self, _rng: np.random.Generator, part: slice) -> np.ndarray:
        first = self.taken - self.taken % self.block
        present = hadamard_rows(self.count, first, self.block, self._seed)
        if first == 0:
            present[0] = 1
        return present[part]


class KernelShap(_Surrogate):
    """Kernel SHAP with a seed, balanced pairs of coalitions, and a fit that adds up.

    It is exact where `nb_samples` is large enough for all coalitions.
    """

    def begin(self, image: Any, target: Any, state: State | None = None) -> None:
        """Start on an image, or continue; it starts over where it enumerates coalitions now."""
        self.exact = can_enumerate(self.count, self.nb_samples)
        if state and can_enumerate(self.count, len(state["scores"])) != self.exact:
            state = None  # the draws so far are not the first ones of an enumeration
        if not self.exact:
            self._stream = CoalitionPairs(self.count, self._seed)
            self._triples = neighboring_triples(self._segments)
        super().begin(image, target, state)

    def at_most(self, limit: int) -> int:
        """All coalitions where they are few, else fewer than all, so that the run can continue."""
        if can_enumerate(self.count, min(limit, FULL)):
            return max(2**self.count, 2)
        return min(limit, 2**self.count - 1) if self.count < MAX_PLAYERS else limit

    def _fitted(self, present: np.ndarray, scores: np.ndarray) -> ExactShapley | PairedShapley:
        if self.exact:
            return ExactShapley().fit(present, scores, shapley_weights(present))
        return PairedShapley(self._triples).fit(present, scores)

    def _of(self, part: Sequence[int] | None) -> np.ndarray:
        """Which samples belong to some groups; all and none are in every group."""
        return pairs_of(self.taken, part) | (np.arange(self.taken) < 2)

    def _draw(self, _rng: np.random.Generator, part: slice) -> np.ndarray:
        first = self.taken - self.taken % self.block
        if self.exact:
            return all_coalitions(self.count, first, self.block)[part]
        return self._stream.rows(first + part.start, part.stop - part.start)


def pairs_of(taken: int, part: Sequence[int] | None) -> np.ndarray:
    """Which samples belong to some groups, where pairs stay together: bool (taken,)."""
    return np.isin(np.arange(taken) // 2 % GROUPS, part or range(GROUPS))


def cosine_weights(present: np.ndarray) -> np.ndarray:
    """LIME's kernel: the root of exp(-d^2 / width^2), d the cosine distance to all present."""
    distance = 1 - np.sqrt(present.mean(axis=1, dtype=np.float32))
    return np.sqrt(np.exp(-(distance**2) / KERNEL_WIDTH**2))
