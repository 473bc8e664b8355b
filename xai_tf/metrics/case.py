"""What a metric judges, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Cost, Settings
from xai_tf.classifiers.classifier import Classifier
from xai_tf.metrics.baselines import random_maps


@dataclass(frozen=True, eq=False)
class Case:
    """An explanation before a metric.

    Attributes:
        classifier: what was explained.
        explanation: what is judged.
        settings: all settings of the metric.
        seed: of its random draws.
        progress: called with the passes done so far; may raise to stop the work.
    """

    classifier: Classifier
    explanation: Explanation
    settings: Settings
    seed: int
    progress: Callable[[int], None]

    @property
    def image(self) -> np.ndarray:
        """Float32 (height, width, 3)."""
        return self.explanation.sample.image

    @property
    def blank(self) -> np.ndarray:
        """The picture with nothing on it, of the image's shape."""
        return np.full_like(self.image, self.settings["baseline"])

    def maps(self) -> np.ndarray:
        """The map, and after it the random ones: float32 (1 + num_random, height, width)."""
        own = self.explanation.attribution
        return np.stack([own, *random_maps(own, int(self.settings["num_random"]), self.seed)])


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a metric found.

    Attributes:
        values: float64 array: of the map, and after it of the random ones, if there are any.
        cost: the passes it took.
        note: why there is no value (NaN), where the metric knows it; else empty.
    """

    values: np.ndarray
    cost: Cost
    note: str = ""
