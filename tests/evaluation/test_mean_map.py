"""The mean of the maps of several files."""

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import sample_of
from xai_tf.attribution.explain import explain
from xai_tf.errors import InputError
from xai_tf.evaluation.mean_map import mean_map


def test_files_count_alike_however_strong_their_maps_are(halves, left_bright):
    right_bright = sample_of(left_bright.image[:, ::-1] / 8)
    maps = [explain(halves, one, "gradient_input", target=0) for one in (left_bright, right_bright)]

    mean = mean_map(iter(maps))

    expected = np.mean([one.attribution / np.abs(one.attribution).max() for one in maps], axis=0)
    np.testing.assert_allclose(mean.attribution, expected, atol=1e-6)
    # Bright on the left speaks for "left" as much as bright on the right speaks against it.
    np.testing.assert_allclose(mean.attribution[0, [0, 31]], [0.5, -0.5], atol=1e-5)
    np.testing.assert_allclose(mean.picture[0, [0, 31], 0], [0.4, 0.05], atol=1e-6)
    assert (mean.count, mean.num_empty, mean.target_name) == (2, 0, "left")


def test_an_empty_map_counts_as_nothing_and_is_told(halves, left_bright):
    one = explain(halves, left_bright, "gradient_input", target=0)
    empty = replace(one, attribution=np.zeros_like(one.attribution))

    mean = mean_map([one, empty])

    expected = one.attribution / np.abs(one.attribution).max() / 2
    np.testing.assert_allclose(mean.attribution, expected, atol=1e-6)
    assert (mean.count, mean.num_empty) == (2, 1)
    assert not mean_map([empty]).attribution.any()


def test_of_no_file_there_is_no_mean_map():
    with pytest.raises(InputError, match="no file"):
        mean_map([])
