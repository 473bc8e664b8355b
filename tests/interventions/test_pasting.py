"""Laying a region into other surroundings."""

import numpy as np
import pytest

from xai_tf.interventions.pasting import paste

RNG = np.random.default_rng(0)


def picture(level: float) -> np.ndarray:
    return np.full((112, 112, 3), level, np.float32)


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((112, 112), bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "onto_mask"),
    [
        (box(10, 40, 10, 60), box(50, 100, 30, 50)),  # moved and stretched
        (box(10, 40, 10, 60) | box(60, 90, 30, 40), box(20, 90, 20, 90)),  # two pieces into one
        (box(0, 112, 10, 30), box(0, 112, 50, 100)),  # times of a sound
        (box(10, 11, 10, 11), box(0, 112, 0, 100)),  # a single pixel into almost everything
    ],
)
def test_nothing_of_the_other_surroundings_and_region_comes_along(mask, onto_mask):
    values, onto = picture(0.1), picture(0.9)
    values[mask], onto[onto_mask] = 0.4, 0.6

    made = paste(values, mask, onto, onto_mask)

    from scipy import ndimage

    deep, far = (
        ndimage.binary_erosion(m, iterations=5, border_value=1) for m in (onto_mask, ~onto_mask)
    )
    np.testing.assert_allclose(made[deep], 0.4, atol=1e-3)
    np.testing.assert_allclose(made[far], 0.9, atol=1e-3)


def test_a_region_in_its_own_place_changes_nothing():
    values, mask = RNG.random((112, 112, 3)).astype(np.float32), box(20, 60, 30, 90)

    assert np.abs(paste(values, mask, values, mask) - values)[mask].max() < 0.6
    np.testing.assert_allclose(
        paste(values, mask, values, mask)[25:55, 35:85], values[25:55, 35:85], atol=1e-3
    )


def test_each_of_two_pieces_goes_to_its_own_place():
    mask, onto_mask = (
        box(20, 80, 10, 40) | box(20, 80, 70, 100),
        box(10, 60, 20, 45) | box(30, 90, 60, 90),
    )
    values = picture(0)
    values[:, :56], values[:, 56:] = 0.2, 0.7

    made = paste(values, mask, picture(1), onto_mask)

    np.testing.assert_allclose(made[20:50, 25:40], 0.2, atol=1e-3)
    np.testing.assert_allclose(made[40:80, 65:85], 0.7, atol=1e-3)


def test_times_are_joined_in_their_order():
    values, mask = picture(0), box(0, 112, 10, 30) | box(0, 112, 60, 80)
    values[:, 10:30], values[:, 60:80] = 0.2, 0.7
    onto_mask = box(0, 112, 40, 80)

    made = paste(values, mask, picture(1), onto_mask)

    np.testing.assert_allclose(made[:, 45:58], 0.2, atol=1e-3)
    np.testing.assert_allclose(made[:, 62:75], 0.7, atol=1e-3)
