"""The record of an explanation, and what is to be run for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.methods import METHODS, Cost, Method, Value
from xai_tf.attribution.question import Question
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress as Progress

Preview = Callable[[np.ndarray], None]

ALL_LAYERS = "all"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Explanation:
    """Why a classifier predicts what it predicts for one sample, by one method.

    Attributes:
        sample: what was explained.
        prediction: the classifier's prediction for it.
        question: what was asked, with the target, the layer and all settings filled in; of a run
            until stable, the question of as many samples as it took.
        attribution: float32 array of shape (height, width): for a signed method what speaks for
            the class (positive) and against it (negative), else how much a place matters. In the
            method's own unit, never scaled.
        cost: the passes it ran through the network.
        seconds: how long it took.
        segments: int32 array of shape (height, width), the number of each pixel's segment, or None.
        segment_weights: float32 array of shape (segments,), or None.
        figures: what the method reports about itself. `completeness_gap` (Integrated Gradients, the
            share of the score's change that the map misses; with `steps_taken`, how many points of
            the path it took, and `score` and `score_baseline`, the scores at its ends; of
            several baselines the largest gap, all steps and the mean score), `r2` (LIME;
            left out below two samples per segment, and where the network answers every sample
            alike), `score_all` and `score_none` (Kernel SHAP, whose weights add up to their
            difference), `undetermined` (how many of its weights the samples do not determine) and
            `error` (how far the weights are expected to be from the Shapley values, as a share of
            their norm; left out where they are exact);
            for all methods that sample, `samples` and `stability` (see
            `xai_tf.attribution.convergence`; left out where it cannot be computed).
        warnings: what a person should know before trusting the map, a sentence each.
        convergence: how the map converged, for a method that samples; else None.
    """

    sample: Sample
    prediction: Prediction
    question: Question
    attribution: np.ndarray
    cost: Cost
    seconds: float
    segments: np.ndarray | None = None
    segment_weights: np.ndarray | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    convergence: Convergence | None = None

    def __repr__(self) -> str:
        source, height, width = self.sample.source.name, *self.attribution.shape
        return (
            f"<Explanation of {source}: {self.method.title}, evidence for {self.target_name}, "
            f"{height}x{width} pixels>"
        )

    @property
    def method(self) -> Method:
        """The entry of `METHODS` that made it."""
        return METHODS[self.question.method]

    @property
    def target(self) -> int:
        """The index of the class explained."""
        return self.question.labels[0]

    @property
    def contrast(self) -> int | None:
        """The index of the class it is contrasted with, or None."""
        return self.question.labels[1]

    @property
    def settings(self) -> dict[str, Value]:
        """All settings of the method."""
        return self.question.given

    @property
    def seed(self) -> int | None:
        """The random seed; None for a method that draws no random numbers."""
        return self.question.seed if self.method.stochastic else None

    @property
    def layer(self) -> str | None:
        """The feature layer it looked at, or None."""
        return self.question.layer

    @property
    def target_name(self) -> str:
        """The class explained, and the one it is contrasted with."""
        name = self.prediction.classes[self.target]
        if self.contrast is None:
            return name
        return f"{name} rather than {self.prediction.classes[self.contrast]}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Order:
    """What is to be run.

    Attributes:
        classifier, sample, prediction: what explains what.
        question: resolved; of several layers, that of the first.
        weights: of the logits; float32 of shape (logits,).
        layers: the layers looked at, one map each; (None,) for a method that looks at none.
        resume_from: the explanation to continue, or None.
    """

    classifier: Classifier
    sample: Sample
    prediction: Prediction
    question: Question
    weights: np.ndarray
    layers: tuple[str | None, ...] = (None,)
    resume_from: Explanation | None = None

    @property
    def method(self) -> Method:
        """The entry of `METHODS` that is run."""
        return METHODS[self.question.method]
