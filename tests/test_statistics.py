"""Means with their intervals."""

import numpy as np
import pytest

from xai_tf.statistics import bootstrap, mean


def test_the_interval_of_a_mean_is_that_of_the_normal_law_for_many_values():
    values = np.random.default_rng(1).normal(3, 2, 400)

    low, high = bootstrap(values)

    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.05)
    assert high == pytest.approx(values.mean() + error, abs=0.05)


def test_fewer_than_two_values_have_no_interval():
    assert (str(mean([])), mean([]).count) == ("-", 0)
    assert str(mean([0.25])) == "0.250"
    assert (mean([0.25]).low, mean([0.25]).high) == (None, None)


def test_equal_values_have_an_interval_of_no_width():
    assert str(mean([0.5, 0.5])) == "0.500 [0.500, 0.500]"
