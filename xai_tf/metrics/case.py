"""The input and the result of a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Cost, Settings
from xai_tf.attribution.random_maps import random_maps
from xai_tf.classifiers.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Case:
    """The input of a metric.

    Attributes:
        classifier: the classifier that was explained.
        explanation: the explanation to evaluate.
        settings: all settings of the metric.
        seed: random seed of the metric.
        progress: called with the passes done so far; may raise to stop the work.
    """

    classifier: Classifier
    explanation: Explanation
    settings: Settings
    seed: int
    progress: Callable[[int], None]

    @property
    def image(self) -> np.ndarray:
        """The image that was explained: float32 (height, width, 3)."""
        return self.explanation.sample.image

    @property
    def blank(self) -> np.ndarray:
        """The baseline image: constant, of the image's shape."""
        return np.full_like(self.image, self.settings["baseline"])

    def maps(self) -> np.ndarray:
        """The map followed by the random maps: float32 (1 + num_random, height, width)."""
        own = self.explanation.attribution
        return np.stack([own, *random_maps(own, int(self.settings["num_random"]), self.seed)])


@dataclass(frozen=True, eq=False)
class Measurement:
    """The result of a metric.

    Attributes:
        values: float64 array: the value of the map, followed by those of the random maps if any.
        cost: the passes it took.
        note: why there is no value (NaN), where the metric knows the reason; else empty.
    """

    values: np.ndarray
    cost: Cost
    note: str = ""
