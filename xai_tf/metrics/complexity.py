"""Metrics that run no passes: of the map alone, and figures a method computed about itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_tf.attribution.methods import Cost
from xai_tf.metrics.case import Case, Measurement

UNFITTED = (
    "With fewer than two samples per segment any linear model fits, so R2 is meaningless. Use more "
    "samples, or fewer segments."
)


def sparseness(case: Case) -> Measurement:
    """The Gini index of the absolute values, 0 if they are all equal, by Xplique."""
    from xplique.metrics import Sparseness

    return _of_map(Sparseness(), case)


def complexity(case: Case) -> Measurement:
    """The entropy of the absolute values, in nats, by Xplique."""
    from xplique.metrics import Complexity

    return _of_map(Complexity(), case)


def completeness_gap(case: Case) -> Measurement:
    """The share of the score's change that Integrated Gradients misses."""
    return _free(case.explanation.figures["completeness_gap"])


def efficiency_gap(case: Case) -> Measurement:
    """The share of the score's change that the weights of the segments miss."""
    figures, weights = case.explanation.figures, case.explanation.segment_weights
    assert weights is not None, "this metric needs a method that weights segments"
    change = figures["score_all"] - figures["score_none"]
    missed = abs(float(weights.sum()) - change)
    return _free(missed / max(abs(change), 1e-6))


def r2(case: Case) -> Measurement:
    """How well LIME's linear model fits its samples."""
    value = case.explanation.figures.get("r2")
    return _free(np.nan, UNFITTED) if value is None else _free(value)


def _of_map(metric: Any, case: Case) -> Measurement:
    strength = np.abs(case.explanation.attribution)
    # Scaled, because Xplique adds 1e-8 to the sum, which would swamp a map of small values.
    return _free(metric.detailed_evaluate(strength[None] / strength.max())[0])


def _free(value: float, note: str = "") -> Measurement:
    return Measurement(np.array([value], np.float64), Cost(), note)
