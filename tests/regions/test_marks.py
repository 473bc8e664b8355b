"""Marks of people: read from boxes and masks, and found again on the pixels of a sample."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from xai_tf.errors import InputError
from xai_tf.inputs.sample import read_image
from xai_tf.regions import Mark, Marks, match_marks, place_marks, read_marks

CAT = SAMPLES / "cat.jpg"
SIZE = (100, 200)  # height and width of a picture


def saved(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def picture(path: Path, size=SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, 99, np.uint8)).save(path)
    return path


def drawn(mark: Mark, size=SIZE):
    """The ends of what a mark draws: rows, then columns."""
    rows, columns = np.nonzero(mark.draw(size)[0])
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def named(*names: str) -> Marks:
    marks = tuple(Mark(file=name, origin="boxes.csv, line 2", box=(0, 0, 1, 1)) for name in names)
    return Marks(Path("boxes.csv"), marks)


@pytest.mark.parametrize(
    ("text", "in_shares"),
    [
        ("file,left,top,right,bottom\na.png,20,10,60,50\n", False),
        ("file,x,y,width,height\na.png,20,10,40,40\n", False),
        ("File,X,Y,W,H\na.png,20,10,40,40\n", False),
        ("image,xmin,ymin,xmax,ymax\na.png,20,10,60,50\n", False),
        ("path,x1,y1,x2,y2\na.png,20,10,60,50\n", False),
        ("file,x0,y0,x1,y1\na.png,0.1,0.1,0.3,0.5\n", True),
        ("file,x,y,width,height\na.png,0.1,0.1,0.2,0.4\n", True),
        ("file,x_center,y_center,width,height\na.png,40,30,40,40\n", False),
        ("file,cx,cy,w,h\na.png,0.2,0.3,0.2,0.4\n", True),
        ("file,Center X,Center Y,w,h\na.png,40,30,40,40\n", False),
        ("\ufefffile,left,top,right,bottom\na.png,20,10,60,50\n", False),
    ],
)
def test_boxes_are_read_in_pixels_or_shares(tmp_path, text, in_shares):
    marks = read_marks(saved(tmp_path / "boxes.csv", text))

    (mark,) = marks.marks
    assert (mark.file, mark.in_shares) == ("a.png", in_shares)
    assert drawn(mark) == (10, 50, 20, 60)
    assert ("shares" if in_shares else "pixels") in marks.notes[0]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("x,y,w,h", "x and y are read as the upper left corner of a box."),
        ("x_center,y_center,w,h", "x_center and y_center are read as the center of a box."),
    ],
)
def test_whether_corners_or_centers_were_read_is_said(tmp_path, columns, told):
    marks = read_marks(saved(tmp_path / "boxes.csv", f"file,{columns}\na.png,40,30,40,40\n"))

    assert marks.notes[-1] == told


@pytest.mark.parametrize("in_shares", [True, False])
def test_centers_that_are_read_as_corners_are_told_once_a_box_leaves_the_picture(
    tmp_path, in_shares
):
    with Image.open(CAT) as opened:
        width, height = opened.size
    center = (0.7, 0.5, 0.5, 0.4) if in_shares else (0.7 * width, 0.5 * height, width / 2, 9)
    numbers = ",".join(map(str, center))
    (corner,) = read_marks(saved(tmp_path / "a.csv", f"file,x,y,w,h\ncat.jpg,{numbers}\n")).marks
    (named,) = read_marks(saved(tmp_path / "b.csv", f"file,cx,cy,w,h\ncat.jpg,{numbers}\n")).marks
    (sample,) = read_image(CAT, (224, 224))

    _, (warning,) = place_marks(sample, [corner])
    mask, warnings = place_marks(sample, [named])

    assert corner.in_shares == named.in_shares == in_shares
    assert "a.csv, line 2 reaches beyond the picture" in warning
    assert "if so, name them x_center, y_center" in warning
    assert warnings == ()
    columns = np.nonzero(mask.any(axis=0))[0]
    assert columns.min() / 224 == pytest.approx(0.45, abs=0.01)
    assert columns.max() / 224 == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("other", "told"),
    [("0.4,0.4,0.2,0.2", True), ("0.01,0.4,0.2,0.2", False)],
)
def test_a_file_of_centers_that_is_read_from_corners_says_so_once(tmp_path, other, told):
    text = f"file,x,y,width,height\na.png,{other}\nb.png,0.9,0.5,0.2,0.2\n"

    note = read_marks(saved(tmp_path / "boxes.csv", text)).notes[-1]

    sentence = "1 of 2 boxes leave the picture, first that in boxes.csv, line 3"
    assert (sentence in note) == told


def test_a_box_that_fits_neither_way_is_not_taken_for_a_center(tmp_path):
    text = "file,x,y,w,h\na.png,150,60,110,70\na.png,150,40,150,40\n"
    marks = read_marks(saved(tmp_path / "boxes.csv", text)).marks

    fits, neither = (mark.draw(SIZE)[1][0] for mark in marks)

    assert "x_center" not in fits  # half of 110 beside 150 leaves the picture too
    assert "x_center" not in neither


def test_text_files_of_yolo_are_refused_with_the_next_step(tmp_path):
    file = saved(tmp_path / "a.txt", "0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n")

    for source in (file, tmp_path):
        with pytest.raises(InputError, match="columns file, class, x_center, y_center, width"):
            read_marks(source)


def test_a_file_may_have_several_boxes_and_classes(tmp_path):
    text = "file,left,top,right,bottom,class\na.png,0,0,9,9,Cat\na.png,20,20,30,30,\n"

    marks = read_marks(saved(tmp_path / "boxes.csv", text)).of_classes(("dog", "cat"))

    assert [mark.class_name for mark in marks.marks] == ["cat", ""]


def test_marks_of_classes_the_model_lacks_are_left_out_and_said(tmp_path):
    text = "file,left,top,right,bottom,class\na.png,0,0,9,9,cat\na.png,20,20,30,30,cow\n"
    marks = read_marks(saved(tmp_path / "boxes.csv", text))

    known = marks.of_classes(("dog", "cat"))

    assert [mark.class_name for mark in known.marks] == ["cat"]
    assert known.notes[-1].startswith("1 mark left out")
    assert "cow" in known.notes[-1]
    with pytest.raises(InputError, match=r"of the classes cat, cow.*the model has left, right"):
        marks.of_classes(("left", "right"))


def test_boxes_of_coco_are_read_at_any_size_of_the_file(tmp_path):
    coco = {
        "images": [{"id": 7, "file_name": "a.png", "width": 400, "height": 200}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"image_id": 7, "bbox": [40, 20, 80, 80], "category_id": 1}],
    }

    (mark,) = read_marks(saved(tmp_path / "boxes.json", json.dumps(coco))).marks

    assert drawn(mark) == (10, 50, 20, 60)
    assert mark.class_name == "cat"


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_mask_is_laid_over_its_file_whatever_its_size(tmp_path, scale, suffix):
    mask = np.zeros((SIZE[0] * scale, SIZE[1] * scale), np.uint8)
    mask[16 * scale : 48 * scale, 24 * scale : 64 * scale] = 255
    Image.fromarray(mask).save(tmp_path / f"a{suffix}")

    (mark,) = read_marks(tmp_path).marks

    marked, warnings = mark.draw(SIZE)
    truth = np.zeros(SIZE, bool)
    truth[16:48, 24:64] = True
    assert (marked != truth).mean() < (0.005 if suffix == ".jpg" else 1e-9)
    assert not warnings


def test_a_mask_of_labels_marks_all_of_them(tmp_path):
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 10:20], mask[30:40, 30:40] = 1, 2
    Image.fromarray(mask).save(tmp_path / "a.png")

    assert read_marks(tmp_path).marks[0].draw(SIZE)[0].sum() == 200


def test_a_mask_of_another_aspect_ratio_is_stretched_with_a_warning(tmp_path):
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(tmp_path / "a.png")

    marked, (warning,) = read_marks(tmp_path).marks[0].draw(SIZE)

    assert marked.all()
    assert "50x50 pixels and another aspect ratio" in warning


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("file,left,top,right,bottom\n", "no boxes below its columns"),
        ("file,left,top\na.png,1,2\n", "has the columns file, left, top.*Expected the column"),
        ("left,top,right,bottom\n1,2,3,4\n", "has the columns left, top"),
        ("file,left,top,right,bottom\na.png,1,2,x,4\n", "line 2: 1, 2, x, 4"),
        ("file,left,top,right,bottom\na.png,1,2\n", "line 2: 1, 2, -, -"),
        ("file,left,top,right,bottom\na.png,1,2,nan,4\n", "Expected four numbers"),
        ("file,left,top,right,bottom\na.png,9,2,9,4\n", "line 2 has no area"),
        ("file,x,y,width,height\na.png,9,2,-3,4\n", "line 2 has no area"),
        ("file,left,top,right,bottom\na.png,-9,2,-3,4\n", "line 2 is outside the picture"),
        ("file,left,top,right,bottom\n,1,2,3,4\n", "There is no file in .*line 2"),
        (
            "file,left,top,right,bottom\na.png,.1,.1,.3,.4\nb.png,9,9,20,20\n",
            "line 2 looks like shares.*line 3 like pixels",
        ),
    ],
)
def test_invalid_boxes_are_refused_with_their_line(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_marks(saved(tmp_path / "boxes.csv", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Expected JSON as COCO has it"),
        ("[]", "Expected JSON as COCO has it"),
        ('{"images": [], "annotations": []}', "no annotations"),
        ('{"images": [], "annotations": [{"image_id": 3, "bbox": [1, 1, 1, 1]}]}', "KeyError"),
    ],
)
def test_invalid_json_is_refused(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_marks(saved(tmp_path / "boxes.json", text))


def test_marks_that_are_nowhere_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    binary = tmp_path / "boxes.csv"
    binary.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="There are no marks at"):
        read_marks(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="has no pictures, so there are no marks"):
        read_marks(tmp_path / "empty")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_marks(binary)


def test_a_box_outside_the_picture_is_refused_and_one_beyond_it_cut():
    outside = Mark(file="a.png", origin="boxes.csv, line 3", box=(300, 10, 340, 50))
    beyond = Mark(file="a.png", origin="boxes.csv, line 4", box=(150, 60, 260, 130))

    with pytest.raises(InputError, match=r"line 3 is outside the picture a.png.*200x100"):
        outside.draw(SIZE)
    marked, (warning,) = beyond.draw(SIZE)
    assert marked.sum() == 40 * 50
    assert "line 4 reaches beyond" in warning


@pytest.mark.parametrize(
    "name", ["in/a.png", "data/in/a.png", "a.png", "a", "a.tif", "old/a.png", "in/a.tif"]
)
def test_marks_find_their_file_by_path_name_or_stem(name):
    file = Path("data/in/a.png")

    matched = match_marks(named(name), [file, Path("data/in/b.png")])

    assert list(matched.by_file) == [file]
    assert matched.unmarked == (Path("data/in/b.png"),)
    assert matched.by_name == ((file,) if name == "old/a.png" else ())


def test_a_path_counts_more_than_a_name():
    files = [Path("test/a.png"), Path("train/a.png")]

    matched = match_marks(named("train/a.png", "test/a.png"), files)

    assert [marks[0].file for marks in matched.by_file.values()] == ["test/a.png", "train/a.png"]


def test_ambiguous_names_are_refused_and_both_are_named():
    files = [Path("test/a.png"), Path("train/a.png")]

    with pytest.raises(InputError, match=r"a\.png could be both test/a\.png and train/a\.png"):
        match_marks(named("a.png"), files)
    with pytest.raises(InputError, match=r"both a\.png and a\.tif could be .*a\.bmp"):
        match_marks(named("a.png", "a.tif"), [Path("a.bmp")])


def test_files_without_marks_and_marks_without_files_are_said():
    matched = match_marks(named("a.png", "c.png"), [Path("a.png"), Path("b.png")])

    assert matched.unused == ("c.png",)
    (unused,) = matched.notes
    assert matched.left_out == "1 file without marks left out: b.png."
    assert unused.startswith("Marks of 1 file not used")
    assert "c.png" in unused


def test_marks_are_placed_on_the_pixels_of_the_sample(tmp_path):
    path = picture(tmp_path / "a.png")
    (sample,) = read_image(path, (50, 50))
    boxes = [(20, 10, 60, 50), (0, 90, 20, 100)]
    marks = [Mark(file="a.png", origin="", box=box) for box in boxes]

    mask, warnings = place_marks(sample, marks)

    truth = np.zeros((50, 50), bool)
    truth[5:25, 5:15], truth[45:50, 0:5] = True, True
    np.testing.assert_array_equal(mask, truth)
    assert warnings == ()


def test_marks_cannot_be_placed_where_the_file_is_gone(tmp_path):
    path = picture(tmp_path / "a.png")
    (sample,) = read_image(path, (50, 50))
    path.unlink()

    with pytest.raises(InputError, match="Cannot place the marks on"):
        place_marks(sample, [Mark(file="a.png", origin="", box=(0, 0, 9, 9))])
