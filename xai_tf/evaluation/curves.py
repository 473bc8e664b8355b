"""One class versus the rest at all thresholds, and the calibration of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_tf.statistics import Share, share

BINS = 10


@dataclass(frozen=True, eq=False)
class Curve:
    """The predictions of one class at each threshold: files with at least that score.

    Attributes:
        thresholds: float array of shape (points,), falling; at the first, which is infinite, no
            file is predicted.
        true_positives: int array of shape (points,), files of the class that are predicted as it.
        false_positives: int array of shape (points,), other files that are predicted as it.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray

    @property
    def sensitivity(self) -> np.ndarray:
        """The share of the class that is predicted as it, or recall; shape (points,)."""
        return self.true_positives / self.true_positives[-1]

    @property
    def false_positive_rate(self) -> np.ndarray:
        """The share of the others that is predicted as it, 1 - specificity; shape (points,)."""
        return self.false_positives / self.false_positives[-1]

    @property
    def precision(self) -> np.ndarray:
        """The share of the predicted files that is correct; shape (points,), 1 without any."""
        predicted = self.true_positives + self.false_positives
        return np.where(predicted, self.true_positives / np.maximum(predicted, 1), 1.0)

    @property
    def average_precision(self) -> float:
        """The mean precision over the steps of the recall, without interpolation."""
        return float((np.diff(self.sensitivity) * self.precision[1:]).sum())


@dataclass(frozen=True)
class Outcome:
    """One class versus the rest at one threshold.

    Attributes:
        sensitivity: the share of the class that is predicted as it.
        specificity: the share of the others that is not predicted as it.
        precision: the share of the predicted files that is correct.
        f1: the harmonic mean of sensitivity and precision.
    """

    sensitivity: Share
    specificity: Share
    precision: Share
    f1: Share


@dataclass(frozen=True)
class Bin:
    """The files in one range of confidence.

    Attributes:
        confidence: the mean of their highest probabilities.
        num_correct: the number of files that are predicted correctly.
        count: the number of files.
    """

    confidence: float
    num_correct: int
    count: int


def curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    """The curve of a score, with one point for each of its values.

    Args:
        scores: float array of shape (files,).
        positive: bool array of shape (files,), whether a file is of the class; both must occur.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, is_positive = scores[order], positive[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    true_positives = np.append(0, is_positive.cumsum()[last])
    false_positives = np.append(0, (~is_positive).cumsum()[last])
    return Curve(np.append(np.inf, ranked[last]), true_positives, false_positives)


def outcome(scores: np.ndarray, positive: np.ndarray, threshold: float) -> Outcome:
    """Sensitivity, specificity, precision and F1 at one threshold, with 95% intervals.

    The intervals are Wilson's. F1 is not a share itself, but 2J / (1 + J) of the Jaccard index J,
    which is one: the true positives among all files that are predicted as the class or are of it.
    Its interval is that of J, transformed likewise.

    Args:
        scores: float array of shape (files,).
        positive: bool array of shape (files,), whether a file is of the class.
        threshold: the lowest score at which the class is predicted.
    """
    predicted = scores >= threshold
    true_positives = int((predicted & positive).sum())
    true_negatives = int((~predicted & ~positive).sum())
    jaccard = share(true_positives, int((predicted | positive).sum()))
    return Outcome(
        sensitivity=share(true_positives, int(positive.sum())),
        specificity=share(true_negatives, int((~positive).sum())),
        precision=share(true_positives, int(predicted.sum())),
        f1=Share(_f1(jaccard.value), _f1(jaccard.low), _f1(jaccard.high), jaccard.count),
    )


def _f1(jaccard: float | None) -> float | None:
    return None if jaccard is None else 2 * jaccard / (1 + jaccard)


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> list[Bin]:
    """How often files of similar confidence are predicted correctly.

    Args:
        probabilities: float array of shape (files, classes); confidence is the highest of a file.
        labels: int array of shape (files,).

    Returns:
        Of ten bins of equal width, those that contain files.
    """
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    numbers = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(float(confidence[mask].mean()), int(correct[mask].sum()), int(mask.sum()))
        for mask in (numbers == number for number in np.unique(numbers))
    ]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: the distance of confidence from accuracy over ten bins, 0 to 1.

    Naeini et al. 2015; confidence is the highest probability.
    """
    gaps = (abs(b.num_correct - b.confidence * b.count) for b in reliability(probabilities, labels))
    return float(sum(gaps) / len(labels))
