"""Answers as bytes, for the pipe and the store: arrays and one JSON text, no executable content."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from dashboards.service.facts import ModelFacts
from dashboards.service.listening import SoundClip
from dashboards.service.requests import (
    Average,
    Describe,
    Explain,
    Judge,
    Listen,
    Part,
    Predict,
    Request,
    ThroughLayers,
    key,
)
from xai_tf.attribution.convergence import MAX_STATE, Convergence
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.codec import Decoder, Encoder
from xai_tf.classifiers.reading import Reading
from xai_tf.evaluation.mean_map import MeanMap
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.score import Score
from xai_tf.regions import Regions

FILE = "\x1afile\x1a"  # placeholder of the file in texts: each visitor has another name for it
MODEL = "\x1amodel\x1a"
TREE = "tree"
COLOURS = " colors"  # after the name of an array of their numbers
KINDS: dict[type, Any] = {  # of the answers that are packed
    Describe: ModelFacts,
    Predict: Reading,
    Explain: Explanation,
    ThroughLayers: list[Explanation],
    Average: MeanMap,
    Part: Regions,
    Judge: tuple[Score, ...],
    Listen: SoundClip,
}
# Records by request and visitor's file name; visitors who see the same file share them.
Shared = WeakValueDictionary[tuple[Any, ...], Any]
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


def pack(answer: Any) -> bytes:
    """An answer as bytes, without the name and the path of the visitor's file."""
    packer = _Packer()
    text = json.dumps(packer.encode(answer), default=float).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{TREE: np.frombuffer(text, np.uint8)}, **packer.arrays)
    return buffer.getvalue()


def unpack(
    data: bytes, request: Request, shared: Shared | None = None, to_go_on: bool = False
) -> Any:
    """An answer from `pack`, in which the file has the name that the request gives it.

    Args:
        data: from `pack`.
        request: what was asked.
        shared: records that somebody has already; they are taken instead, and new ones added.
        to_go_on: whether the state of an explanation is wanted too, to take more samples.
    """
    shared = WeakValueDictionary() if shared is None else shared
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        unpacker = _Unpacker(archive, request, shared, to_go_on)
        return unpacker.decode(KINDS[type(request)], json.loads(archive[TREE].tobytes()))


def without_places(text: str, request: Request) -> str:
    """A text without the paths of the request's files on this server."""
    for part in getattr(request, "explanations", (request,)):
        if getattr(part, "file", None):
            text = text.replace(str(part.file.path), FILE)
        if getattr(part, "model", None) is not None:
            text = text.replace(str(part.model.path), MODEL)
    return text


def with_names(text: str, request: Request) -> str:
    """A text from `without_places`, with the file names of the request."""
    for part in getattr(request, "explanations", (request,)):
        if getattr(part, "file", None):
            text = text.replace(FILE, part.file.name)
        if getattr(part, "model", None) is not None:
            text = text.replace(MODEL, part.model.name)
    return text


def _palette(image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """A picture as its colors and the number of each pixel's; None where it has more than 256.

    A spectrogram's image has as many as its color map: so it takes a twelfth, and loses nothing.
    """
    if image.dtype != np.float32 or image.ndim != 3 or image.shape[-1] != 3:
        return None
    # Colors are distinguished by a hash, and compared in full below.
    hashes = np.ascontiguousarray(image).view(np.uint32).astype(np.uint64) @ _FACTORS
    _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) > 256:
        return None
    colors = image.reshape(-1, 3)[first]
    numbers = number.reshape(image.shape[:2]).astype(np.uint8)
    return (colors, numbers) if np.array_equal(colors[numbers], image) else None


