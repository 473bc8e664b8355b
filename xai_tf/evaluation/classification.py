"""Accuracy, AUC and confusion matrix of a classifier on labeled files, with intervals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from weights_keras import Measure
from xai_tf.statistics import wilson


def evaluate(probabilities: np.ndarray, labels: np.ndarray, split: str) -> tuple[Measure, Measure]:
    """Accuracy and area under the ROC curve, each with its 95% interval.

    Accuracy has a Wilson interval. The AUC (for more than two classes the mean of one versus rest)
    has a percentile bootstrap interval: 1,000 resamples within each class, with a fixed seed.

    Args:
        probabilities: float array of shape (files, classes).
        labels: int array of shape (files,).
        split: the name of the set, for the card.
    """
    area, interval = (
        area_under_curve(probabilities, labels),
        interval_of_area(probabilities, labels),
    )
    auc = measure("auc", split, area, interval, len(labels))
    return accuracy(probabilities, labels, split), auc


def accuracy(probabilities: np.ndarray, labels: np.ndarray, split: str) -> Measure:
    """The share of files whose most probable class is the true one, with its Wilson interval."""
    correct, count = int((probabilities.argmax(axis=1) == labels).sum()), len(labels)
    return measure("accuracy", split, correct / count, wilson(correct, count), count)


def interval_of_area(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The 95% interval of `area_under_curve`, from 1,000 resamples within each class."""
    rng, groups = np.random.default_rng(0), [np.flatnonzero(labels == c) for c in np.unique(labels)]
    draws = []
    for _ in range(1000):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        draws.append(area_under_curve(probabilities[rows], labels[rows]))
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def area_under_curve(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve; for more than two classes the mean of one versus rest.

    Computed as the Mann-Whitney statistic: the share of pairs in the right order, ties counting
    half.
    """
    from scipy.stats import rankdata

    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = []
    for label in classes:
        positive = labels == label
        ranks = rankdata(probabilities[:, label])
        hits, misses = positive.sum(), (~positive).sum()
        areas.append((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))
    return float(np.mean(areas))


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts of shape (classes, classes): rows are the truth, columns the prediction."""
    return predicted_counts(probabilities.argmax(axis=1), labels, probabilities.shape[1])


def predicted_counts(predicted: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts of shape (classes, classes): rows are the truth, columns the prediction."""
    flat = labels * num_classes + predicted
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def measure(name: str, split: str, value: float, interval: Iterable[float], count: int) -> Measure:
    """A measure rounded to four digits, which is more than its interval supports."""
    value, low, high = (round(float(number), 4) for number in (value, *interval))
    return Measure(name=name, split=split, value=value, low=low, high=high, count=count)
