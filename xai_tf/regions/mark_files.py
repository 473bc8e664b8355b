"""Read marks of people: a CSV of boxes, a JSON file as COCO has it, or a folder of masks."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xai_tf.datasets.csv_labels import FILE_COLUMNS
from xai_tf.datasets.layouts import readable_files
from xai_tf.errors import InputError
from xai_tf.inputs.sample import PICTURE_SUFFIXES
from xai_tf.regions.marks import Ends, Mark, Marks, centered

# Names of columns; case, spaces and underscores are ignored.
NAME_COLUMNS = (*FILE_COLUMNS, "filename", "image", "imagename", "name")
CLASS_COLUMNS = ("class", "label", "classname", "category", "findinglabel")
END_COLUMNS = (
    ("left", "top", "right", "bottom"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
)
ROUNDING = 0.01  # of boxes in shares, that they may reach beyond the picture
SIZES = (("width", "height"), ("w", "h"))
CORNER_COLUMNS = tuple(("x", "y", *size) for size in SIZES)  # upper left corner, and size
CENTERS = (("xcenter", "ycenter"), ("centerx", "centery"), ("cx", "cy"))
CENTER_COLUMNS = tuple((*center, *size) for center in CENTERS for size in SIZES)
EXPECTED = (
    "Expected the column file, then left, top, right, bottom, or x, y, width, height, or x_center, "
    "y_center, width, height, and class if the boxes are about one"
)
YOLO = (
    "Text files of YOLO are not read: write their boxes into one CSV file with the columns file, "
    "class, x_center, y_center, width, height."
)
IN_SHARES = "The boxes in {} are read as shares of the width and height: all are from 0 to 1."
IN_PIXELS = "The boxes in {} are read as pixels of the files."
FROM_CORNERS = "x and y are read as the upper left corner of a box."
MEANT_CENTERS = (
    "From there, {} of {} boxes leave the picture, first that in {}; from their centers, none "
    "would. If x and y are centers, name them x_center, y_center."
)
FROM_CENTERS = "{} and {} are read as the center of a box."


def read_marks(source: str | Path) -> Marks:
    """Read marks that people made in pictures.

    - A CSV file with a line for each box: a column `file`, and either `left`, `top`, `right`,
      `bottom` (or `x0`, `y0`, `x1`, `y1`; `x1`, `y1`, `x2`, `y2`; `xmin`, ...), or `x`, `y`,
      `width`, `height` of a box whose upper left corner is at `x`, `y`, or `x_center`, `y_center`
      (or `cx`, `cy`), `width`, `height`. A column `class` is optional. All numbers from 0 to 1 are
      shares of the width and height, else all are pixels of the file.
    - A JSON file as COCO has it, with `images`, `annotations` (`bbox`) and `categories`. Outlines
      (`segmentation`) are not read.
    - A folder of masks, pictures with the same stems as the files.

    Positions are those of the picture as it is shown, turned as its EXIF data says.

    Args:
        source: the file or folder.

    Raises:
        InputError: there are no marks, or one is invalid; the text names the line.
    """
    source = Path(source)
    if source.is_dir():
        return _read_masks(source)
    if not source.is_file():
        raise InputError(
            f"There are no marks at {source}. Give a CSV or JSON file of boxes, or a folder of "
            "masks."
        )
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"Cannot read the marks in {source}: it is not UTF-8 text. Give a CSV or JSON file "
            "of boxes, or a folder of masks."
        ) from error
    if not text.strip():
        raise InputError(f"{source} is empty, so there are no marks. {EXPECTED}.")
    is_json = source.suffix.lower() == ".json"
    return _read_coco(source, text) if is_json else _read_boxes(source, text)


def _read_masks(folder: Path) -> Marks:
    paths = readable_files(folder, PICTURE_SUFFIXES)
    if not paths:
        step = "Give a folder of masks, named as the files they belong to."
        if any(folder.rglob("*.txt")):
            step = YOLO
        raise InputError(f"{folder} has no pictures, so there are no marks. {step}")
    marks = [
        Mark(file=path.relative_to(folder).as_posix(), origin=str(path), mask=path)
        for path in paths
    ]
    return Marks(folder, tuple(marks), (f"{folder} is read as a folder of masks.",))


def _read_boxes(source: Path, text: str) -> Marks:
    rows = csv.DictReader(text.splitlines())
    columns = {_folded(name): name for name in rows.fieldnames or () if name}
    file = next((columns[name] for name in NAME_COLUMNS if name in columns), None)
    of_class = next((columns[name] for name in CLASS_COLUMNS if name in columns), None)
    ends, corner, center = (
        _columns(columns, choices) for choices in (END_COLUMNS, CORNER_COLUMNS, CENTER_COLUMNS)
    )
    numbers = ends or corner or center
    if file is None or not numbers:
        step = YOLO if source.suffix.lower() == ".txt" else f"{EXPECTED}."
        raise InputError(
            f"{source} has the columns {', '.join(columns.values()) or 'of no table'}. {step}"
        )
    as_ends = _as_they_are if ends else _from_corner if corner else _from_center
    at_corner = as_ends is _from_corner
    marks, within = [], []
    for row in rows:
        origin = f"{source.name}, line {rows.line_num}"
        name = (row[file] or "").strip()
        if not name:
            raise InputError(f"There is no file in {source}, line {rows.line_num}. {EXPECTED}.")
        values = _numbers(source, rows.line_num, [row[column] for column in numbers])
        within.append(max(values) <= 1)
        marks.append(
            Mark(
                file=_slashes(name),
                origin=origin,
                box=_checked(origin, as_ends(values)),
                at_corner=at_corner,
                class_name=(row[of_class] or "").strip() if of_class else "",
            )
        )
    if not marks:
        raise InputError(f"{source} has no boxes below its columns, so there are no marks.")
    found = _with_unit(source, marks, within)
    if as_ends is _as_they_are:
        return found
    how = FROM_CENTERS.format(*numbers[:2])
    if at_corner:
        how = " ".join(filter(None, [FROM_CORNERS, _meant_centers(found.marks)]))
    return replace(found, notes=(*found.notes, how))


def _meant_centers(marks: Sequence[Mark]) -> str:
    """A sentence where boxes in shares, read from their corners, should be read from their centers.

    Whether boxes in pixels should is only known beside their pictures, see `Mark.draw`.
    """
    boxes = [mark.box for mark in marks if mark.box and mark.in_shares]
    leaving = [not _in_picture(box) for box in boxes]
    if not any(leaving) or not all(map(_in_picture, map(centered, boxes))):
        return ""
    first = marks[leaving.index(True)].origin
    return MEANT_CENTERS.format(sum(leaving), len(boxes), first)


def _in_picture(box: Ends) -> bool:
    return min(box) >= -ROUNDING and max(box) <= 1 + ROUNDING


def _with_unit(source: Path, marks: Sequence[Mark], within: Sequence[bool]) -> Marks:
    """Decide whether boxes are in shares or in pixels: in shares where all are within 0 to 1.

    Args:
        source: the file.
        marks: its boxes.
        within: of each whether its four numbers, as the file has them, are at most 1.

    Raises:
        InputError: some are and some are not, so that one of them is a mistake.
    """
    if all(within):
        shares = (replace(mark, in_shares=True) for mark in marks)
        return Marks(source, tuple(shares), (IN_SHARES.format(source.name),))
    if any(within):
        one, other = marks[within.index(True)], marks[within.index(False)]
        raise InputError(
            f"The box in {one.origin} looks like shares of the picture, from 0 to 1, and that in "
            f"{other.origin} like pixels. Use one of the two for all boxes."
        )
    return Marks(source, tuple(marks), (IN_PIXELS.format(source.name),))


def _read_coco(source: Path, text: str) -> Marks:
    try:
        found = json.loads(text)
        images = {image["id"]: image for image in found["images"]}
        names = {one["id"]: str(one["name"]) for one in found.get("categories", ())}
        annotations = found["annotations"]
        marks = [
            _coco_mark(source, number, one, images[one["image_id"]], names)
            for number, one in enumerate(annotations, 1)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"Cannot read the marks in {source} ({type(error).__name__}: {error}). Expected JSON "
            "as COCO has it, with images (id, file_name) and annotations (image_id, bbox)."
        ) from error
    if not marks:
        raise InputError(f"{source} has no annotations, so there are no marks.")
    return Marks(source, tuple(marks), (f"{source.name} is read as boxes of COCO.",))


def _coco_mark(
    source: Path,
    number: int,
    annotation: Mapping[str, Any],
    image: Mapping[str, Any],
    names: Mapping[Any, str],
) -> Mark:
    """A box of COCO; in shares where the size of the picture is given, which may be another."""
    origin = f"{source.name}, annotation {number}"
    left, top, width, height = (float(value) for value in annotation["bbox"])
    box = _checked(origin, _from_corner((left, top, width, height)))
    size = float(image.get("width") or 0), float(image.get("height") or 0)
    in_shares = all(size)
    if in_shares:
        box = (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
    return Mark(
        file=_slashes(str(image["file_name"])),
        origin=origin,
        box=box,
        in_shares=in_shares,
        class_name=names.get(annotation.get("category_id"), ""),
    )


def _columns(columns: Mapping[str, str], choices: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The first choice whose columns are all there, as the file writes them; else none."""
    for names in choices:
        if all(name in columns for name in names):
            return tuple(columns[name] for name in names)
    return ()


