"""What a threshold does: a class against the rest by score; and whether probabilities hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_tf.statistics import Share, share

BINS = 10


@dataclass(frozen=True, eq=False)
class Curve:
    """What is called a class at each threshold: files with at least that score.

    Attributes:
        thresholds: float array of shape (points,), falling; the first is infinite, where no file
            is called.
        found: int array of shape (points,), the files of the class that are called so.
        alarms: int array of shape (points,), the others that are called so.
    """

    thresholds: np.ndarray
    found: np.ndarray
    alarms: np.ndarray

    @property
    def sensitivity(self) -> np.ndarray:
        """The share of the class that is found, also named recall; of shape (points,)."""
        return self.found / self.found[-1]

    @property
    def false_positive_rate(self) -> np.ndarray:
        """The share of the others that is called so, 1 - specificity; of shape (points,)."""
        return self.alarms / self.alarms[-1]

    @property
    def precision(self) -> np.ndarray:
        """The share of the called that is right, of shape (points,); 1 where none is called."""
        predicted = self.found + self.alarms
        return np.where(predicted, self.found / np.maximum(predicted, 1), 1.0)

    @property
    def average_precision(self) -> float:
        """The mean precision over the steps of the recall, without interpolation."""
        return float((np.diff(self.sensitivity) * self.precision[1:]).sum())


@dataclass(frozen=True)
class Outcome:
    """A class against the rest at one threshold.

    Attributes:
        sensitivity: the share of the class that is found.
        specificity: the share of the others that is not called so.
        precision: the share of the called that is right.
        f1: the harmonic mean of sensitivity and precision.
    """

    sensitivity: Share
    specificity: Share
    precision: Share
    f1: Share


@dataclass(frozen=True)
class Bin:
    """The files of one range of confidence.

    Attributes:
        confidence: the mean of their highest probabilities.
        right: how many of them are right.
        count: how many there are.
    """

    confidence: float
    right: int
    count: int


def curve(scores: np.ndarray, hit: np.ndarray) -> Curve:
    """The curve of a score, with a point for each of its values.

    Args:
        scores: float array of shape (files,).
        hit: bool array of shape (files,), of the class or not; both must occur.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], hit[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found = np.append(0, right.cumsum()[last])
    alarms = np.append(0, (~right).cumsum()[last])
    return Curve(np.append(np.inf, ranked[last]), found, alarms)


def outcome(scores: np.ndarray, hit: np.ndarray, threshold: float) -> Outcome:
    """What comes of calling all files with at least a score.

    The intervals are Wilson's. F1 is no share, but 2J / (1 + J) of one: of J, the found among all
    that are called or of the class; its interval is that of J, brought over.

    Args:
        scores: float array of shape (files,).
        hit: bool array of shape (files,), of the class or not.
        threshold: the lowest score that is called.
    """
    predicted = scores >= threshold
    found = int((predicted & hit).sum())
    kept = int((~predicted & ~hit).sum())
    overlap = share(found, int((predicted | hit).sum()))
    bounds = (overlap.value, overlap.low, overlap.high)
    f1 = (None if bound is None else 2 * bound / (1 + bound) for bound in bounds)
    return Outcome(
        sensitivity=share(found, int(hit.sum())),
        specificity=share(kept, int((~hit).sum())),
        precision=share(found, int(predicted.sum())),
        f1=Share(*f1, overlap.count),
    )


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> list[Bin]:
    """How often files of like confidence are right: the bins that hold any, of ten equally wide.

    Args:
        probabilities: float array of shape (files, classes); confidence is the highest of a file.
        labels: int array of shape (files,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(float(confidence[mask].mean()), int(right[mask].sum()), int(mask.sum()))
        for mask in (places == place for place in np.unique(places))
    ]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: how far confidence is from accuracy, over ten bins, from 0 to 1.

    Naeini et al. 2015; confidence is the highest probability.
    """
    gaps = (abs(b.right - b.confidence * b.count) for b in reliability(probabilities, labels))
    return float(sum(gaps) / len(labels))
