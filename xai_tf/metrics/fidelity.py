"""Metrics that change the picture as the map says, and ask the network about it.

They are those of Xplique 2.0.2 (`xplique.metrics`), and agree with it at the same settings
(`tests/test_scoring.py`), but for what is wrong or slow in it:

| metric | Xplique 2.0.2 | here |
|---|---|---|
| all | one sigmoid is taken for a probability: that of the first class comes out negative | class probabilities, also for one logit |
| Deletion, Insertion | a pass a step, of one picture; even places of a map go by their order in memory | batches; even places go in random order |
| MuFidelity | traced anew for every picture; TensorFlow's global seed | no trace; a seed |
| AverageDrop, -Gain, -Increase | what is hidden becomes black; a map of values below 1e-8 hides all | it becomes the baseline; any scale does |
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
class Pictures:
    """Pictures that are made a batch at a time, since all of them together are too many.

    Attributes:
        count: how many.
        make: gives those of some numbers, float32 (numbers, height, width, 3).
    """

    count: int
    make: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.make(np.arange(self.count)[part])


def probability_counter(case: Case) -> PassCounter:
    """A meter whose scores are probabilities of the class explained: float64 (batch,)."""
    classifier, explanation = case.classifier, case.explanation

    def chances(images: Any, _targets: Any) -> np.ndarray:
        return chance(classifier, explanation, classifier.passes.logits(images).numpy())

    return PassCounter(replace(classifier.passes, scores=chances), case.progress)


def chance(classifier: Classifier, explanation: Explanation, logits: np.ndarray) -> np.ndarray:
    """The probability of the class explained: float64 (batch,), of logits (batch, logits).

    With a contrast it is that of the class where there are only these two.
    """
    if explanation.contrast is None:
        return probabilities(logits)[:, explanation.target]
    difference = logits @ classifier.target(explanation.target, explanation.contrast)
    return probabilities(difference[:, None])[:, 1]


def deletion(case: Case) -> Measurement:
    """The area under the probability while the strongest places become the baseline."""
    return _path(case, case.image, case.blank)


def insertion(case: Case) -> Measurement:
    """The area under the probability while the strongest places come out of the baseline."""
    return _path(case, case.blank, case.image)


def mu_fidelity(case: Case) -> Measurement:
    """The rank correlation of what is hidden of the map, and how far the probability falls."""
    from scipy.stats import rankdata

    grid, count = int(case.settings["grid"]), int(case.settings["num_samples"])
    drawn = np.random.default_rng(case.seed).random((count, grid**2))
    hidden = drawn <= case.settings["hidden"]
    cells = _cells(case.image.shape[:2], grid)

    def make(numbers: np.ndarray) -> np.ndarray:
        return np.where(hidden[numbers][:, cells][..., None], case.blank, case.image)

    # The fall from one and the same probability has the ranks of the probability, turned round.
    fall, cost = _ask(case, Pictures(count, make), -1)
    maps = case.maps().reshape(-1, cells.size).astype(np.float64)
    worth = np.stack([np.bincount(cells.ravel(), one, grid**2) for one in maps])
    ranks = rankdata(worth @ hidden.T, axis=1) - (count + 1) / 2
    fallen = rankdata(fall) - (count + 1) / 2
    size = np.linalg.norm(ranks, axis=1) * np.linalg.norm(fallen)
    return Measurement(np.divide(ranks @ fallen, size, np.zeros(len(maps)), where=size > 0), cost)


def average_drop(case: Case) -> Measurement:
    """The share of the probability that is lost where the map alone is seen."""
    before, after, cost = _seen_through(case)
    return Measurement(np.maximum(before - after, 0) / (before + EPSILON), cost)


def average_gain(case: Case) -> Measurement:
    """The share of the missing probability that is won where the map alone is seen."""
    before, after, cost = _seen_through(case)
    return Measurement(np.maximum(after - before, 0) / (1 - before + EPSILON), cost)


def average_increase(case: Case) -> Measurement:
    """1 where the probability is higher where the map alone is seen, else 0."""
    before, after, cost = _seen_through(case)
    return Measurement((after > before).astype(np.float64), cost)


def _ask(case: Case, pictures: Pictures, sign: int = 1) -> tuple[np.ndarray, Cost]:
    """Probabilities of pictures, float64 (pictures,), and what they cost."""
    pass_counter = probability_counter(case)
    chances = pass_counter.scores(None, pictures, np.zeros(len(pictures))).numpy()
    return sign * chances, pass_counter.cost


def _path(case: Case, start: np.ndarray, end: np.ndarray) -> Measurement:
    """The mean probability on the way from one picture to another, strongest places first."""
    size, steps = case.image.shape[:2], int(case.settings["steps"])
    counts = np.linspace(0, size[0] * size[1], steps + 1, dtype=np.int32)
    inner = counts[1:-1]
    rng = np.random.default_rng(case.seed)
    orders = np.stack([_order(one, rng) for one in case.maps()])
    # Both ends, which all maps share, and then the way between them for each.
    which = np.concatenate([[0, 0], np.repeat(np.arange(len(orders)), len(inner))])
    turned = np.concatenate([[0, counts[-1]], np.tile(inner, len(orders))])

    def make(numbers: np.ndarray) -> np.ndarray:
        there = orders[which[numbers]] < turned[numbers][:, None, None]
        return np.where(there[..., None], end, start)

    chances, cost = _ask(case, Pictures(len(which), make))
    between = chances[2:].reshape(len(orders), len(inner))
    first, last = (np.full((len(orders), 1), value) for value in chances[:2])
    curves = np.concatenate([first, between, last], axis=1)
    return Measurement((curves[:, :-1] + curves[:, 1:]).mean(axis=1) / 2, cost)


def _order(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The number of places that are stronger, int32 (height, width); even ones by chance."""
    order = np.empty(values.size, np.int32)
    order[np.lexsort((rng.random(values.size), -values.ravel()))] = np.arange(values.size)
    return order.reshape(values.shape)


def _cells(size: tuple[int, int], grid: int) -> np.ndarray:
    """The number of the cell each pixel lies in, (height, width): the cell of its middle."""
    rows, columns = ((2 * np.arange(side) + 1) * grid // (2 * side) for side in size)
    return rows[:, None] * grid + columns[None]


def _seen_through(case: Case) -> tuple[float, np.ndarray, Cost]:
    """The probability of the picture, and of what is seen of it through each map."""
    strength = np.abs(case.maps())
    weakest, strongest = (end(strength, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
    span = np.where(strongest > weakest, strongest - weakest, 1)
    masks = np.concatenate([np.ones_like(strength[:1]), (strength - weakest) / span])[..., None]

    def make(numbers: np.ndarray) -> np.ndarray:
        return masks[numbers] * case.image + (1 - masks[numbers]) * case.blank

    chances, cost = _ask(case, Pictures(len(masks), make))
    return float(chances[0]), chances[1:], cost
