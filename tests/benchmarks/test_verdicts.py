"""Maps whose truth is known are kept with their checks, and counted by what is said of them."""

import pickle

import numpy as np
import pytest

from benchmarks.ground_truth import verdicts
from benchmarks.ground_truth.puzzle import Planted
from xai_tf.trust import LEVELS


@pytest.fixture
def cases(halves, left_bright, monkeypatch):
    monkeypatch.setattr(verdicts, "JUDGED", ("saliency", "occlusion"))
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    nothing = np.zeros((32, 32), bool)
    return [
        case
        for state, mask in (("intact", left), ("random weights", nothing))
        for case in verdicts._judged(
            halves, "photo_patch", "cnn", state, [Planted(left_bright, left_bright, mask)]
        )
    ]


def test_cases_outlive_their_process(cases, monkeypatch, tmp_path):
    monkeypatch.setattr(verdicts, "cases", lambda *_: cases)

    path = verdicts.write_cases("photo_patch", "cnn", tmp_path, tmp_path, tmp_path)
    kept = pickle.loads(path.read_bytes())

    assert [case.checks.explanation.method.name for case in kept] == ["saliency", "occlusion"] * 2
    assert [score.metric.name for score in kept[0].checks.scores] == list(verdicts.FIDELITY)
    assert [verdicts.verdict(case.checks) for case in kept] == [
        verdicts.verdict(case.checks) for case in cases
    ]


def test_no_map_of_a_network_with_nothing_to_find_is_right(cases):
    assert [case.state for case in cases if case.right] in ([], ["intact"], ["intact"] * 2)
    assert not any(case.right for case in cases if case.state == "random weights")


def test_on_the_page_a_map_is_compared_with_few_others(cases, monkeypatch):
    monkeypatch.setattr(verdicts, "ON_THE_PAGE", ("occlusion",))

    limited = [verdicts.as_on_the_page(case) for case in cases]

    others = [[one.method.name for one in case.checks.others] for case in limited]
    assert others == [["occlusion"], []] * 2
    assert "Reported, as on the page. Of " in verdicts.section(cases)


def test_fresh_maps_are_kept_apart_and_counted_in_a_section_of_their_own(
    cases, monkeypatch, tmp_path
):
    asked = []
    monkeypatch.setattr(verdicts, "cases", lambda *given: asked.append(given[-2:]) or cases)
    usual = verdicts.write_cases("splice", "cnn", tmp_path, tmp_path, tmp_path)

    fresh = verdicts.write_cases("splice", "cnn", tmp_path, tmp_path, tmp_path, 1, fresh=True)

    assert fresh != usual
    assert asked == [(verdicts.FILES, False), (1, True)]
    assert verdicts.fresh_section(cases).startswith("## Verdict on fresh maps\n")


def test_maps_are_counted_by_state_method_and_level(cases):
    lines = verdicts.table("All.", cases)

    rows = {
        cells[0].strip(): [cell.strip() for cell in cells[1:]]
        for cells in (line.strip("|").split("|") for line in lines if line.startswith("| "))
    }
    assert rows["intact"][0] == rows["random weights"][0] == "2"
    assert sum(map(int, rows["intact"][1:-1])) == 2
    assert len(rows["maps"]) == len(LEVELS) + 2
    assert rows["random weights"][-1] == "0"
