"""Marks: places in a file that people pointed out, and which files they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from xai_tf.datasets.listing import counted, label_of, some
from xai_tf.errors import InputError
from xai_tf.inputs.geometry import geometry_of
from xai_tf.inputs.options import DEFAULT_OPTIONS, ReadOptions
from xai_tf.inputs.pictures import read_picture
from xai_tf.inputs.resizing import resize
from xai_tf.inputs.sample import Sample, file_sha256

LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".heic", ".heif")  # their zeros are only nearly zero
MAX_ASPECT_CHANGE = 0.02  # between a mask and its file, before a warning

Ends = tuple[float, float, float, float]  # left, top, right, bottom
Size = tuple[int, int]  # height, width


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A place in a file that a person marked: a box or a mask.

    Attributes:
        file: the file as the marks name it, a path with forward slashes; of a mask, its own path
            below its folder.
        origin: where the mark was read, for messages: "boxes.csv, line 3".
        box: (left, top, right, bottom) from the upper left corner of the upright picture; None for
            a mask.
        in_shares: whether the box is in shares of the width and height, 0 to 1, and not in pixels
            of the file.
        at_corner: whether the box was given by x, y and its size, and these were read as its upper
            left corner, though they may be its center.
        mask: the picture of the mask, whose pixels above 0 are marked; in lossy formats those above
            half of the brightest.
        class_name: the class that the mark is about; "" for any.
    """

    file: str
    origin: str
    box: Ends | None = None
    in_shares: bool = False
    at_corner: bool = False
    mask: Path | None = None
    class_name: str = ""

    def draw(self, size: Size) -> tuple[np.ndarray, tuple[str, ...]]:
        """The mark in the pixels of its file, and what a person should know about it.

        Args:
            size: (height, width) of the file in pixels.

        Returns:
            bool array of that shape, and a sentence for each warning.

        Raises:
            InputError: the box is outside the picture, or the mask cannot be read.
        """
        if self.mask is not None:
            return _mask_pixels(self.mask, size)
        assert self.box is not None, "a mark has a box or a mask"
        return self._box_pixels(self.box, size)

    def to_dict(self) -> dict[str, Any]:
        """What decides which pixels it marks and for which class, as plain data."""
        return {
            "box": self.box and list(self.box),
            "in_shares": self.in_shares,
            "mask": self.mask and file_sha256(self.mask),
            "class_name": self.class_name,
        }

    def _box_pixels(self, box: Ends, size: Size) -> tuple[np.ndarray, tuple[str, ...]]:
        height, width = size
        scale = (width, height, width, height) if self.in_shares else (1, 1, 1, 1)
        left, top, right, bottom = (end * by for end, by in zip(box, scale, strict=True))
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise InputError(
                f"The box in {self.origin} is outside the picture {self.file}, which has "
                f"{width}x{height} pixels. Correct the box, or check which file it belongs to."
            )
        warnings: tuple[str, ...] = ()
        if not _fits((left, top, right, bottom), size):
            beyond = (
                f"The box in {self.origin} reaches beyond the picture of {width}x{height} pixels "
                "and was cut off there."
            )
            meant = " It would fit if x and y were its center: if so, name them x_center, y_center."
            is_meant = self.at_corner and _fits(centered((left, top, right, bottom)), size)
            warnings = (beyond + meant * is_meant,)
        first_column, last_column = _pixels(left, right, width)
        first_row, last_row = _pixels(top, bottom, height)
        drawn = np.zeros(size, bool)
        drawn[first_row:last_row, first_column:last_column] = True
        return drawn, warnings


