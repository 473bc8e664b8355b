"""Confident mistakes without a warning are counted, in classes and in labels."""

import numpy as np
import pytest

from xai_tf.evaluation.unwarned import (
    UNWARNED,
    unwarned_errors,
    unwarned_label_errors,
    unwarned_measure,
    warning_measures,
)

SAID = np.array([[0.95, 0.05], [0.95, 0.05], [0.85, 0.15], [0.02, 0.98]])


def test_only_wrong_answers_above_nine_tenths_count():
    labels = np.array([0, 1, 1, 0])

    assert unwarned_errors(SAID, labels, None).tolist() == [False, True, False, True]


def test_a_file_that_is_warned_of_does_not_count():
    labels, flagged = np.array([0, 1, 1, 0]), np.array([True, True, True, False])

    assert unwarned_errors(SAID, labels, flagged).tolist() == [False, False, False, True]


def test_a_label_that_is_confidently_found_or_ruled_out_counts():
    said = np.array([[0.95, 0.5], [0.04, 0.5], [0.95, 0.04], [0.6, 0.2]])
    truth = np.array([[False, True], [True, True], [True, False], [False, True]])

    found = unwarned_label_errors(said, truth, np.array([0.5, 0.5]), None)

    assert found.tolist() == [True, True, False, False]


def test_a_label_is_judged_at_its_own_threshold():
    said, truth = np.array([[0.93]]), np.array([[True]])

    assert not unwarned_label_errors(said, truth, np.array([0.95]), None).any()
    assert not unwarned_label_errors(said, truth, np.array([0.5]), None).any()


def test_the_share_has_the_wilson_interval():
    found = unwarned_measure(np.arange(29) < 1, "test")

    assert (found.name, found.split, found.count) == (UNWARNED, "test", 29)
    assert (found.low, found.high) == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_the_share_of_flagged_files_is_told_where_there_is_a_detector():
    flagged, unwarned = np.array([True, True, True, False]), np.zeros(4, bool)

    with_detector, without = warning_measures(flagged, unwarned), warning_measures(None, unwarned)

    assert [(one.name, one.value) for one in with_detector] == [
        ("out_of_distribution", 0.75),
        (UNWARNED, 0.0),
    ]
    assert [one.name for one in without] == [UNWARNED]
