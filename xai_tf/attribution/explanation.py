"""Explain a prediction: from a sample and a classifier to a map of what decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.methods import Cost, Method
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.inputs.sample import Sample

Progress = Callable[[int, int], None]
Partial = Callable[[np.ndarray], None]

ALL_LAYERS = "all"


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a classifier says what it says of one sample, by one method.

    Attributes:
        sample: what was explained.
        prediction: what the classifier says of it.
        method: an entry of `METHODS`.
        attribution: float32 array of shape (height, width): for a signed method what speaks for
            the class (positive) and against it (negative), else how much a place matters. In the
            method's own unit, never scaled.
        target: the index of the class explained.
        contrast: the index of the class it is held against, or None.
        settings: all settings of the method.
        seed: of its random draws; None for a method that draws none.
        layer: the feature layer it looked at, or None.
        cost: the passes it ran through the network.
        seconds: how long it took.
        segments: int32 array of shape (height, width), the number of each pixel's segment, or None.
        segment_weights: float32 array of shape (segments,), or None.
        figures: what the method says of itself. `completeness_gap` (Integrated Gradients, the
            share of the score's change that the map misses), `r2` (LIME; left out below two samples
            a segment, and where the network answers all alike), `score_all` and `score_none`
            (Kernel SHAP, whose weights add up to their difference) and `undetermined` (its weights
            that the samples say nothing of); of all that sample, `samples` and `stability` (see
            `xai_tf.attribution.convergence`; left out where it cannot be told).
        warnings: what a person should know before trusting the map, a sentence each.
        convergence: how the map settled, for a method that samples; else None.
    """

    sample: Sample
    prediction: Prediction
    method: Method
    attribution: np.ndarray
    target: int
    contrast: int | None
    settings: Mapping[str, float]
    seed: int | None
    layer: str | None
    cost: Cost
    seconds: float
    segments: np.ndarray | None = None
    segment_weights: np.ndarray | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    convergence: Convergence | None = None

    @property
    def target_name(self) -> str:
        """The class explained, and the one it is held against."""
        name = self.prediction.classes[self.target]
        if self.contrast is None:
            return name
        return f"{name} rather than {self.prediction.classes[self.contrast]}"


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be run.

    Attributes:
        weights: of the logits; float32 of shape (logits,).
        resume_from: what is gone on from, or None.

    The others are those of an `Explanation` and of `explain`.
    """

    classifier: Classifier
    sample: Sample
    prediction: Prediction
    method: Method
    target: int
    contrast: int | None
    weights: np.ndarray
    layers: tuple[str | None, ...] = (None,)
    seed: int = 0
    settings: Mapping[str, float] = field(default_factory=dict)
    until_stable: float | None = None
    resume_from: Explanation | None = None
