"""The benchmark against what people marked: a fixed subset, and going on where it was stopped."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks.human_marks import Kept, scores_or_none, subset

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
