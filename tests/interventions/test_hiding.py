"""Hiding a region, or everything else."""

from itertools import pairwise

import numpy as np
import pytest

from tests.conftest import SAMPLES
from tests.interventions.made import draw_chests, network
from xai_tf.interventions import intervene, locate, read_cases
from xai_tf.interventions.hiding import _elsewhere, _without, changes


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    folder = draw_chests(tmp_path_factory.mktemp("data") / "files", 0, count=12)
    return locate(read_cases(network(shortcut=True), folder), "corners")


def test_the_control_hides_as_much_somewhere_else(corners):
    moved = _elsewhere(corners.masks, seed=0)

    for mask, other in zip(corners.masks, moved, strict=True):
        assert other.sum() == mask.sum()
        assert (other != mask).any()
    assert any((one != other).any() for one, other in pairwise(moved))


@pytest.mark.parametrize(("fill", "level"), [("erase", 0), ("mean", 0.8), (None, 0.8)])
def test_what_is_hidden_becomes_what_is_asked_for(corners, fill, level):
    sample, mask = corners.cases.cases[0].sample, corners.masks[0]

    made = _without(corners, sample, mask, fill)

    assert made.image[mask].mean() == pytest.approx(level, abs=0.3)
    assert np.ptp(made.image[mask]) < 1e-6
    np.testing.assert_array_equal(made.image[~mask], sample.image[~mask])


def test_changes_are_counted_by_their_direction():
    told = changes([0, 0, 0, 1], [1, 1, 0, 0], ("normal", "opacity"))

    assert told == {"normal to opacity": 2, "opacity to normal": 1}


@pytest.mark.parametrize("name", ["hide", "only", "crop"])
def test_sounds_are_changed(ear, tmp_path, name):
    for folder in ("human", "synthetic"):  # `ear` knows nothing of voices, so one of them is right
        (tmp_path / folder).mkdir()
        for file in ("speech_human.wav", "speech_synthetic.wav"):
            (tmp_path / folder / file).write_bytes((SAMPLES / file).read_bytes())

    finding = intervene(name, locate(read_cases(ear, tmp_path), "300 to 1000 Hz"))

    assert finding.files == 2
    assert {line.share.count for line in finding.lines} <= {1, 2}
    assert finding.verdict == "cannot be told"