@dataclass(frozen=True)
class Marks:
    """Marks of many files.

    Attributes:
        source: the file or folder they were read from.
        marks: all of them.
        notes: how they were read, a sentence each.
    """

    source: Path
    marks: tuple[Mark, ...]
    notes: tuple[str, ...] = ()

    def of_classes(self, classes: Sequence[str]) -> Marks:
        """The same marks with the names of a model's classes; synonyms count, and case does not.

        Marks of classes that the model lacks are left out, which a note says.

        Raises:
            InputError: the model has none of the classes of the marks.
        """
        known, foreign = [], []
        for mark in self.marks:
            label = label_of(mark.class_name, classes) if mark.class_name else None
            if label is not None:
                known.append(replace(mark, class_name=classes[label]))
            elif mark.class_name:
                foreign.append(mark.class_name)
            else:
                known.append(mark)
        names = sorted(set(foreign))
        if not known:
            raise InputError(
                f"The marks in {self.source} are of the classes {some(names)}, and the model has "
                f"{some(classes)}. Rename the classes, or remove them to use all marks."
            )
        left_out = (
            f"{counted(len(foreign), 'mark')} left out, of classes that the model does not have: "
            f"{some(names)}.",
        )
        return replace(self, marks=tuple(known), notes=(*self.notes, *left_out * bool(foreign)))


@dataclass(frozen=True)
class MatchedMarks:
    """The marks of each file.

    Attributes:
        by_file: the marks of those files that have any, in the order of the files.
        unmarked: the files without marks.
        unused: the names of files in the marks that are none of the files.
        by_name: the files whose marks name another folder, so that only the name agrees.
    """

    by_file: Mapping[Path, tuple[Mark, ...]]
    unmarked: tuple[Path, ...]
    unused: tuple[str, ...]
    by_name: tuple[Path, ...] = ()

    @property
    def left_out(self) -> str:
        """A sentence on the files without marks, for where they are left out; "" without any."""
        if not self.unmarked:
            return ""
        names = some(path.name for path in self.unmarked)
        return f"{counted(len(self.unmarked), 'file')} without marks left out: {names}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the marks, a sentence each."""
        notes = []
        if self.unused:
            notes.append(
                f"Marks of {counted(len(self.unused), 'file')} not used, as they are none of the "
                f"files given: {some(self.unused)}."
            )
        if self.by_name:
            notes.append(
                f"The marks of {counted(len(self.by_name), 'file')} name another folder and were "
                f"matched by the name of the file alone: {some(p.name for p in self.by_name)}."
            )
        return tuple(notes)


def centered(box: Ends) -> Ends:
    """The box whose center is the upper left corner of this one."""
    left, top, right, bottom = box
    back, up = (right - left) / 2, (bottom - top) / 2
    return left - back, top - up, right - back, bottom - up


def match_marks(marks: Marks, files: Sequence[Path]) -> MatchedMarks:
    """Find the marks of each file.

    A mark belongs to the file whose path ends in the path that the mark names; else to the one with
    that name; else to the one with that stem, the name without its suffix. So marks may name files
    relative to any folder above them, and a mask may have a suffix of its own.

    Args:
        marks: the marks.
        files: the files.

    Raises:
        InputError: a mark could belong to two files, or a file could have the marks of two names.
    """
    named: dict[str, list[Mark]] = {}
    for mark in marks.marks:
        named.setdefault(mark.file, []).append(mark)
    found: dict[Path, str] = {}
    by_name: list[Path] = []
    for key in (_whole_path, _path_without_suffix, _name, _stem):
        used = set(found.values())
        open_names = [name for name in named if name not in used]
        open_files = [path for path in files if path not in found]
        pairs = _pairs(marks.source, open_names, open_files, key)
        found |= pairs
        if key in (_name, _stem):
            by_name += [path for path, name in pairs.items() if "/" in name]
    used = set(found.values())
    return MatchedMarks(
        by_file={path: tuple(named[found[path]]) for path in files if path in found},
        unmarked=tuple(path for path in files if path not in found),
        unused=tuple(name for name in named if name not in used),
        by_name=tuple(by_name),
    )


def find_marks(
    marks: Marks, classes: Sequence[str], files: Sequence[Path]
) -> tuple[Marks, MatchedMarks]:
    """The marks that are of a model's classes, and which of them each file has.

    Args:
        marks: the marks.
        classes: of the model.
        files: the files.

    Raises:
        InputError: the model has none of the classes of the marks, none of the files has marks, or
            it is ambiguous which.
    """
    marks = marks.of_classes(classes)
    matched = match_marks(marks, files)
    if not matched.by_file:
        raise InputError(
            f"None of the files has marks in {marks.source}, which names {some(matched.unused)}. "
            "Name the files as they are."
        )
    return marks, matched


