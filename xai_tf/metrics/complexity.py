"""Metrics that ask the network nothing: of the map alone, and what a method measured of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_tf.attribution.methods import Cost
from xai_tf.metrics.case import Case, Measurement

UNFITTED = (
    "Fewer than two samples a segment fit any linear model, so that R2 tells nothing. Take more "
    "samples, or fewer segments."
)


def sparseness(case: Case) -> Measurement:
    """The Gini index of the strengths, 0 for all alike, by Xplique."""
    from xplique.metrics import Sparseness

    return _of_map(Sparseness(), case)


def complexity(case: Case) -> Measurement:
    """The entropy of the strengths, in nats, by Xplique."""
    from xplique.metrics import Complexity

    return _of_map(Complexity(), case)


def completeness_gap(case: Case) -> Measurement:
    """What Integrated Gradients miss of the score's change."""
    return _free(case.explanation.figures["completeness_gap"])


def efficiency_gap(case: Case) -> Measurement:
    """What the weights of the segments miss of the score's change."""
    figures = case.explanation.figures
    change = figures["score_all"] - figures["score_none"]
    missed = abs(float(case.explanation.segment_weights.sum()) - change)
    return _free(missed / max(abs(change), 1e-6))


def r2(case: Case) -> Measurement:
    """How well LIME's linear model fits its samples."""
    found = case.explanation.figures.get("r2")
    return _free(np.nan, UNFITTED) if found is None else _free(found)


def _of_map(metric: Any, case: Case) -> Measurement:
    strength = np.abs(case.explanation.attribution)
    # Xplique adds 1e-8 to the sum, which a map in a small unit would not survive.
    return _free(metric.detailed_evaluate(strength[None] / strength.max())[0])


def _free(value: float, note: str = "") -> Measurement:
    return Measurement(np.array([value], np.float64), Cost(), note)
