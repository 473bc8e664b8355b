"""Records as plain data and arrays, and back: for bundles, and for whatever else stores answers.

A record is a dataclass. Its tree is JSON: a dict of its fields, in which an array stands as the
name it is stored under, a `Method` or `Metric` as its name, bytes as an array, and a nested record
as its own tree. What a field is, its annotation says; so a field that is added to a record is
stored and read back without a line here. A field that is missing from a tree, because an earlier
version wrote it, takes its default.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Method
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.metric import METRICS, Metric

# Records that live in a table, and stand in a tree by their name there.
TABLES: dict[type, Mapping[str, Any]] = {Method: METHODS, Metric: METRICS}


class Encoder:
    """Turns records into trees.

    Attributes:
        arrays: what the trees refer to, by name; an array that occurs twice is there once.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, Any] = {}
        self._alive: list[np.ndarray] = []  # or another array could get the same id

    def store(self, field: str, array: np.ndarray) -> Any:
        """Keep an array; return what stands for it in the tree.

        Args:
            field: the name of the field that holds it.
            array: of any shape and dtype.
        """
        name = f"a{len(self.arrays)}"
        self.arrays[name] = array
        return name

    def encode(self, value: Any, field: str = "", leave_out: tuple[str, ...] = ()) -> Any:
        """The tree of a value.

        Args:
            value: a record, a number, a text, an array, bytes, or a container of those.
            field: the name of the field that holds it.
            leave_out: fields of the record that do not go into its tree.
        """
        if isinstance(value, np.ndarray):
            if id(value) not in self._names:
                self._alive.append(value)
                self._names[id(value)] = self.store(field, value)
            return self._names[id(value)]
        if isinstance(value, bytes):
            return self.store(field, np.frombuffer(value, np.uint8))
        if type(value) in TABLES:
            return value.name
        if is_dataclass(value) and not isinstance(value, type):
            return {
                each.name: self.encode(getattr(value, each.name), each.name)
                for each in fields(value)
                if each.name not in leave_out
            }
        if isinstance(value, Mapping):
            return {name: self.encode(item, str(name)) for name, item in value.items()}
        if isinstance(value, tuple | list):
            return [self.encode(item, field) for item in value]
        if isinstance(value, Path):
            return str(value)
        return value.item() if isinstance(value, np.generic) else value


class Decoder:
    """Turns trees into records.

    Args:
        load: the array that a token of `Encoder.store` stands for.
    """

    def __init__(self, load: Callable[[Any], np.ndarray]) -> None:
        self.load = load

    def decode(self, kind: Any, tree: Any, **given: Any) -> Any:
        """The value of a tree.

        Args:
            kind: its type, as a field is annotated: `Record`, `tuple[Record, ...]` and so on.
            tree: from `Encoder.encode`.
            given: fields of the record that are not in the tree.

        Raises:
            KeyError, TypeError, ValueError: the tree is not one of that type.
        """
        if tree is None and not given:
            return None
        if kind in TABLES:
            return TABLES[kind][tree]
        if isinstance(kind, type) and is_dataclass(kind):
            return self.record(kind, tree, **given)
        if kind is np.ndarray:
            return self.load(tree)
        if kind is bytes:
            return self.load(tree).tobytes()
        if kind is Path:
            return Path(tree)
        return self._container(kind, tree)

    def record(self, kind: type, tree: Mapping[str, Any], **given: Any) -> Any:
        """The record of a tree; fields that are not in it take their defaults."""
        if not isinstance(tree, Mapping):
            raise TypeError(f"{kind.__name__} is not stored as a record: {tree!r}.")
        hints = field_types(kind)
        found = {
            name: self.decode(hint, tree[name])
            for name, hint in hints.items()
            if name in tree and name not in given
        }
        return kind(**found | given)

    def _container(self, kind: Any, tree: Any) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            others = [one for one in arguments if one is not type(None)]
            return self.decode(others[0], tree) if len(others) == 1 else tree
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return tuple(self.decode(arguments[0], item) for item in tree)
            return tuple(map(self.decode, arguments, tree))
        if origin is list:
            return [self.decode(arguments[0], item) for item in tree]
        if origin is not None and issubclass(origin, Mapping):
            return {name: self.decode(arguments[1], item) for name, item in tree.items()}
        return tree


class BundleEncoder(Encoder):
    """Names the arrays of a bundle for the people who open it; small ones stand in the tree."""

    SAMPLE = ("image", "waveform", "decibels", "hertz", "seconds")
    EXPLANATION = ("attribution", "segments", "segment_weights")

    def __init__(self) -> None:
        super().__init__()
        self.name, self.suffix = "", ""

    def store(self, field: str, array: np.ndarray) -> Any:
        """The name of an array: `image` of a sample, `grad_cam` and so on of an explanation."""
        if field in self.SAMPLE:
            name = f"{field}{self.suffix}"
        elif field in self.EXPLANATION:
            name = self.name if field == "attribution" else f"{self.name}_{field}"
        else:
            return {"dtype": str(array.dtype), "values": array.tolist()}
        self.arrays[name] = array
        return name

    def sample(self, sample: Sample, suffix: str) -> Any:
        """The tree of a sample, whose file is known by its name only."""
        self.suffix = suffix
        return self.encode(replace(sample, source=Path(sample.source.name)))

    def explanation(self, explanation: Explanation, name: str) -> Any:
        """The tree of an explanation without its sample and prediction, which stand elsewhere."""
        self.name = name
        convergence = explanation.convergence
        if convergence:  # what it takes to continue is in no bundle
            convergence = replace(convergence, state=None, kept=False)
            explanation = replace(explanation, convergence=convergence)
        return self.encode(explanation, leave_out=("sample", "prediction"))

    def reading(self, reading: Reading) -> Any:
        """The tree of a reading without its samples."""
        reading = replace(reading, source=Path(reading.source.name))
        return self.encode(reading, leave_out=("samples",))


def bundle_decoder(arrays: Mapping[str, np.ndarray]) -> Decoder:
    """What reads the trees of a `BundleEncoder`."""

    def load(token: Any) -> np.ndarray:
        if isinstance(token, str):
            return arrays[token]
        return np.array(token["values"], token["dtype"])

    return Decoder(load)


@cache
def field_types(kind: type) -> dict[str, Any]:
    """The types of a record's fields, by name."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}
