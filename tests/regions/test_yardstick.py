"""Figures of a map against marks: known maps have known figures."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xai_tf.errors import InputError
from xai_tf.regions.yardstick import BLIND_MAPS, mark_scores, tolerance_of

RNG = np.random.default_rng(0)
MASK = np.zeros((40, 40), bool)
MASK[10:18, 20:30] = True  # 80 pixels, a twentieth


def test_a_map_of_the_marks_has_the_best_figures():
    found = mark_scores(MASK.astype(float), MASK)

    assert (found.pointing, found.share, found.iou, found.auc) == (True, 1, 1, 1)
    assert found.area == 0.05
    assert found.density == pytest.approx(20)


def test_a_map_of_everything_else_has_the_worst():
    found = mark_scores((~MASK).astype(float), MASK, tolerance=0)

    assert (found.pointing, found.share, found.density, found.iou, found.auc) == (False, 0, 0, 0, 0)


def test_the_curve_is_that_of_scikit_learn():
    values = RNG.integers(0, 5, MASK.shape) + MASK  # with ties

    found = mark_scores(values.astype(float), MASK)

    assert found.auc == pytest.approx(roc_auc_score(MASK.ravel(), values.ravel()))


def test_the_strongest_pixels_of_equal_area_are_compared():
    values = np.zeros(MASK.shape)
    values[10:18, 25:35] = 1 + RNG.random((8, 10))  # half of it on the mark

    assert mark_scores(values, MASK).iou == pytest.approx(40 / 120)


@pytest.mark.parametrize(("away", "tolerance", "hit"), [(3, 3, True), (4, 3, False), (1, 0, False)])
def test_pointing_counts_up_to_its_tolerance(away, tolerance, hit):
    values = RNG.random(MASK.shape)
    values[12, 29 + away] = 2

    found = mark_scores(values, MASK, tolerance)

    assert (found.pointing, found.strict_pointing) == (hit, False)


@pytest.mark.parametrize("tolerance", [None, 0, 9])
def test_strict_pointing_has_no_tolerance(tolerance):
    values = RNG.random(MASK.shape)
    values[12, 29] = 2

    assert mark_scores(values, MASK, tolerance).strict_pointing


def test_the_tolerance_is_15_pixels_of_224():
    assert [tolerance_of((side, side)) for side in (224, 448, 32)] == [15, 30, 2]


def test_what_speaks_against_the_class_is_no_evidence():
    values = np.where(MASK, -5.0, 1.0)

    found = mark_scores(values, MASK)

    assert found.share == 0
    assert mark_scores(np.minimum(values, -RNG.random(MASK.shape)), MASK).share is None


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_a_map_without_signal_is_not_judged(value):
    with pytest.raises(InputError, match="no signal"):
        mark_scores(np.full(MASK.shape, value), MASK)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.ones((40, 40), bool), "cover the whole picture"),
        (np.zeros((40, 40), bool), "cover nothing"),
        (np.ones((20, 40), bool), r"\(20, 40\) pixels and the map \(40, 40\)"),
    ],
)
def test_marks_that_no_map_can_miss_or_find_are_refused(mask, told):
    with pytest.raises(InputError, match=told):
        mark_scores(RNG.random((40, 40)), mask)


def test_blind_maps_are_what_their_names_say():
    image = np.zeros((41, 61, 3), np.float32)
    image[:, 30:] = 1

    found = {name: blind(image, 7) for name, blind in BLIND_MAPS.items()}

    assert np.unravel_index(found["center"].argmax(), (41, 61)) == (20, 30)
    assert found["center"][20, 0] == pytest.approx(np.exp(-2))  # two standard deviations
    assert set(np.nonzero(found["edges"])[1]) == {29, 30}
    np.testing.assert_array_equal(found["random"], BLIND_MAPS["random"](image, 7))
    assert not np.array_equal(found["random"], BLIND_MAPS["random"](image, 8))
