"""The map doctor names what is wrong, and nothing where nothing is."""

import numpy as np
import pytest

from xai_tf.attribution.diagnostics import diagnose, has_signal

RNG = np.random.default_rng(0)


def names(attribution: np.ndarray) -> list[str]:
    return [finding.name for finding in diagnose(attribution)]


def spot() -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    return np.exp(-((rows - 30) ** 2 + (columns - 25) ** 2) / 200)


@pytest.mark.parametrize("sound", [spot(), -spot(), RNG.normal(size=(64, 64)), spot() * 1e-9])
def test_a_sound_map_has_no_findings(sound):
    assert names(sound) == []
    assert has_signal(sound)


@pytest.mark.parametrize("constant", [np.zeros((64, 64)), np.full((64, 64), -3.5)])
def test_a_constant_map_is_no_signal(constant):
    assert names(constant) == ["constant"]
    assert not has_signal(constant)


def test_numbers_that_are_none_are_named():
    broken = spot()
    broken[0, :32] = np.nan

    assert names(broken) == ["nan"]
    assert "1%" in diagnose(broken)[0].text
    assert not has_signal(broken)


def test_a_map_at_its_maximum_nearly_everywhere_is_saturated():
    flat = np.minimum(spot(), 0.1)

    assert names(flat) == ["saturated"]


def test_a_map_that_lives_in_few_pixels_is_named():
    lonely = RNG.random((64, 64)) * 1e-4
    lonely[10, 10] = 1

    assert "single_spot" in names(lonely)


def test_a_map_that_lies_on_the_border_is_named():
    border = np.ones((64, 64))
    border[4:-4, 4:-4] = 0.02
    border += RNG.random((64, 64)) * 0.3 * border

    assert names(border) == ["border"]


def test_every_finding_says_what_to_try():
    broken = [np.zeros((64, 64)), np.full((64, 64), np.inf), np.minimum(spot(), 0.1)]

    for attribution in broken:
        text = diagnose(attribution)[0].text.lower()
        assert "try" in text or "check" in text
