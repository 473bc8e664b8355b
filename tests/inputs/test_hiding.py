"""Hiding parts of a picture: exactly what is marked changes, and nothing else."""

import numpy as np
import pytest

from xai_tf.errors import SettingError
from xai_tf.inputs.hiding import FILLS, draw_shapes, hide, strongest


@pytest.fixture
def picture(rng=None):
    return np.random.default_rng(0).random((40, 60, 3)).astype(np.float32)


def test_a_box_covers_exactly_its_pixels():
    mask = draw_shapes([(0.25, 0.5, 0.5, 1.0)], (40, 60))

    expected = np.zeros((40, 60), bool)
    expected[20:40, 15:30] = True
    assert np.array_equal(mask, expected)


def test_a_box_may_be_drawn_from_any_corner():
    assert np.array_equal(
        draw_shapes([(0.5, 1.0, 0.25, 0.5)], (40, 60)),
        draw_shapes([(0.25, 0.5, 0.5, 1.0)], (40, 60)),
    )


def test_a_stroke_covers_its_line_and_its_radius():
    mask = draw_shapes([(0.1, 0.25, 0.5, 0.75, 0.5)], (60, 60))

    assert mask[30, 15:46].all()
    assert mask[25:35, 30].all()
    assert not mask[20, 30]
    assert not mask[40, 30]
    assert mask[30, 10]
    assert not mask[30, 7]


def test_shapes_that_are_none_mark_nothing():
    assert not draw_shapes([(), (0.1,), (0.5, 0.5, 0.5, 0.5)], (20, 20)).any()


@pytest.mark.parametrize("fill", FILLS)
def test_only_what_is_marked_changes(picture, fill):
    mask = draw_shapes([(0.2, 0.2, 0.6, 0.6)], (40, 60))

    hidden = hide(picture, mask, fill, 0.5)

    assert np.array_equal(hidden[~mask], picture[~mask])
    assert np.abs(hidden[mask] - picture[mask]).mean() > 0.1
    assert hidden.dtype == np.float32
    assert hidden.min() >= 0
    assert hidden.max() <= 1


def test_what_is_erased_is_the_baseline_and_the_mean_is_that_of_the_rest(picture):
    mask = draw_shapes([(0, 0, 0.5, 1)], (40, 60))

    assert np.allclose(hide(picture, mask, "erase", 0.3)[mask], 0.3)
    assert np.allclose(hide(picture, mask, "mean")[mask], picture[~mask].mean(axis=0), atol=1e-6)


def test_a_mask_of_another_size_and_an_unknown_fill_are_refused(picture):
    with pytest.raises(SettingError, match="size of the picture"):
        hide(picture, np.zeros((4, 4), bool))
    with pytest.raises(SettingError, match="erase, blur, mean"):
        hide(picture, np.zeros((40, 60), bool), "melt")


def test_the_strongest_tenth_is_by_absolute_value_and_exactly_a_tenth():
    attribution = np.zeros((10, 10))
    attribution[0, :5], attribution[9, :5] = 2, -3

    assert np.array_equal(np.argwhere(strongest(attribution))[:, 0], [0] * 5 + [9] * 5)
