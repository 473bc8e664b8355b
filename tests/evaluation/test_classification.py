"""Figures about a classifier are those of the textbook and of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from xai_tf.classifiers.prediction import probabilities
from xai_tf.evaluation.classification import area_under_curve, confusion, evaluate


def results(correct, count):
    """Answers to a question of two classes, so many of them correct."""
    labels = np.arange(count) % 2
    said = np.where(np.arange(count) < correct, labels, 1 - labels)
    return np.stack([1 - said, said], axis=1).astype(float), labels


def random_answers(num_classes, count=300, levels=None):
    """Answers better than chance; with `levels` rounded, so that many are tied."""
    rng = np.random.default_rng(0)
    labels = rng.integers(num_classes, size=count)
    logits = rng.normal(size=(count, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    said = probabilities(logits)
    if levels:
        said = np.maximum(np.rint(said * levels), 1)
        said /= said.sum(axis=1, keepdims=True)
    return said, labels


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Statistics in Medicine 17, table I
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_accuracy_has_the_wilson_interval(correct, count, low, high):
    accuracy, _ = evaluate(*results(correct, count), split="test")

    assert accuracy.name == "accuracy"
    assert accuracy.split == "test"
    assert accuracy.count == count
    assert accuracy.value == pytest.approx(correct / count, abs=5e-5)
    assert accuracy.low == pytest.approx(low, abs=5e-5)
    assert accuracy.high == pytest.approx(high, abs=5e-5)


@pytest.mark.parametrize("levels", [None, 5])
def test_the_area_of_two_classes_is_that_of_scikit_learn(levels):
    said, labels = random_answers(2, levels=levels)

    assert area_under_curve(said, labels) == pytest.approx(roc_auc_score(labels, said[:, 1]))


@pytest.mark.parametrize("levels", [None, 4])
def test_the_area_of_several_classes_is_the_mean_of_one_against_the_rest(levels):
    said, labels = random_answers(4, levels=levels)

    expected = roc_auc_score(labels, said, multi_class="ovr", average="macro")
    assert area_under_curve(said, labels) == pytest.approx(expected)


def test_the_area_of_perfect_reversed_and_undecided_answers():
    said, labels = results(10, 10)

    assert area_under_curve(said, labels) == 1
    assert area_under_curve(said[:, ::-1], labels) == 0
    assert area_under_curve(np.full((10, 2), 0.5), labels) == 0.5


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_interval_of_the_area_is_the_same_every_time_and_holds_it(num_classes):
    said, labels = random_answers(num_classes, count=120)

    _, first = evaluate(said, labels, "test")
    _, again = evaluate(said, labels, "test")

    assert first == again
    assert first.name == "auc"
    assert first.low < first.value < first.high
    assert 0.02 < first.high - first.low < 0.3


def test_the_interval_of_the_area_is_narrower_with_more_files():
    few, many = (evaluate(*random_answers(2, count), "test")[1] for count in (60, 600))

    assert many.high - many.low < (few.high - few.low) / 2


def test_a_class_of_one_file_still_has_an_interval():
    said, labels = results(9, 10)
    keep = np.r_[np.flatnonzero(labels == 0), 1]

    _, area = evaluate(said[keep], labels[keep], "test")

    assert 0 <= area.low <= area.value <= area.high <= 1


def test_confusion_counts_truth_by_row_and_prediction_by_column():
    said = np.eye(3)[[0, 0, 1, 2, 2, 2]]
    labels = np.array([0, 1, 1, 2, 2, 0])

    counts = confusion(said, labels)

    assert counts.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 2]]


def test_confusion_is_that_of_scikit_learn():
    said, labels = random_answers(5)

    assert (confusion(said, labels) == confusion_matrix(labels, said.argmax(axis=1))).all()
