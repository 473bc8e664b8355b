"""Fidelity metrics: mask the image by the map, and measure how the prediction changes.

They follow Xplique 2.0.2 (`xplique.metrics`) and agree with it at the same settings
(`tests/metrics/test_metrics.py`), except where it is wrong or slow:

| metric | Xplique 2.0.2 | here |
|---|---|---|
| all | a single logit gives a negative value for the first class | class probabilities, also for one logit |
| Deletion, Insertion | one pass per step, one image at a time; ties are ordered by position | batches; ties are ordered at random |
| MuFidelity | traced again for every image; TensorFlow's global seed | no tracing; a seed |
| AverageDrop, -Gain, -Increase | masked pixels become black; a map of values below 1e-8 masks everything | masked pixels take the baseline; the scale of the map does not matter |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Cost
from xai_tf.attribution.pass_counter import PassCounter
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import probabilities
from xai_tf.metrics.case import Case, Measurement

EPSILON = 1e-8  # Xplique's


@dataclass(frozen=True)
class LazyImages:
    """Images created one batch at a time, because all of them would not fit in memory.

    Attributes:
        count: number of images.
        make: creates the images of some indices, float32 (indices, height, width, 3).
    """

    count: int
    make: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.make(np.arange(self.count)[part])


def probability_counter(case: Case) -> PassCounter:
    """A pass counter whose scores are probabilities of the class explained: float64 (batch,)."""
    classifier, explanation = case.classifier, case.explanation

    def scores(images: Any, _targets: Any) -> np.ndarray:
        logits = classifier.passes.logits(images).numpy()
        return target_probability(classifier, explanation, logits)

    return PassCounter(replace(classifier.passes, scores=scores), case.progress)


def target_probability(
    classifier: Classifier, explanation: Explanation, logits: np.ndarray
) -> np.ndarray:
    """The probability of the class explained: float64 (batch,), of logits (batch, logits).

    With a contrast, it is the probability among the two classes alone.
    """
    if explanation.contrast is None:
        return classifier.probabilities(logits)[:, explanation.target]
    difference = logits @ classifier.target(explanation.target, explanation.contrast)
    return probabilities(difference[:, None])[:, 1]


def deletion(case: Case) -> Measurement:
    """The area under the probability curve as pixels are masked, strongest first."""
    return _path(case, case.image, case.blank)


def insertion(case: Case) -> Measurement:
    """The area under the probability curve as pixels are unmasked, strongest first."""
    return _path(case, case.blank, case.image)


def mu_fidelity(case: Case) -> Measurement:
    """The rank correlation of the masked part of the map and the drop of the probability."""
    from scipy.stats import rankdata

    grid, count = int(case.settings["grid"]), int(case.settings["num_samples"])
    drawn = np.random.default_rng(case.seed).random((count, grid**2))
    hidden = drawn <= float(case.settings["hidden"])
    cells = _cells(case.image.shape[:2], grid)

    def make(indices: np.ndarray) -> np.ndarray:
        return np.where(hidden[indices][:, cells][..., None], case.blank, case.image)

    # Ranks of the drop are those of the negative probability, since all drop from the same value.
    drop, cost = _probabilities(case, LazyImages(count, make), -1)
    maps = case.maps().reshape(-1, cells.size).astype(np.float64)
    cell_sums = np.stack([np.bincount(cells.ravel(), one, grid**2) for one in maps])
    ranks = rankdata(cell_sums @ hidden.T, axis=1) - (count + 1) / 2
    drop_ranks = rankdata(drop) - (count + 1) / 2
    size = np.linalg.norm(ranks, axis=1) * np.linalg.norm(drop_ranks)
    correlations = np.divide(ranks @ drop_ranks, size, np.zeros(len(maps)), where=size > 0)
    return Measurement(correlations, cost)


def average_drop(case: Case) -> Measurement:
    """The share of the probability that is lost when only the map's part of the image is shown."""
    before, after, cost = _through_map(case)
    return Measurement(np.maximum(before - after, 0) / (before + EPSILON), cost)


def average_gain(case: Case) -> Measurement:
    """The share of the missing probability gained when only the map's part is shown."""
    before, after, cost = _through_map(case)
    return Measurement(np.maximum(after - before, 0) / (1 - before + EPSILON), cost)


def average_increase(case: Case) -> Measurement:
    """1 if the probability is higher when only the map's part is shown, else 0."""
    before, after, cost = _through_map(case)
    return Measurement((after > before).astype(np.float64), cost)


def _probabilities(case: Case, images: LazyImages, sign: int = 1) -> tuple[np.ndarray, Cost]:
    """Probabilities of images, float64 (images,), and their cost."""
    pass_counter = probability_counter(case)
    scores = pass_counter.scores(None, images, np.zeros(len(images))).numpy()
    return sign * scores, pass_counter.cost


def _path(case: Case, start: np.ndarray, end: np.ndarray) -> Measurement:
    """The mean probability as one image turns into another, strongest pixels first."""
    size, steps = case.image.shape[:2], int(case.settings["steps"])
    counts = np.linspace(0, size[0] * size[1], steps + 1, dtype=np.int32)
    inner = counts[1:-1]
    rng = np.random.default_rng(case.seed)
    orders = np.stack([_order(one, rng) for one in case.maps()])
    # Both ends, which all maps share, followed by the steps in between for each map.
    which = np.concatenate([[0, 0], np.repeat(np.arange(len(orders)), len(inner))])
    changed = np.concatenate([[0, counts[-1]], np.tile(inner, len(orders))])

    def make(indices: np.ndarray) -> np.ndarray:
        is_changed = orders[which[indices]] < changed[indices][:, None, None]
        return np.where(is_changed[..., None], end, start)

    scores, cost = _probabilities(case, LazyImages(len(which), make))
    between = scores[2:].reshape(len(orders), len(inner))
    first, last = (np.full((len(orders), 1), value) for value in scores[:2])
    curves = np.concatenate([first, between, last], axis=1)
    return Measurement((curves[:, :-1] + curves[:, 1:]).mean(axis=1) / 2, cost)


def _order(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The number of stronger pixels, int32 (height, width); ties are broken at random."""
    order = np.empty(values.size, np.int32)
    order[np.lexsort((rng.random(values.size), -values.ravel()))] = np.arange(values.size)
    return order.reshape(values.shape)


def _cells(size: tuple[int, int], grid: int) -> np.ndarray:
    """The index of the cell that contains the center of each pixel: int (height, width)."""
    rows, columns = ((2 * np.arange(side) + 1) * grid // (2 * side) for side in size)
    return rows[:, None] * grid + columns[None]


def _through_map(case: Case) -> tuple[float, np.ndarray, Cost]:
    """The probability of the image, and of the image masked by each map."""
    strength = np.abs(case.maps())
    weakest, strongest = (end(strength, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
    span = np.where(strongest > weakest, strongest - weakest, 1)
    masks = np.concatenate([np.ones_like(strength[:1]), (strength - weakest) / span])[..., None]

    def make(indices: np.ndarray) -> np.ndarray:
        return masks[indices] * case.image + (1 - masks[indices]) * case.blank

    scores, cost = _probabilities(case, LazyImages(len(masks), make))
    return float(scores[0]), scores[1:], cost
