"""Whole searches side by side."""

import json

import pytest

from tests.tuning.test_supervisor import draw, processes
from tuning.parallel_searches import OUTCOMES, read_searches, run_many
from tuning.trials import read_search
from xai_tf.errors import InputError


def test_a_failing_search_does_not_stop_the_others(tmp_path):
    file = tmp_path / "searches.txt"
    file.write_text("# two\n\nnowhere --task nothing --name wrong\n--help --name 'well told'\n")
    told = []

    wrong, well = run_many(file, 2, lambda text, done, total: told.append((text, done, total)))

    assert (wrong.name, wrong.code) == ("wrong", 2)
    assert "nothing" in wrong.log.read_text()
    assert (well.name, well.code) == ("well told", 0)
    assert [o["code"] for o in json.loads((tmp_path / "searches" / OUTCOMES).read_text())] == [2, 0]
    assert told[-1][1:] == (2, 2)


@pytest.mark.slow
def test_searches_run_side_by_side(tmp_path):
    file, root, data = (tmp_path / name for name in ("searches.txt", "root", "data"))
    draw(data)
    asked = (
        f"{data} --task lung_opacity --backbone cnn --weights none --image-size 32 "
        f"--copies 1 --max-epochs 1 --factor 2 --batch-size 8 --root {root} "
        f"--out {root}"
    )
    file.write_text(f"{asked} --name first\n{asked} --name second --seed 0\n")

    first, second = run_many(file, 2)

    assert first.code == 0, first.log.read_text()
    assert len(read_search(root / "first").ranked()) == 1
    assert second.code == 2
    assert "seed is 0" in second.log.read_text()


def test_ctrl_c_stops_all_searches(tmp_path):
    file = tmp_path / "searches.txt"
    file.write_text(f"{tmp_path} --task lung_opacity --name {tmp_path.name} --root {tmp_path}\n")

    def report(text, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_many(file, 1, report)

    assert "other" not in processes(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# nothing\n", "names no search"),
        ("a --name x\nb --name=x\n", "Line 2 .* names 'x' again"),
        ("a --name 'x\n", "Line 1 .*[Qq]uot"),
    ],
)
def test_a_file_of_searches_that_cannot_be_meant_is_refused(tmp_path, text, told):
    file = tmp_path / "searches.txt"
    file.write_text(text)

    with pytest.raises(InputError, match=told):
        read_searches(file)
