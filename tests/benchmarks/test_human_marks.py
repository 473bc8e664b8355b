"""The benchmark against what people marked: a fixed subset, and going on where it was stopped."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.human_marks import Kept, scores_or_none, subset, table
from xai_tf.regions.marked import RIGHT, MarkedMap
from xai_tf.regions.yardstick import BLIND_MAPS

MASK = np.eye(20, dtype=bool)


def test_the_subset_has_the_test_files_first_and_the_others_evenly():
    files = [SimpleNamespace(path=Path(f"train/{number}.jpg")) for number in range(9)]
    files += [SimpleNamespace(path=Path(f"test/{number}.jpg")) for number in range(3)]

    names = [str(one.path) for one in subset(files, 6)]

    tests = ["test/0.jpg", "test/1.jpg", "test/2.jpg"]
    assert names == [*tests, "train/0.jpg", "train/4.jpg", "train/8.jpg"]
    assert len(subset(files, 50)) == 12
    assert [str(one.path) for one in subset(files, 2)] == tests[:2]


def test_what_was_computed_is_read_again(tmp_path):
    path, calls = tmp_path / "kept.jsonl", []

    def compute():
        calls.append(1)
        return [scores_or_none(MASK.astype(float), MASK), scores_or_none(np.ones((20, 20)), MASK)]

    first = Kept(path)(("model", "method", "file"), compute)
    again = Kept(path)(("model", "method", "file"), compute)

    assert first == again
    assert again[0].auc == 1
    assert again[1] is None
    assert len(calls) == 1


def test_scores_of_an_earlier_version_with_fewer_figures_are_computed_again(tmp_path):
    path, key = tmp_path / "kept.jsonl", ("model", "method", "file")
    path.write_text(json.dumps([key, {"area": 0.1, "pointing": True}]) + "\n")

    (found,) = Kept(path)(key, lambda: [scores_or_none(MASK.astype(float), MASK)])

    assert found.strict_pointing


def test_the_table_has_a_cell_for_each_column():
    scores = scores_or_none(MASK.astype(float), MASK)
    one = MarkedMap(
        file=Path("a.png"),
        method="saliency",
        target="cat",
        right=True,
        mask=MASK,
        scores=scores,
        blind=dict.fromkeys(BLIND_MAPS, scores),
    )

    head, rule, *rows = table("set", [(one, one)], RIGHT)[3:]

    assert len(rows) == 4
    assert {line.count("|") for line in (head, rule, *rows)} == {11}
