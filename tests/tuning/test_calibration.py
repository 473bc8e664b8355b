"""Calibration: scaled logits are scaled back, and extreme logits give finite numbers."""

import numpy as np
import pytest

from tuning.calibration import (
    best_threshold,
    calibrated,
    cross_entropy,
    fit_calibration,
    single_questions,
)
from xai_tf.classifiers.prediction import probabilities
from xai_tf.evaluation.curves import calibration_error


def drawn(num_logits, files=4000):
    """Logits, and labels drawn from the probabilities that they mean."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (files, num_logits))
    chances = probabilities(logits)
    return logits, (rng.random((files, 1)) > chances.cumsum(1)).sum(1)


@pytest.mark.parametrize("num_logits", [1, 3])
@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_is_the_factor_of_the_logits(num_logits, factor):
    logits, labels = drawn(num_logits)

    fitted = fit_calibration(logits * factor, labels, "temperature")

    assert fitted["temperature"] == pytest.approx(factor, rel=0.1)


def test_platt_finds_slope_and_intercept():
    logits, labels = drawn(1)

    fitted = fit_calibration((logits - 0.5) / 2, labels, "platt")

    assert fitted["slope"] == pytest.approx(2, rel=0.1)
    assert fitted["intercept"] == pytest.approx(0.5, abs=0.1)


def test_platt_of_three_classes_is_a_temperature():
    logits, labels = drawn(3, files=200)

    assert fit_calibration(logits, labels, "platt")["method"] == "temperature"


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_calibration_lowers_the_error_of_overconfident_logits(method):
    logits, labels = drawn(1)
    overconfident = logits * 4

    chances = calibrated(overconfident, fit_calibration(overconfident, labels, method))

    assert calibration_error(probabilities(overconfident), labels) > 0.1
    assert calibration_error(chances, labels) < 0.03
    assert cross_entropy(chances, labels) < cross_entropy(probabilities(overconfident), labels)


def test_true_probabilities_have_no_calibration_error():
    logits, labels = drawn(1, files=20_000)

    assert calibration_error(probabilities(logits), labels) < 0.02


def test_the_error_is_the_gap_between_confidence_and_accuracy():
    chances = np.tile([[0.1, 0.9]], (10, 1))
    labels = np.array([1] * 5 + [0] * 5)

    assert calibration_error(chances, labels) == pytest.approx(0.4)


@pytest.mark.parametrize("method", ["temperature", "platt"])
@pytest.mark.parametrize("scale", [1e-3, 10, 1000])
def test_separable_classes_give_finite_numbers(method, scale):
    logits = scale * np.array([[-3.0], [-1.0], [2.0], [5.0]])
    labels = np.array([0, 0, 1, 1])

    fitted = fit_calibration(logits, labels, method)
    chances = calibrated(logits, fitted)

    assert np.isfinite([v for v in fitted.values() if v != method]).all()
    assert np.isfinite(chances).all()
    assert (chances.argmax(1) == labels).all()
    assert np.isfinite(calibration_error(chances, labels))


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_equal_logits_give_finite_numbers(method):
    fitted = fit_calibration(np.zeros((4, 1)), np.array([0, 0, 1, 1]), method)

    assert np.isfinite(calibrated(np.zeros((4, 1)), fitted)).all()


def test_the_threshold_separates_the_classes_best():
    second = np.array([0.05, 0.1, 0.2, 0.3, 0.6])
    labels = np.array([0, 0, 1, 1, 1])

    assert best_threshold(np.stack([1 - second, second], 1), labels) == pytest.approx(0.15)


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_chosen():
    second = np.array([0.1, 0.4, 0.7, 0.9])  # 0.25 and 0.8 both predict three of four correctly
    labels = np.array([0, 1, 0, 1])

    assert best_threshold(np.stack([1 - second, second], 1), labels) == pytest.approx(0.25)


def test_with_equal_probabilities_the_threshold_is_a_half():
    assert best_threshold(np.full((4, 2), 0.5), np.array([0, 0, 1, 1])) == 0.5


def test_several_labels_are_calibrated_as_one_question_each():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 4, (1000, 3))
    labels = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits / 3))).astype(int)

    questions, answers = single_questions(logits, labels)
    fitted = fit_calibration(questions, answers, "temperature")

    assert (questions.shape, answers.shape) == ((3000, 1), (3000,))
    assert fitted["temperature"] == pytest.approx(3, rel=0.1)
    np.testing.assert_allclose(
        calibrated(questions, fitted)[:, 1].reshape(logits.shape),
        1 / (1 + np.exp(-logits / fitted["temperature"])),
    )


def test_files_of_one_class_are_one_question_each():
    logits, labels = np.zeros((5, 3)), np.arange(5) % 3

    assert single_questions(logits, labels) == (logits, labels)
