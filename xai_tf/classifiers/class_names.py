"""The names of a model's classes: as they are typed, in a file, or in the folders of its data."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xai_tf.errors import InputError

# Files with class names that people and tools put beside a model.
BESIDE = ("labels.txt", "class_indices.json", "classes.txt", "class_names.txt", "class_names.json")
_NUMBERED = re.compile(r"(\d+)[\s:,]+(.+)")  # "0 cat", as Teachable Machine writes


def readable(name: str) -> str:
    """A class name for people; files and JSON keep the name of the data.

    >>> readable("Irish_wolfhound")
    'Irish wolfhound'
    """
    return name.replace("_", " ").strip() or name


def parse_classes(given: str | None) -> tuple[str, ...] | None:
    """Class names as they are typed on the command line: a list, or a file of names.

    >>> parse_classes('"Corn (maize), healthy",rust')
    ('Corn (maize), healthy', 'rust')

    Args:
        given: names separated by commas, in quotes where a name contains one; or the path of a
            file as for `read_classes`. None stays None.

    Raises:
        InputError: the file is missing or lists no class names.
    """
    if not given:
        return None
    if given.lower().endswith((".txt", ".json", ".csv")):
        return read_classes(Path(given))
    (row,) = csv.reader([given], skipinitialspace=True)
    return tuple(name.strip() for name in row)


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names, in the order of the outputs, from a file.

    The file is a text with one name per line (numbered ones as of Teachable Machine are put in the
    order of their numbers), a CSV file with the names in its first row or one per line, or JSON: a
    list, {name: index} as of `class_indices`, or {index: name}.

    Raises:
        InputError: the file is missing, is none of these, or lists no class names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _from_json(text) if path.suffix.lower() == ".json" else _from_lines(text)
    except OSError as error:
        raise InputError(
            f"Cannot read the class names in {path}: {error.strerror or error}. Check the name."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"Cannot read the class names in {path}: {str(error).splitlines()[0]}. Expected one "
            "name per line, or JSON with a list or the index of each name."
        ) from error
    if not names:
        raise InputError(f"{path} lists no class names. Expected one name per line.")
    return names


def classes_beside(model: Path) -> Path | None:
    """The file with class names beside a model file, if there is one."""
    own = [model.with_suffix(suffix) for suffix in (".labels.txt", ".classes.txt")]
    files = [*own, *(model.parent / name for name in BESIDE)]
    return next((file for file in files if file.is_file()), None)


def class_folders(given: Sequence[Path], count: int) -> tuple[str, ...]:
    """The names of the folders in a folder of labeled files, in Keras' order; () unless `count`."""
    for folder in given:
        if folder.is_dir():
            names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
            if len(names) == count:
                return tuple(names)
    return ()


def _from_lines(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(numbered):
        pairs = [(int(found[1]), found[2]) for found in numbered if found]
        return _in_order(pairs)
    if len(lines) == 1:
        (lines,) = csv.reader(lines, skipinitialspace=True)
    else:
        lines = [",".join(row) if len(row) > 1 else row[0] for row in csv.reader(lines)]
    return tuple(name.strip() for name in lines)


def _from_json(text: str) -> tuple[str, ...]:
    loaded = json.loads(text)
    if isinstance(loaded, list):
        return tuple(map(str, loaded))
    if all(isinstance(value, int) for value in loaded.values()):
        return _in_order([(index, name) for name, index in loaded.items()])
    return _in_order(list(zip(map(int, loaded), _names(list(loaded.values())), strict=True)))


def _names(values: Sequence[object]) -> list[str]:
    """Names, also those of Keras' ImageNet index: ["n02123045", "tabby"].

    Two of its names stand for two classes each; these get their number: "crane (n02012849)".
    """
    names = [str(value[-1] if isinstance(value, list) else value) for value in values]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        f"{name} ({value[0]})" if name in twice and isinstance(value, list) else name
        for name, value in zip(names, values, strict=True)
    ]


def _in_order(pairs: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    numbers = sorted(index for index, _ in pairs)
    if numbers not in (list(range(len(pairs))), list(range(1, len(pairs) + 1))):
        raise ValueError(f"the numbers of the classes are {numbers[:5]}..., not 0, 1, 2, ...")
    return tuple(name for _, name in sorted(pairs))
