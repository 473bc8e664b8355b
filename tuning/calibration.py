"""Calibration of probabilities, and the best threshold between two classes."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from xai_tf.classifiers.prediction import probabilities


class Calibration(TypedDict, total=False):
    """A fitted calibration, as it is stored in cards and in `winner.json`.

    Attributes:
        method: "temperature" or "platt".
        temperature: divides the logits.
        slope, intercept: of Platt scaling.
    """

    method: str
    temperature: float
    slope: float
    intercept: float


def single_questions(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels with one question a row.

    Of several labels each label of each file has a row, so that they are calibrated, and their
    calibration is measured, all together.

    Args:
        logits: float array of shape (files, logits).
        labels: int array of shape (files,), or with several labels (files, labels).

    Returns:
        The same; with several labels of shape (files * labels, 1) and (files * labels,).
    """
    if labels.ndim == 1:
        return logits, labels
    return logits.reshape(-1, 1), labels.reshape(-1)


def fit_calibration(logits: np.ndarray, labels: np.ndarray, method: str) -> Calibration:
    """Fit a calibration on logits of files that were not trained on.

    "temperature" divides all logits by one number (Guo et al. 2017). "platt" fits slope and
    intercept to the single logit of two classes, with targets moved slightly away from 0 and 1
    (Platt 1999); for more classes it falls back to "temperature".

    Args:
        logits: float array of shape (files, logits), of `single_questions`.
        labels: int array of shape (files,).
        method: "temperature" or "platt".
    """
    if method == "platt" and logits.shape[1] == 1:
        return _fit_platt(logits[:, 0].astype(float), labels == 1)
    return _fit_temperature(logits, labels)


def _fit_platt(logits: np.ndarray, positive: np.ndarray) -> Calibration:
    from scipy.optimize import minimize

    high, low = (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2)
    targets = np.where(positive, high, low)

    def loss(parameters: np.ndarray) -> float:
        value = parameters[0] * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, value) - targets * value))

    slope, intercept = minimize(loss, [1.0, 0.0], method="Nelder-Mead").x
    return {
        "method": "platt",
        "slope": round(float(slope), 4),
        "intercept": round(float(intercept), 4),
    }


def _fit_temperature(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    from scipy.optimize import minimize_scalar

    fitted = minimize_scalar(
        lambda log_t: cross_entropy(probabilities(logits / np.exp(log_t)), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return {"method": "temperature", "temperature": round(float(np.exp(fitted.x)), 4)}


def calibrated(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Calibrated probabilities: float array of shape (files, classes)."""
    if calibration["method"] == "platt":
        return probabilities(logits * calibration["slope"] + calibration["intercept"])
    return probabilities(logits / calibration["temperature"])


def cross_entropy(chances: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy: of -log of the probability of the true class.

    Args:
        chances: probabilities, float array of shape (files, classes).
        labels: int array of shape (files,).
    """
    of_true_class = chances[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(of_true_class, 1e-12, 1)).mean())


def best_threshold(chances: np.ndarray, labels: np.ndarray) -> float:
    """The probability from which to predict the second of two classes (Youden 1950).

    It maximizes sensitivity plus specificity, and lies halfway between two files. Of several
    equally good thresholds it is the one nearest to 0.5.

    Args:
        chances: probabilities, float array of shape (files, 2).
        labels: int array of shape (files,).
    """
    values = np.unique(chances[:, 1])
    thresholds = (values[1:] + values[:-1]) / 2
    scores = np.array([_youden(chances[:, 1] >= t, labels) for t in thresholds])
    if not len(scores):
        return 0.5
    best = thresholds[scores == scores.max()]
    return float(best[np.abs(best - 0.5).argmin()])


def _youden(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float(predicted[labels == 1].mean() - predicted[labels == 0].mean())
