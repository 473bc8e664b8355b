"""The report of mistakes, with what people marked in the files."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from xai_tf.errors import InputError
from xai_tf.rendering.heatmaps import OUTLINE
from xai_tf.reports.errors import ErrorSettings, report_errors

HEAD = "file,left,top,right,bottom,class\n"


@pytest.fixture
def sides(tmp_path):
    """Three pictures of the brighter side; one is in the wrong folder, its right half bright."""
    for name, left, right in (("left/a", 200, 100), ("left/wrong", 10, 250), ("right/c", 10, 200)):
        picture = np.full((32, 32), left, np.uint8)
        picture[:, 16:] = right
        path = tmp_path / "sides" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return tmp_path / "sides"


def reported(halves, sides, boxes: str):
    """The report of the mistakes with marks, and what was said."""
    marks, said = sides.parent / "boxes.csv", []
    marks.write_text(HEAD + boxes)
    settings = ErrorSettings(
        source=sides, method="gradient_input", out=sides.parent / "out", marks=marks
    )
    return report_errors(halves, settings, notify=said.append), said


def test_marks_are_judged_and_outlined_in_the_report(halves, sides):
    report, said = reported(halves, sides, "left/wrong.png,16,8,32,24,\nz.png,1,1,2,2,\n")

    (mistake,) = report.described["mistakes"]
    assert mistake["marks"]["right"] is False
    scores = mistake["marks"]["scores"]
    assert scores["area"] == 0.25
    assert scores["share"] == pytest.approx(0.5)  # half of the right half, which has it all
    assert scores["pointing"]
    assert scores["strict_pointing"]
    assert report.described["marks"]["unused"] == ["z.png"]
    assert "1 of 1 mistake explained have marks." in said
    html = report.page.read_text()
    assert "What people marked is outlined, 25.0% of the picture" in html
    assert "points at it with its strongest pixel" in html
    assert ">strict pointing<" in html
    assert "Usual place" not in html  # there are no other files
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), int)
        for data in re.findall(r"data:image/png;base64,([^\"]+)", html)
    ]
    inside = pictures[0][8, 17:31] * 2 - 250  # the picture and the outline, half of each
    np.testing.assert_allclose(inside, np.tile(OUTLINE, (14, 1)), atol=3)


def test_marks_of_the_true_class_judge_the_map_of_a_wrong_answer(halves, sides):
    report, _ = reported(halves, sides, "left/wrong.png,0,8,16,24,left\n")

    (mistake,) = report.described["mistakes"]
    assert mistake["marks"]["scores"]["share"] == 0
    assert not mistake["marks"]["scores"]["pointing"]


def test_a_mistake_without_marks_has_none(halves, sides):
    report, said = reported(halves, sides, "left/a.png,16,8,32,24,\n")

    assert report.described["mistakes"][0]["marks"] is None
    assert report.described["marks"]["unmarked"] == [str(sides / "left" / "wrong.png")]
    assert "0 of 1 mistake explained have marks." in said


def test_a_box_outside_the_picture_of_a_mistake_is_said(halves, sides):
    report, said = reported(halves, sides, "left/wrong.png,40,8,60,24,\n")

    assert report.described["mistakes"][0]["marks"] is None
    assert any("line 2 is outside the picture" in text for text in said)


def test_marks_of_no_file_are_refused(halves, sides):
    with pytest.raises(InputError, match="None of the files has marks"):
        reported(halves, sides, "z.png,1,1,2,2,\n")