class _Packer(Encoder):
    """Encodes records without private data and without states that are too large to store."""

    def store(self, field: str, array: np.ndarray) -> str:
        name = f"a{len(self.arrays)}"
        if (found := _palette(array)) is None:
            self.arrays[name] = array
        else:
            self.arrays[name + COLOURS], self.arrays[name] = found
        return name

    def encode(self, value: Any, field: str = "", leave_out: tuple[str, ...] = ()) -> Any:
        if isinstance(value, Sample):
            texts = tuple(text.replace(str(value.source), FILE) for text in value.warnings)
            value = replace(value, source=Path(FILE), warnings=texts)
        elif isinstance(value, Reading):
            value = replace(value, source=Path(FILE))
        elif isinstance(value, Convergence):
            # Large states are not stored: starting over is cheaper.
            arrays = (value.state or {}).values()
            if not arrays or sum(array.nbytes for array in arrays) > MAX_STATE:
                value = replace(value, state=None, kept=False)
        elif isinstance(value, Regions):
            return self._regions(value)
        return super().encode(value, field, leave_out)

    def _regions(self, regions: Regions) -> dict[str, Any]:
        """Partitions as maps of region numbers: every pixel is in exactly one region."""
        numbers = {
            name: np.argmax(list(masks.values()), axis=0).astype(np.uint8)
            for name, masks in regions.partitions.items()
        }
        return {
            "warnings": list(regions.warnings),
            "guessed": sorted(regions.guessed),
            "partitions": {
                name: [self.encode(numbers[name]), list(masks)]
                for name, masks in regions.partitions.items()
            },
        }


class _Unpacker(Decoder):
    """Decodes the records of one answer, for one request."""

    def __init__(self, archive: Any, request: Request, shared: Shared, to_go_on: bool) -> None:
        super().__init__(self._array)
        self._archive, self._request, self._shared = archive, request, shared
        self._to_go_on, self._place = to_go_on, 0
        self._arrays: dict[str, np.ndarray] = {}

    def record(self, kind: type, tree: Any, **given: Any) -> Any:
        if kind is Reading:
            samples = tuple(
                self._sample(item, window) for window, item in enumerate(tree["samples"])
            )
            given |= {"source": Path(self._request.file.name), "samples": samples}
            return self._once((key(self._request),), kind, tree, given)
        if kind is Explanation:
            given |= {"sample": self._sample(tree["sample"], self._request.window)}
            self._place += 1  # of several layers, each its own
            return self._once((key(self._request), self._place), kind, tree, given)
        if kind is Regions:
            return self._shared_or(
                (key(self._request),), lambda: self._regions(tree, self._request.file.name)
            )
        if kind is Convergence and not self._to_go_on:
            given |= {"state": None}
        if kind is ModelFacts:
            name = self._request.model.name
            given |= {"name": name, "description": tree["description"] | {"name": name}}
        return super().record(kind, tree, **given)

    def _sample(self, tree: dict[str, Any], window: int) -> Sample:
        name = self._request.file.name
        texts = tuple(text.replace(FILE, name) for text in tree["warnings"])
        about = (self._request.file.sha256, self._request.model, window)
        return self._once(about, Sample, tree, {"source": Path(name), "warnings": texts})

    def _regions(self, tree: dict[str, Any], name: str) -> Regions:
        return Regions(
            {
                partition: {
                    region: self._array(numbers) == number for number, region in enumerate(regions)
                }
                for partition, (numbers, regions) in tree["partitions"].items()
            },
            tuple(text.replace(FILE, name) for text in tree["warnings"]),
            frozenset(tree["guessed"]),
        )

    def _array(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            value = self._archive[name]
            if name + COLOURS in self._archive:
                value = self._archive[name + COLOURS][value]
            value.flags.writeable = False  # others look at it too
            self._arrays[name] = value
        return self._arrays[name]

    def _once(self, about: tuple[Any, ...], kind: type, tree: Any, given: dict[str, Any]) -> Any:
        """The record that another visitor already has, or a new one."""
        return self._shared_or(about, lambda: super(_Unpacker, self).record(kind, tree, **given))

    def _shared_or(self, about: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        about = (*about, self._request.file.name)
        known = self._shared.get(about)
        return self._shared.setdefault(about, make()) if known is None else known
