"""How far probabilities can be believed, and where to draw the line between two classes."""

from __future__ import annotations

import numpy as np

from xai_tf.classifiers.prediction import probabilities

Calibration = dict[str, float | str]


def fit_calibration(logits: np.ndarray, labels: np.ndarray, method: str) -> Calibration:
    """Fit a calibration on logits that were not trained on.

    "temperature" divides all logits by one number (Guo et al. 2017). "platt" fits slope and
    intercept to the one logit of two classes, on targets drawn in from 0 and 1 (Platt 1999).

    Args:
        logits: float array of shape (files, logits).
        labels: int array of shape (files,).
        method: "temperature" or "platt".
    """
    from scipy.optimize import minimize, minimize_scalar

    if method == "platt" and logits.shape[1] == 1:
        positive = labels == 1
        high, low = (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2)
        wanted, z = np.where(positive, high, low), logits[:, 0].astype(float)

        def loss(ab: np.ndarray) -> float:
            value = ab[0] * z + ab[1]
            return float(np.mean(np.logaddexp(0, value) - wanted * value))

        slope, intercept = minimize(loss, [1.0, 0.0], method="Nelder-Mead").x
        return {
            "method": "platt",
            "slope": round(float(slope), 4),
            "intercept": round(float(intercept), 4),
        }
    found = minimize_scalar(
        lambda log_t: cross_entropy(probabilities(logits / np.exp(log_t)), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return {"method": "temperature", "temperature": round(float(np.exp(found.x)), 4)}


def calibrated(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probabilities of shape (files, classes) after calibration."""
    if calibration["method"] == "platt":
        return probabilities(logits * calibration["slope"] + calibration["intercept"])
    return probabilities(logits / calibration["temperature"])


def cross_entropy(chances: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log of the probability of the true class."""
    right = chances[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(right, 1e-12, 1)).mean())


def best_threshold(chances: np.ndarray, labels: np.ndarray) -> float:
    """The probability of the second class from which to call it so (Youden 1950).

    It has the highest sensitivity plus specificity; between two files, in the middle.
    """
    values = np.unique(chances[:, 1])
    edges = (values[1:] + values[:-1]) / 2
    scores = np.array([_balanced(chances[:, 1] >= edge, labels) for edge in edges])
    if not len(scores):
        return 0.5
    best = edges[scores == scores.max()]
    return float(best[np.abs(best - 0.5).argmin()])


def _balanced(called: np.ndarray, labels: np.ndarray) -> float:
    return float(called[labels == 1].mean() - called[labels == 0].mean())
