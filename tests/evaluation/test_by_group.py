"""Results by group: the worst first, and what a group cannot tell is told of."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import draw_stripes, result_of
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.groups import Groups
from xai_tf.evaluation.by_group import evaluate_groups
from xai_tf.evaluation.predictions import Predictions
from xai_tf.evaluation.results import EvaluationResults


@pytest.fixture
def results():
    """Eight files of two classes; the model is wrong, and sure, on the second half of them."""
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 1])
    sign = np.where(labels == 1, 1, -1) * np.array([1, 1, 1, 1, -1, -1, 1, 1])
    logits = 5.0 * sign[:, None]
    return EvaluationResults(
        Predictions(
            model="model",
            folder=Path("files"),
            classes=("normal", "opacity"),
            files=tuple(Path(f"files/{number}.png") for number in range(8)),
            labels=tuple(labels.tolist()),
            logits=tuple(map(tuple, logits.tolist())),
            probabilities=tuple(map(tuple, probabilities(logits).tolist())),
            skipped=(),
        )
    )


def test_the_worst_group_comes_first(results):
    groups = Groups("rule", ("good",) * 4 + ("bad",) * 2 + ("ones",) * 2)

    found = evaluate_groups(results, groups)

    assert [(one.name, one.accuracy.value) for one in found.groups] == [
        ("bad", 0.0),
        ("good", 1.0),
        ("ones", 1.0),
    ]
    assert (found.groups[0].unwarned.value, found.groups[1].unwarned.value) == (1.0, 0.0)
    assert found.mean.value == pytest.approx(2 / 3)
    assert found.groups[1].accuracy.low < 1


def test_a_group_with_one_class_has_no_area_and_is_told_of(results):
    found = evaluate_groups(results, Groups("rule", ("both",) * 6 + ("ones",) * 2))

    both, ones = sorted(found.groups, key=lambda one: one.name)
    assert (both.area.count, ones.area) == (6, None)
    assert ones.classes == ("opacity",)
    assert "1 group has files of one class only" in found.notes[0]
    assert "ones (opacity)" in found.notes[0]


def test_files_without_a_group_count_in_none(results):
    found = evaluate_groups(results, Groups("rule", ("a",) * 2 + ("b",) * 2 + (None,) * 4))

    assert sum(one.accuracy.count for one in found.groups) == 4


@pytest.fixture
def sites(tmp_path):
    """Pictures of three classes, each in folders of two sites."""
    root = draw_stripes(tmp_path / "sites", ("cat", "dog", "bird"), 4)
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        site = path.parent / ("north" if number % 2 else "south")
        site.mkdir(exist_ok=True)
        path.rename(site / path.name)
    return root


def test_the_command_reports_each_group(run, asking, sites, tmp_path):
    words = ["errors", sites, *asking, "--groups", "folder", "--top", "0", "--out", tmp_path / "o"]

    code, printed, _ = run(*words, "--json")

    found = result_of(printed)["groups"]
    assert code == 0
    assert {one["group"] for one in found["groups"]} == {"north", "south"}
    assert found["groups"][0]["accuracy"]["value"] <= found["groups"][1]["accuracy"]["value"]
    assert json.loads((tmp_path / "o" / "errors.json").read_text())["groups"] == found
    assert "By group" in (tmp_path / "o" / "errors.html").read_text()


def test_one_group_in_all_is_refused_before_the_work(run, asking, sites, tmp_path):
    words = ["errors", sites, *asking, "--groups", r"\.(png)$", "--out", tmp_path / "o"]

    code, _, err = run(*words)

    assert code == 2
    assert "into one group, 'png'" in err
    assert not (tmp_path / "o").exists()


def test_a_folder_without_labels_is_refused(run, asking, sites, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    for path in sites.rglob("*.png"):
        path.rename(loose / f"{path.parents[1].name}_{path.name}")

    code, _, err = run("errors", loose, *asking, "--groups", r"(\w+)_", "--out", tmp_path / "o")

    assert code == 2
    assert "class folder" in err
    assert not (tmp_path / "o").exists()
