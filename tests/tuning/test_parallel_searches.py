"""Whole searches in parallel."""

import json

import pytest

from tests.tuning.test_supervisor import draw, processes
from tuning.parallel_searches import RESULTS, read_searches, run_searches
from tuning.trials import read_search
from xai_tf.errors import InputError


def test_a_failing_search_does_not_stop_the_others(tmp_path):
    file = tmp_path / "searches.txt"
    file.write_text("# two\n\nnowhere --task nothing --name wrong\n--help --name 'only help'\n")
    reports = []

    wrong, well = run_searches(file, 2, lambda *report: reports.append(report))

    assert (wrong.name, wrong.exit_code) == ("wrong", 2)
    assert "nothing" in wrong.log.read_text()
    assert (well.name, well.exit_code) == ("only help", 0)
    assert [o["code"] for o in json.loads((tmp_path / "searches" / RESULTS).read_text())] == [2, 0]
    assert reports[-1][:2] == (2, 2)


@pytest.mark.slow
def test_searches_run_in_parallel(tmp_path):
    file, root, data = (tmp_path / name for name in ("searches.txt", "root", "data"))
    draw(data)
    arguments = (
        f"{data} --task lung_opacity --backbone cnn --weights none --image-size 32 "
        f"--augmentations 1 --max-epochs 1 --factor 2 --batch-size 8 --root {root} "
        f"--out {root}"
    )
    file.write_text(f"{arguments} --name first\n{arguments} --name second --seed 0\n")

    first, second = run_searches(file, 2)

    assert first.exit_code == 0, first.log.read_text()
    assert len(read_search(root / "first").ranked()) == 1
    assert second.exit_code == 2
    assert "Invalid value for seed: 0" in second.log.read_text()


def test_ctrl_c_stops_all_searches(tmp_path):
    file = tmp_path / "searches.txt"
    file.write_text(f"{tmp_path} --task lung_opacity --name {tmp_path.name} --root {tmp_path}\n")

    def interrupt(done, total, what=""):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_searches(file, 1, interrupt)

    assert "other" not in processes(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "contains no search"),
        ("a --name x\nb --name=x\n", "Line 2 .* uses the name 'x' again"),
        ("a --name 'x\n", "line 1 .*[Qq]uot"),
    ],
)
def test_an_invalid_file_of_searches_is_refused(tmp_path, text, message):
    file = tmp_path / "searches.txt"
    file.write_text(text)

    with pytest.raises(InputError, match=message):
        read_searches(file)
