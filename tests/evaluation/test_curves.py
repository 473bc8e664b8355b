"""Curves, shares and bins are those of the textbook and of scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_curve,
)

from xai_tf.evaluation.curves import BINS, calibration_error, curve, outcome, reliability
from xai_tf.statistics import share, wilson


def drawn(count=300, levels=None):
    """Scores that tell a class from the rest somewhat; with `levels` many of them are tied."""
    rng = np.random.default_rng(0)
    hit = rng.random(count) < 0.3
    scores = 1 / (1 + np.exp(-rng.normal(size=count) - hit))
    return (np.rint(scores * levels) / levels if levels else scores), hit


def test_three_files_give_the_curve_that_arithmetic_does():
    made = curve(np.array([0.2, 0.9, 0.5]), np.array([False, True, True]))

    assert made.thresholds.tolist() == [np.inf, 0.9, 0.5, 0.2]
    assert made.true_positives.tolist() == [0, 1, 2, 2]
    assert made.false_positives.tolist() == [0, 0, 0, 1]
    assert made.sensitivity.tolist() == [0, 0.5, 1, 1]
    assert made.false_positive_rate.tolist() == [0, 0, 0, 1]
    assert made.precision.tolist() == [1, 1, 1, 2 / 3]
    assert made.average_precision == 1


@pytest.mark.parametrize("levels", [None, 7])
def test_the_roc_curve_is_that_of_scikit_learn(levels):
    scores, hit = drawn(levels=levels)

    false, true, thresholds = roc_curve(hit, scores, drop_intermediate=False)
    made = curve(scores, hit)

    np.testing.assert_allclose(made.false_positive_rate, false)
    np.testing.assert_allclose(made.sensitivity, true)
    np.testing.assert_array_equal(made.thresholds, thresholds)


@pytest.mark.parametrize("levels", [None, 7])
def test_precision_and_recall_are_those_of_scikit_learn(levels):
    scores, hit = drawn(levels=levels)

    precision, recall, _ = precision_recall_curve(hit, scores)
    made = curve(scores, hit)

    np.testing.assert_allclose(made.precision[::-1], precision)
    np.testing.assert_allclose(made.sensitivity[::-1], recall)
    assert made.average_precision == pytest.approx(average_precision_score(hit, scores))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_the_outcome_at_a_threshold_is_that_of_scikit_learn(threshold):
    scores, hit = drawn()
    predicted = scores >= threshold

    got = outcome(scores, hit, threshold)

    assert got.sensitivity.value == pytest.approx(recall_score(hit, predicted))
    assert got.specificity.value == pytest.approx(recall_score(~hit, ~predicted))
    assert got.precision.value == pytest.approx(precision_score(hit, predicted))
    assert got.f1.value == pytest.approx(f1_score(hit, predicted))
    assert got.sensitivity.count == hit.sum()
    assert got.precision.count == predicted.sum()
    assert got.f1.low < got.f1.value < got.f1.high


def test_a_score_at_the_threshold_is_called():
    got = outcome(np.array([0.5, 0.4]), np.array([True, False]), 0.5)

    assert (got.sensitivity.value, got.specificity.value) == (1, 1)


def test_nothing_called_has_no_precision():
    got = outcome(np.array([0.1, 0.2]), np.array([True, False]), 0.9)

    assert got.precision.value is None
    assert got.precision.count == 0
    assert got.f1.value == 0


def test_an_absent_class_has_no_sensitivity_and_no_f1():
    got = outcome(np.array([0.1, 0.2]), np.array([False, False]), 0.9)

    assert got.sensitivity.value is None
    assert got.f1.value is None
    assert got.specificity.value == 1


@pytest.mark.parametrize(("part", "count"), [(0, 4), (4, 4), (1, 29), (81, 263), (15, 148)])
def test_the_interval_is_that_of_scipy(part, count):
    expected = binomtest(part, count).proportion_ci(method="wilson")

    assert wilson(part, count) == pytest.approx((expected.low, expected.high))
    assert share(part, count).low <= share(part, count).value <= share(part, count).high


def test_bins_hold_every_file_once_and_their_own_confidence():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 500)
    chances, labels = np.stack([1 - sure, sure], axis=1), (rng.random(500) < sure).astype(int)

    bins = reliability(chances, labels)

    assert sum(b.count for b in bins) == 500
    assert [int(b.confidence * BINS) for b in bins] == [5, 6, 7, 8, 9]
    for b in bins:
        inside = (sure * BINS).astype(int) == int(b.confidence * BINS)
        assert b.confidence == pytest.approx(sure[inside].mean())
        assert b.num_correct == labels[inside].sum()


def test_certainty_stands_in_the_last_bin():
    assert [b.count for b in reliability(np.eye(2), np.array([0, 1]))] == [2]


def test_the_calibration_error_of_boasters_is_their_boast():
    chances = np.tile([0.1, 0.9], (10, 1))
    labels = np.array([1] * 6 + [0] * 4)

    assert calibration_error(chances, labels) == pytest.approx(0.3)
