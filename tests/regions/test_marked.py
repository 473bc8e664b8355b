"""Explanations judged by marks: right and wrong answers apart, beside maps that are blind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xai_tf.attribution.explain import explain
from xai_tf.regions import Mark, audit_file, judge, summarize, with_marks
from xai_tf.regions.drawing import draw
from xai_tf.regions.marked import MARKED, PEOPLE, MarkedMap, left_out, marks_of_class
from xai_tf.regions.yardstick import mark_scores

RNG = np.random.default_rng(0)
RIGHT_HALF = (0.5, 0.0, 1.0, 1.0)


def box(ends=RIGHT_HALF, class_name: str = "") -> Mark:
    return Mark(file="a.png", origin="", box=ends, in_shares=True, class_name=class_name)


def bright(path: Path, side: str) -> Path:
    """A picture that is bright on one side, which is its class for the model `halves`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, : 16 if side == "left" else None] = 200
    if side == "right":
        pixels[:, :16] = 0
    pixels += RNG.integers(0, 9, (32, 32), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def judged_file(halves, path: Path, *marks: Mark, **choices):
    explanation = explain(halves, halves.read(path), "gradient_input")
    return judge(halves, explanation, marks, **choices)


def mapped(name: str, mask: np.ndarray, attribution: np.ndarray, right=True, method="saliency"):
    """A judgment of a map made by hand."""
    return MarkedMap(
        file=Path(name),
        method=method,
        target="left",
        right=right,
        mask=mask,
        scores=mark_scores(attribution, mask),
        blind={
            "center": mark_scores(1 + RNG.random(mask.shape), mask),
            "random": mark_scores(RNG.random(mask.shape), mask),
            "edges": mark_scores(RNG.random(mask.shape), mask),
        },
    )


def test_a_map_on_the_half_that_decides_finds_the_mark_there(halves, tmp_path):
    path = bright(tmp_path / "a.png", "right")

    found, warnings = judged_file(halves, path, box())

    assert found.scores.share > 0.9
    assert found.scores.pointing
    assert found.scores.area == 0.5
    assert set(found.blind) == {"center", "random", "edges"}
    assert warnings == ()


@pytest.mark.parametrize(
    ("folder", "class_name", "right"),
    [("right", "", True), ("left", "", False), ("in", "", None), ("in", "right", True)],
)
def test_the_truth_is_that_of_the_marks_or_of_the_folder(
    halves, tmp_path, folder, class_name, right
):
    path = bright(tmp_path / folder / "a.png", "right")

    found, _ = judged_file(halves, path, box(class_name=class_name))

    assert found.right == right


def test_marks_of_the_class_explained_count_and_else_all_of_a_wrong_answer():
    cat, dog, any_class = box(class_name="cat"), box(class_name="dog"), box()

    assert marks_of_class([cat, dog, any_class], "cat", only=False) == (cat, any_class)
    assert marks_of_class([dog], "cat", only=False) == (dog,)
    assert marks_of_class([dog], "cat", only=True) == ()


def test_a_file_without_marks_of_its_target_is_not_judged(halves, tmp_path):
    path = bright(tmp_path / "a.png", "right")

    found, (warning,) = judged_file(halves, path, box(class_name="left"), only=True)

    assert found.scores is None
    assert found.problem == "It has no marks of the class right."
    assert "a.png" in warning
    assert left_out([found]) == "1 map not judged by the marks: a.png (gradient_input)."
    assert summarize([found]) == ()


@pytest.mark.parametrize("ends", [(0, 0, 1, 1)])
def test_a_mark_that_covers_everything_is_said(halves, tmp_path, ends):
    path = bright(tmp_path / "a.png", "right")

    found, (warning,) = judged_file(halves, path, box(ends))

    assert found.scores is None
    assert "cover the whole picture" in warning


def test_a_constant_map_is_left_out_and_its_file_still_has_blind_maps(halves, tmp_path):
    path = bright(tmp_path / "a.png", "right")
    explanation = explain(halves, halves.read(path), "gradient_input")
    constant = replace(explanation, attribution=np.ones((32, 32), np.float32))

    found, (warning,) = judge(halves, constant, [box()])

    assert found.scores is None
    assert found.blind
    assert "no signal" in warning


def test_the_marks_are_one_more_partition_of_an_audit(halves, tmp_path):
    path = bright(tmp_path / "a.png", "right")
    audited = audit_file(halves, path, "gradient_input")
    found, _ = judge(halves, audited.explanation, [box()])

    marked = with_marks(audited, found.mask)

    row = next(row for row in marked.audit.rows if row.region == MARKED)
    assert (row.partition, row.area) == (PEOPLE, 0.5)
    assert row.supporting == pytest.approx(found.scores.share, rel=1e-5)
    titles = [axes.get_title() for axes in draw(marked).axes]
    assert titles[0] == "Frame"
    assert titles[1].startswith("Marked by people: ")


def test_methods_and_blind_maps_are_summarized_with_intervals():
    masks = [np.roll(np.eye(20, dtype=bool), shift, axis=1) for shift in range(12)]
    perfect = [mapped(f"{n}.png", mask, mask.astype(float)) for n, mask in enumerate(masks)]
    noise = [
        mapped(f"{n}.png", mask, RNG.random(mask.shape), method="occlusion")
        for n, mask in enumerate(masks)
    ]

    rows = {row.method: row for row in summarize([*perfect, *noise]) if row.answers == "all"}

    assert list(rows) == ["saliency", "occlusion", "center", "random", "edges", "usual place"]
    best = rows["saliency"]
    assert (best.auc.value, best.iou.value, best.pointing.value, best.files) == (1, 1, 1, 12)
    assert best.pointing.low == pytest.approx(0.758, abs=1e-3)  # Wilson of 12 of 12
    assert best.strict_pointing == best.pointing
    assert rows["random"].strict_pointing.value <= rows["random"].pointing.value
    assert best.lead.low > 0.3
    assert not best.blind
    assert rows["occlusion"].auc.low < 0.5 < rows["occlusion"].auc.high
    assert rows["occlusion"].lead.low < 0
    assert rows["random"].lead is None


def test_right_and_wrong_answers_are_summarized_apart():
    mask = np.eye(20, dtype=bool)
    maps = [
        mapped("a.png", mask, mask.astype(float), right=True),
        mapped("b.png", mask, 1.0 - mask, right=False),
        mapped("c.png", mask, 1.0 - mask, right=None),
    ]

    rows = [row for row in summarize(maps) if row.method == "saliency"]

    assert [(row.answers, row.files) for row in rows] == [("all", 3), ("right", 1), ("wrong", 1)]
    assert [row.auc.value for row in rows[1:]] == [1, 0]
    assert (rows[1].auc.low, rows[1].auc.high) == (None, None)  # one file says nothing


def test_the_usual_place_is_that_of_the_other_files_alone():
    here, there = np.zeros((2, 20, 20), bool)
    here[:5], there[10:] = True, True
    maps = [mapped(name, mask, RNG.random((20, 20))) for name, mask in (("a", here), ("b", there))]

    rows = summarize(maps, tolerance=0)

    prior = next(row for row in rows if row.method == "usual place" and row.answers == "all")
    assert prior.share.value == 0
    assert prior.pointing.value == 0
    assert "usual place" not in {row.method for row in summarize(maps[:1])}
