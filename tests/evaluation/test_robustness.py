"""Answers that turn under a corruption are counted, and the level at which they do is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw_stripes, result_of
from xai_tf.errors import InputError
from xai_tf.evaluation.corruptions import CORRUPTIONS, Corruption
from xai_tf.evaluation.predictions import find_labeled
from xai_tf.evaluation.robustness import measure_corruptions

# Turns a picture around, so that the brighter side is the other one, from level 2 on.
MIRROR = Corruption(
    name="mirror",
    title="Mirror",
    unit="times",
    levels=(1, 2),
    change=lambda image, rate, level, rng: image[:, ::-1] if level == 2 else image,
)


@pytest.fixture
def sides(tmp_path):
    """Six pictures of two sizes, each in the folder of its brighter side."""
    for number in range(6):
        name, size = ("left", "right")[number % 2], 32 * (1 + number // 3)
        picture = np.full((size, size), 50, np.uint8)
        half = slice(None, size // 2) if name == "left" else slice(size // 2, None)
        picture[:, half] = 150 + number
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name / f"{number}.png")
    return tmp_path


def labeled_of(classifier, folder):
    return find_labeled(folder, classifier.name, classifier.classes, None)


def test_the_level_at_which_answers_turn_is_named(halves, sides):
    results = measure_corruptions(halves, labeled_of(halves, sides), [MIRROR])

    (found,) = results.corruptions
    assert results.plain.accuracy.value == 1
    assert [one.turned.value for one in found.levels] == [0, 1]
    assert [one.accuracy.value for one in found.levels] == [1, 0]
    assert found.turns_at == 2
    assert found.levels[0].turned.high > 0.3  # six files say little
    assert found.levels[0].warned.value is None  # it has no OOD detector
    assert (results.passes, results.skipped) == (6 * 3, 0)


def test_answers_may_turn_as_far_as_is_allowed(halves, sides):
    half = replace(MIRROR, levels=(1,))

    results = measure_corruptions(halves, labeled_of(halves, sides), [half], most_turned=0.5)

    assert results.corruptions[0].turns_at is None


def test_a_file_that_cannot_be_read_is_left_out(halves, sides):
    (sides / "left" / "0.png").write_bytes(b"torn")

    results = measure_corruptions(halves, labeled_of(halves, sides), [MIRROR])

    assert (results.plain.accuracy.count, results.skipped) == (5, 1)


def test_no_readable_file_is_an_error(halves, sides):
    for path in sides.rglob("*.png"):
        path.write_bytes(b"torn")

    with pytest.raises(InputError, match="Cannot corrupt any file of"):
        measure_corruptions(halves, labeled_of(halves, sides), [MIRROR])


def test_labels_of_a_file_turn_together(three_labels, tmp_path):
    Image.fromarray(np.full((32, 32), 240, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,labels\na.png,left|upper|middle")
    labeled = find_labeled(
        tmp_path / "labels.csv", "three", three_labels.classes, None, multi_label=True
    )

    results = measure_corruptions(three_labels, labeled, [CORRUPTIONS["darker"]])

    assert results.plain.accuracy.value == 1
    assert results.corruptions[0].levels[-1].turned.value == 1


def test_the_command_reports_each_level(run, asking, tmp_path):
    root, out = draw_stripes(tmp_path / "data", ("cat", "dog", "bird"), 2), tmp_path / "out"
    words = ["errors", root, *asking, "--top", "0", "--corrupt", "blur, jpeg", "--out", out]

    code, printed, _ = run(*words, "--json")

    found = result_of(printed)["corruptions"]
    assert code == 0
    assert [one["name"] for one in found["corruptions"]] == ["blur", "jpeg"]
    assert found["passes"] == 6 * 11
    assert json.loads((out / "errors.json").read_text())["corruptions"] == found
    assert "Corruptions" in (out / "errors.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--corrupt", "fog"], "There is no corruption 'fog'."),
        (["--corrupt", "telephone"], "and the model takes pictures. Choose from crop,"),
        (["--turned", "5"], "Invalid value for --turned: 5.0. Expected a share"),
    ],
)
def test_what_cannot_be_corrupted_is_refused_before_the_work(run, asking, tmp_path, words, said):
    root = draw_stripes(tmp_path / "data", ("cat", "dog", "bird"), 2)

    code, _, err = run("errors", root, *asking, "--out", tmp_path / "out", *words)

    assert code == 2
    assert said in err
    assert not (tmp_path / "out").exists()
