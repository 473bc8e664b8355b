"""Whatever writes keeps what is there already, unless it is asked to replace it."""

import pytest

from tests.conftest import SAMPLES
from xai_tf.reports.html import document
from xai_tf.sonification.export import REGIONS

CAT = SAMPLES / "cat.jpg"
TASK = ["--task", "lung_opacity", "--name", "x"]
AUDIO = ["--model", "audio_mobilenetv2"]
# By command: its arguments, and what an earlier run left in `out`.
EARLIER = {
    "audit": ([CAT, "--method", "saliency", "--out", "{out}"], "cat.png"),
    "compare": ([CAT, "--method", "saliency", "--out", "{out}"], "cat/manifest.json"),
    "errors": (["data", "--model", "xray_alexnet", "--out", "{out}"], "errors.html"),
    "listen": (["a.wav", *AUDIO, "--out", "{out}/sounds"], f"sounds/{REGIONS}"),
    "profile": (["calls", *AUDIO, "--out", "{out}/bands.png"], "bands.png"),
    "train": (["data", *TASK, "--out", "{out}"], "x.keras"),
    "tune": (["data", *TASK, "--root", "{out}/searches", "--out", "{out}"], "x.keras"),
}


@pytest.mark.parametrize("command", EARLIER)
def test_an_earlier_result_is_kept_and_the_next_step_is_named(run, asking, tmp_path, command):
    words, left = EARLIER[command]
    place = tmp_path / left
    place.parent.mkdir(exist_ok=True)
    place.write_text(document("An earlier page", ""))
    words = [str(word).format(out=tmp_path) for word in words]
    words += asking if command in ("audit", "compare") else []

    code, _, err = run(command, *words)

    assert code == 2
    assert err.count("\n") == 1
    assert str(place) in err or str(place.parent) in err
    assert "Add --overwrite to replace it, or use another --" in err
    assert place.read_text() == document("An earlier page", "")


def test_it_is_replaced_with_overwrite(run, asking, tmp_path):
    words = ["audit", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out"]
    assert run(*words)[0] == 0
    picture = tmp_path / "out" / "cat.png"
    before = picture.stat().st_mtime_ns

    assert run(*words)[0] == 2
    kept = picture.stat().st_mtime_ns
    code, _, _ = run(*words, "--overwrite")

    assert code == 0
    assert kept == before < picture.stat().st_mtime_ns


def test_a_report_is_replaced_with_overwrite(run, asking, tmp_path):
    bundles, page = tmp_path / "out", tmp_path / "report.html"
    run("explain", CAT, *asking, "--method", "saliency", "--out", bundles)
    words = ["report", bundles, "--out", page]

    codes = [run(*words, *more)[0] for more in ([], [], ["--overwrite"])]

    assert codes == [0, 2, 0]