def place_marks(
    sample: Sample, marks: Sequence[Mark], options: ReadOptions | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The marks of a file in the pixels of its sample.

    Args:
        sample: read from the file.
        marks: the marks of that file.
        options: how the sample was read, `Classifier.read_options`.

    Returns:
        bool array of the size of the sample, and what a person should know, a sentence each.

    Raises:
        InputError: it is not known how the file became the sample, as for sound; a box is outside
            the picture, or a mask cannot be read.
    """
    geometry = geometry_of(sample, options or DEFAULT_OPTIONS)
    if geometry is None:
        raise InputError(
            f"Cannot place the marks on {sample.source}: it is not known which pixels of the file "
            "became which of the model's input. Marks are for pictures that xai-tf reads itself."
        )
    drawn = np.zeros(geometry.file_size, bool)
    warnings: list[str] = []
    for mark in marks:
        one, notes = mark.draw(geometry.file_size)
        drawn |= one
        warnings += notes
    return geometry.place(drawn), tuple(warnings)


Key = Callable[[PurePosixPath], tuple[str, ...]]


def _pairs(source: Path, names: Sequence[str], files: Sequence[Path], key: Key) -> dict[Path, str]:
    """The names that files go by, where the keys of both agree.

    Raises:
        InputError: a name goes with two files, or a file with two names.
    """
    # Of a path only as many parts count as the name has.
    by_key: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        if parts := key(PurePosixPath(name)):
            by_key.setdefault(parts, []).append(name)
    lengths = sorted({len(parts) for parts in by_key}, reverse=True)
    pairs: dict[Path, str] = {}
    owners: dict[str, Path] = {}
    for path in files:
        whole = key(PurePosixPath(path.absolute().as_posix()))
        tails = (whole[-length:] for length in lengths if length <= len(whole))
        of_file = next((by_key[tail] for tail in tails if tail in by_key), [])
        if len(of_file) > 1:
            raise InputError(
                f"The marks in {source} are ambiguous: both {of_file[0]} and {of_file[1]} could be "
                f"{path}. Name the files with their folders."
            )
        for name in of_file:
            if name in owners:
                raise InputError(
                    f"The marks in {source} are ambiguous: {name} could be both {owners[name]} and "
                    f"{path}. Name the files with their folders."
                )
            pairs[path], owners[name] = name, path
    return pairs


def _whole_path(path: PurePosixPath) -> tuple[str, ...]:
    return path.parts if len(path.parts) > 1 else ()


def _path_without_suffix(path: PurePosixPath) -> tuple[str, ...]:
    return (*path.parts[:-1], path.stem) if len(path.parts) > 1 else ()


def _name(path: PurePosixPath) -> tuple[str, ...]:
    return (path.name,)


def _stem(path: PurePosixPath) -> tuple[str, ...]:
    return (path.stem,)


def _fits(box: Ends, size: Size) -> bool:
    """Whether a box in pixels is within a picture, but for a pixel of rounding."""
    (left, top, right, bottom), (height, width) = box, size
    return left >= -1 and top >= -1 and right <= width + 1 and bottom <= height + 1


def _pixels(first: float, last: float, length: int) -> tuple[int, int]:
    """The whole pixels from an end to another, at least one, within the picture."""
    start = min(max(round(first), 0), length - 1)
    return start, min(max(round(last), start + 1), length)


def _mask_pixels(path: Path, size: Size) -> tuple[np.ndarray, tuple[str, ...]]:
    """A mask in the size of its file, resized to the nearest pixel."""
    levels = read_picture(path).levels
    brightest = levels.max(axis=-1) if levels.ndim == 3 else levels
    least = 0.5 * float(brightest.max()) if path.suffix.lower() in LOSSY else 0.0
    marked = brightest > least
    (height, width), (rows, columns) = size, marked.shape
    warnings: tuple[str, ...] = ()
    if abs((columns / rows) / (width / height) - 1) > MAX_ASPECT_CHANGE:
        warnings = (
            f"The mask {path.name} has {columns}x{rows} pixels and another aspect ratio than its "
            f"file with {width}x{height}; it was stretched to it.",
        )
    return resize(marked.astype(np.float32), size, "nearest") > 0, warnings