def _numbers(source: Path, line: int, cells: Sequence[str | None]) -> Ends:
    try:
        left, top, right, bottom = (float(cell or "") for cell in cells)
    except ValueError:
        left = top = right = bottom = math.nan
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise InputError(
            f"Invalid box in {source}, line {line}: {', '.join(cell or '-' for cell in cells)}. "
            "Expected four numbers."
        )
    return left, top, right, bottom


def _as_they_are(values: Ends) -> Ends:
    return values


def _from_corner(values: Ends) -> Ends:
    left, top, width, height = values
    return left, top, left + width, top + height


def _from_center(values: Ends) -> Ends:
    x, y, width, height = values
    return _from_corner((x - width / 2, y - height / 2, width, height))


def _checked(origin: str, box: Ends) -> Ends:
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise InputError(
            f"The box in {origin} has no area: left {left:g}, top {top:g}, right {right:g}, bottom "
            f"{bottom:g}. Expected left < right and top < bottom."
        )
    if right <= 0 or bottom <= 0:
        raise InputError(
            f"The box in {origin} is outside the picture: right {right:g}, bottom {bottom:g}. "
            "Expected positions from the upper left corner."
        )
    return box


def _slashes(name: str) -> str:
    """A path as files are compared, also where it was written on Windows."""
    return name.replace("\\", "/").removeprefix("./")


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "")
