"""`--marks`: maps judged by what people marked."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import result_of
from xai_tf.regions.yardstick import FIGURES


@pytest.fixture
def files(tmp_path):
    """Three pictures in folders named as their classes, two of which have marks."""
    rng = np.random.default_rng(0)
    for name in ("cat/a.png", "dog/b.png", "dog/c.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 96, 3), np.uint8)).save(path)
    return tmp_path / "in"


@pytest.fixture
def boxes(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "file,left,top,right,bottom\ncat/a.png,10,10,40,30\ndog/b.png,0,0,20,20\nz.png,0,0,9,9\n"
    )
    return path


def test_maps_of_several_methods_are_judged_by_marks(run, asking, files, boxes, tmp_path):
    words = ["audit", files, *asking, "--method", "saliency,gradient_input", "--marks", boxes]

    code, printed, said = run(*words, "--out", tmp_path / "out", "--json")

    found = result_of(printed)
    assert code == 0
    assert [one["method"] for one in found["files"]] == ["saliency", "gradient_input"] * 2
    marks = found["marks"]
    assert marks["unmarked"] == [str(files / "dog" / "c.png")]
    assert marks["unused"] == ["z.png"]
    assert marks["tolerance"] == 4
    every = [row["method"] for row in marks["summary"] if row["answers"] == "all"]
    blind = ["center", "random", "edges", "usual place"]
    assert every == ["saliency", "gradient_input", *blind]
    assert {row["partition"] for row in found["summary"]} == {"frame", "people"}
    scores = found["files"][0]["marks"]["scores"]
    assert scores["area"] == pytest.approx(30 * 20 / (48 * 96), rel=0.1)
    assert 0 <= scores["auc"] <= 1
    assert "1 file without marks left out" in said
    assert len(list((tmp_path / "out").glob("*-saliency.png"))) == 2


def test_the_table_and_the_csv_have_the_same_rows(run, asking, files, boxes):
    words = ["audit", files, *asking, "--method", "saliency", "--marks", boxes, "--tolerance", "0"]

    _, shown, _ = run(*words)
    _, printed, _ = run(*words, "--csv")

    rows = list(csv.DictReader(io.StringIO(printed)))
    assert "What people marked" in shown
    assert "Usual place" in shown
    assert "within 0 pixels" in shown
    assert "strict pointing" in " ".join(shown.split())
    assert all(row["pointing"] == row["strict_pointing"] for row in rows)
    assert {row["method"] for row in rows} >= {"saliency", "center"}
    assert float(rows[0]["auc_low"]) <= float(rows[0]["auc"]) <= float(rows[0]["auc_high"])


def test_a_folder_of_masks_will_do(run, asking, files, tmp_path):
    mask = np.zeros((24, 48), np.uint8)
    mask[:12] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "c.png")
    words = ["audit", files, *asking, "--method", "saliency", "--marks", tmp_path / "masks"]

    code, printed, _ = run(*words, "--json")

    (one,) = result_of(printed)["files"]
    assert code == 0
    assert one["marks"]["scores"]["area"] == pytest.approx(0.5)


def test_a_box_outside_its_picture_is_a_failure_of_that_file(run, asking, files, boxes):
    with boxes.open("a") as file:
        file.write("dog/c.png,400,0,420,20\n")
    words = ["audit", files, *asking, "--method", "saliency", "--marks", boxes]

    code, printed, _said = run(*words, "--json")

    (failure,) = json.loads(printed)["failures"]
    assert code == 2
    assert failure["file"] == str(files / "dog" / "c.png")
    assert "line 5 is outside the picture" in failure["error"]
    assert len(result_of(printed)["files"]) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("file,left,top,right,bottom\nq.png,1,1,2,2\n", "None of the files has marks"),
        ("file,left,top,right,bottom,class\na.png,1,1,2,2,cow\n", "of the classes cow"),
    ],
)
def test_marks_that_are_of_no_use_are_refused(run, asking, files, boxes, text, told):
    boxes.write_text(text)

    code, _, said = run("audit", files, *asking, "--method", "saliency", "--marks", boxes)

    assert code == 2
    assert told in " ".join(said.split())


@pytest.mark.parametrize("command", ["audit", "explain"])
def test_a_tolerance_without_marks_is_refused(run, asking, files, command):
    code, _, said = run(command, files, *asking, "--tolerance", 3)

    assert code == 2
    assert "--tolerance is for marks" in said


def test_explain_judges_the_maps_of_files_that_have_marks(run, asking, files, boxes, tmp_path):
    out = tmp_path / "out"
    words = ["explain", files, *asking, "--method", "saliency,gradient_input", "--out", out]

    code, printed, said = run(*words, "--marks", boxes, "--json")
    audited = result_of(
        run("audit", files, *asking, "--marks", boxes, "--method", "saliency", "--json")[1]
    )
    run("report", out, "--out", tmp_path / "report.html")

    first, _, unmarked = result_of(printed)
    assert code == 0
    assert "marks" not in unmarked["explanations"][0]
    assert "1 file without marks, so not judged by them: c.png." in " ".join(said.split())
    judgment = first["explanations"][0]["marks"]
    assert judgment == audited["files"][0]["marks"]
    assert list(judgment["scores"]) == ["area", *FIGURES]
    assert set(judgment["blind"]) == {"center", "random", "edges"}
    for page in (out / "index.html", tmp_path / "report.html"):
        html = page.read_text("utf-8")
        assert html.count("<summary>What people marked</summary>") == 2
        assert "Centered Gaussian" in html
        assert f"{judgment['scores']['auc']:.3f}" in html


def test_explain_shows_the_maps_beside_blind_ones(run, asking, files, boxes, tmp_path):
    words = ["explain", files / "cat", *asking, "--method", "saliency", "--out", tmp_path / "out"]

    _, shown, _ = run(*words, "--marks", boxes)

    assert "What people marked" in shown
    assert "Centered" in shown
    assert "Usual place" not in shown  # one file knows of no other


def test_other_marks_or_none_are_another_request(run, asking, files, boxes, tmp_path):
    words = ["explain", files, *asking, "--method", "saliency", "--out", tmp_path / "out"]
    run(*words, "--marks", boxes)

    _, _, again = run(*words, "--marks", boxes)
    without, _, said = run(*words)
    boxes.write_text(boxes.read_text().replace("0,0,20,20", "0,0,20,21"))
    changed, _, named = run(*words, "--marks", boxes)

    assert "3 of 3 files are explained" in " ".join(again.split())
    assert (without, changed) == (2, 2)
    assert "answers another request (marks) about a, b" in " ".join(said.split())
    assert "answers another request (marks) about b" in " ".join(named.split())


def test_a_box_outside_its_picture_fails_that_file_before_it_is_explained(
    run, asking, files, boxes, tmp_path
):
    with boxes.open("a") as file:
        file.write("dog/c.png,400,0,420,20\n")
    words = ["explain", files, *asking, "--method", "saliency", "--out", tmp_path / "out"]

    code, printed, _said = run(*words, "--marks", boxes, "--json")

    (failure,) = json.loads(printed)["failures"]
    assert code == 2
    assert "line 5 is outside the picture" in failure["error"]
    assert len(result_of(printed)) == 2


def test_a_map_that_cannot_be_judged_says_why_in_the_pages(run, asking, files, boxes, tmp_path):
    boxes.write_text("file,left,top,right,bottom\ncat/a.png,0,0,96,48\n")
    out = tmp_path / "out"

    _, printed, said = run(
        *("explain", files / "cat", *asking, "--method", "saliency", "--out", out),
        *("--marks", boxes, "--json"),
    )
    run("report", out, "--out", tmp_path / "report.html")

    (one,) = result_of(printed)
    judgment = one["explanations"][0]["marks"]
    assert judgment["scores"] is None
    assert judgment["blind"] == {}
    assert "cover the whole picture" in " ".join(said.split())
    for page in (out / "index.html", tmp_path / "report.html"):
        assert "cover the whole picture" in page.read_text("utf-8")


def test_errors_are_reported_with_marks(run, asking, files, boxes, tmp_path):
    (files / "bird").mkdir()
    (files / "dog" / "c.png").rename(files / "bird" / "c.png")
    words = ["errors", files, *asking, "--method", "saliency", "--marks", boxes]

    code, printed, said = run(*words, "--out", tmp_path / "out", "--json")

    found = result_of(printed)
    assert code == 0
    assert found["marks"]["source"] == str(boxes)
    judged = {one["file"] for one in found["mistakes"] if one["marks"]}
    assert judged == {one["file"] for one in found["mistakes"] if "c.png" not in one["file"]}
    assert "explained have marks" in said
    assert "What people marked" in (tmp_path / "out" / "errors.html").read_text()
