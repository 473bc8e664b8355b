"""Mistakes that nobody would look for: confident, and without a warning."""

from __future__ import annotations

import numpy as np

from weights_keras import Measure
from xai_tf.classifiers.ood import OUT_OF_DISTRIBUTION
from xai_tf.evaluation.classification import measure
from xai_tf.statistics import wilson

CONFIDENT = 0.9  # the probability above which a person trusts an answer
UNWARNED = "wrong with p > 0.9, not warned of"  # the measure


def unwarned_errors(
    probabilities: np.ndarray, labels: np.ndarray, flagged: np.ndarray | None
) -> np.ndarray:
    """Which files are predicted wrongly with p > 0.9 and are not flagged as out of distribution.

    Args:
        probabilities: float array of shape (files, classes).
        labels: int array of shape (files,), the true classes.
        flagged: bool array of shape (files,), whether the OOD detector warns about a file; None
            for a model without one, which never warns.

    Returns:
        bool array of shape (files,).
    """
    wrong = probabilities.argmax(axis=1) != labels
    return _unwarned(wrong & (probabilities.max(axis=1) > CONFIDENT), flagged)


def unwarned_label_errors(
    probabilities: np.ndarray,
    truth: np.ndarray,
    thresholds: np.ndarray,
    flagged: np.ndarray | None,
) -> np.ndarray:
    """The same for several labels: files with a label that is wrongly found or ruled out.

    A label is found with its probability p, and ruled out with 1 - p.

    Args:
        probabilities: float array of shape (files, labels).
        truth: bool array of shape (files, labels).
        thresholds: float array of shape (labels,), the probability from which each is predicted.
        flagged: as for `unwarned_errors`.

    Returns:
        bool array of shape (files,).
    """
    found = probabilities >= thresholds
    confidence = np.where(found, probabilities, 1 - probabilities)
    wrong = (found != truth) & (confidence > CONFIDENT)
    return _unwarned(wrong.any(axis=1), flagged)


def unwarned_measure(unwarned: np.ndarray, split: str) -> Measure:
    """The share of such files, with its Wilson interval.

    Args:
        unwarned: bool array of shape (files,).
        split: the name of the set, for the card.
    """
    hits, count = int(unwarned.sum()), len(unwarned)
    return measure(UNWARNED, split, hits / count, wilson(hits, count), count)


def warning_measures(flagged: np.ndarray | None, unwarned: np.ndarray) -> tuple[Measure, ...]:
    """The share of files that the OOD detector flags, if there is one, and `unwarned_measure`.

    Args:
        flagged: as for `unwarned_errors`.
        unwarned: bool array of shape (files,).
    """
    found = (unwarned_measure(unwarned, "files"),)
    if flagged is None:
        return found
    hits, count = int(flagged.sum()), len(flagged)
    interval = wilson(hits, count)
    return measure(OUT_OF_DISTRIBUTION, "files", hits / count, interval, count), *found


def _unwarned(wrong: np.ndarray, flagged: np.ndarray | None) -> np.ndarray:
    return wrong if flagged is None else wrong & ~flagged
