"""Swapping regions between files."""

from collections import Counter

import numpy as np
import pytest

from tests.interventions.made import CHEST, draw_chests, network
from xai_tf.errors import InputError
from xai_tf.interventions import locate, read_cases
from xai_tf.interventions.swap import _pairs_of_one, _pairs_of_two, swap
from xai_tf.regions.registry import PARTITIONS


@pytest.fixture(autouse=True)
def _chest(monkeypatch):
    monkeypatch.setitem(PARTITIONS, "chest", CHEST)


@pytest.fixture(scope="module")
def located(tmp_path_factory):
    """The lungs in 30 files of each class, of a network that looks at the corner alone."""
    folder = draw_chests(tmp_path_factory.mktemp("data") / "files", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PARTITIONS, "chest", CHEST)
        return locate(read_cases(network(shortcut=True), folder), "lungs", ("chest",))


def test_the_sentence_tells_both_shares_and_the_pairs(located):
    finding = swap(located)

    assert finding.sentence == (
        "The class follows what lies outside the lungs (0.00 by the lungs, 1.00 by the rest; "
        "30 pairs)."
    )


def test_both_directions_and_the_controls_have_a_line(located):
    lines = swap(located).lines

    assert [(line.inputs, line.control, line.share.count) for line in lines] == [
        ("lungs in surroundings of another class", False, 30),
        ("lungs in surroundings of another class", False, 30),
        ("lungs of normal in surroundings of another class", False, 30),
        ("lungs of opacity in surroundings of another class", False, 30),
        ("lungs in surroundings of the same class", True, 30),
    ]
    assert lines[2].counts == {"opacity": 30}
    assert lines[-1].counts == {"normal": 30, "opacity": 30}


def test_where_the_controls_fail_nothing_is_told(located):
    finding = swap(located, pasting=lambda values, *_: np.zeros_like(values))

    assert (finding.verdict, finding.accuses, finding.sentence) == ("cannot be told", None, "")
    assert "The pasting itself changes the answer" in finding.notes[-1]


@pytest.mark.parametrize("counts", [(5, 5), (1, 1), (7, 2), (3, 3, 3), (1, 4, 2, 2)])
def test_every_file_is_in_one_pair_at_most(counts):
    answers = [answer for answer, count in enumerate(counts) for _ in range(count)]
    rng = np.random.default_rng(0)

    pairs, controls = _pairs_of_two(answers, rng), _pairs_of_one(answers, rng)

    for files in (pairs, controls):
        assert max(Counter(file for pair in files for file in pair).values(), default=1) == 1
    assert all(answers[i] != answers[j] for i, j in pairs)
    assert all(answers[i] == answers[j] for i, j in controls)
    assert len(pairs) == min(sum(counts) // 2, sum(counts) - max(counts))
    assert len(controls) == sum(count // 2 for count in counts)


def test_a_class_of_one_file_has_no_control_and_says_so(tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3, classes=("normal",))
    draw_chests(folder, 1, count=1, classes=("opacity",))
    cases = read_cases(network(shortcut=True), folder)

    finding = swap(locate(cases, "lungs", ("chest",)))

    assert "Only one file shows opacity, so it has no control." in finding.notes
    assert finding.lines[0].share.count == 1


def test_files_of_one_class_cannot_be_swapped(tmp_path):
    folder = draw_chests(tmp_path / "data", 0, count=3, classes=("normal",))
    cases = read_cases(network(shortcut=True), folder)

    with pytest.raises(InputError, match=r"All files of .*data .* show 'normal'.*Add files of ano"):
        swap(locate(cases, "lungs", ("chest",)))
