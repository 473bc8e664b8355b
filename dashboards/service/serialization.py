"""Answers as bytes, for the pipe and the store: arrays and one JSON, nothing that runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from dashboards.service.facts import ModelFacts
from dashboards.service.listening import Clip
from dashboards.service.requests import (
    Describe,
    Judge,
    Listen,
    Part,
    Predict,
    Request,
    key,
)
from xai_tf.attribution.convergence import MAX_STATE, Convergence
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Cost
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import RandomBaseline, Score
from xai_tf.regions import Regions
from xai_tf.sonification import TimeFrequencyRegion

FILE = "\x1afile\x1a"  # stands in texts for the file: each visitor calls it otherwise
MODEL = "\x1amodel\x1a"
TREE = "tree"
COLOURS = " colours"  # after the name of an array of their numbers
# Records by what they are an answer to, and for whom; visitors who look at the same share them.
Shared = WeakValueDictionary[tuple, Any]
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


def pack(answer: Any) -> bytes:
    """An answer as bytes. Neither the name nor the place of the visitor's file is in it."""
    packer = _Packer()
    tree = packer.plain(answer)
    text = json.dumps(tree, default=float).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{TREE: np.frombuffer(text, np.uint8)}, **packer.arrays)
    return buffer.getvalue()


def unpack(
    data: bytes, request: Request, shared: Shared | None = None, to_go_on: bool = False
) -> Any:
    """The answer that was packed, for who asked: the file is called as in the request.

    Args:
        data: from `pack`.
        request: what was asked.
        shared: records that somebody has already; they are taken instead, and new ones added.
        to_go_on: whether the state of an explanation is wanted too, to take more samples.
    """
    shared = WeakValueDictionary() if shared is None else shared
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        unpacker = _Unpacker(archive, request, shared, to_go_on)
        tree = json.loads(archive[TREE].tobytes())
        if isinstance(request, Describe):
            return unpacker.facts(tree)
        if isinstance(request, Predict):
            return unpacker.reading(tree)
        if isinstance(request, Part):
            return unpacker.regions(tree)
        if isinstance(request, Listen):
            return unpacker.clip(tree)
        if isinstance(request, Judge):
            return tuple(map(_score, tree))
        if isinstance(tree, list):
            return [unpacker.explanation(item, place) for place, item in enumerate(tree)]
        return unpacker.explanation(tree)


def without_places(text: str, request: Request) -> str:
    """A text with the places of the request's files on this server taken out."""
    for part in getattr(request, "explanations", (request,)):
        if hasattr(part, "file"):
            text = text.replace(str(part.file.path), FILE)
        if hasattr(part, "model"):
            text = text.replace(str(part.model.path), MODEL)
    return text


def with_names(text: str, request: Request) -> str:
    """A text from `without_places`, with what who asked calls the files."""
    for part in getattr(request, "explanations", (request,)):
        if hasattr(part, "file"):
            text = text.replace(FILE, part.file.name)
        if hasattr(part, "model"):
            text = text.replace(MODEL, part.model.name)
    return text


def _palette(image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """A picture as its colours and the number of each pixel's; None where it has more than 256.

    A spectrogram's image has as many as its colour map: so it takes a twelfth, and loses nothing.
    """
    if image.dtype != np.float32 or image.ndim != 3 or image.shape[-1] != 3:
        return None
    # Colours are told apart by a hash, and compared in full below.
    hashes = np.ascontiguousarray(image).view(np.uint32).astype(np.uint64) @ _FACTORS
    _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) > 256:
        return None
    colours = image.reshape(-1, 3)[first]
    numbers = number.reshape(image.shape[:2]).astype(np.uint8)
    return (colours, numbers) if np.array_equal(colours[numbers], image) else None


def _plain_score(score: Score) -> dict[str, Any]:
    return asdict(replace(score, metric=None)) | {"metric": score.metric.name}


def _score(tree: dict[str, Any]) -> Score:
    metric, cost, random = METRICS[tree["metric"]], Cost(**tree["cost"]), tree["random"]
    return Score(
        **tree | {"metric": metric, "cost": cost, "random": random and RandomBaseline(**random)}
    )


class _Packer:
    """Records as plain data; arrays stand in it by name, each but once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}

    def plain(self, value: Any) -> Any:
        if isinstance(value, ModelFacts):
            return asdict(value)
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, tuple):
            return [_plain_score(item) for item in value]
        if isinstance(value, Clip):
            wav = np.frombuffer(value.wav, np.uint8)
            return asdict(replace(value, wav=b"")) | {"wav": self._named(wav)}
        if isinstance(value, Regions):
            return self._regions(value)
        if isinstance(value, Reading):
            return {
                "samples": [self._sample(sample) for sample in value.samples],
                "predictions": [self._record(item) for item in value.predictions],
                "prediction": self._record(value.prediction),
                "ood_score": value.ood_score and asdict(value.ood_score),
                "unchecked": value.ood_problem,
            }
        return self._record(value) | {
            "sample": self._sample(value.sample),
            "prediction": self._record(value.prediction),
            "method": value.method.name,
            "cost": [value.cost.forward, value.cost.gradient],
            "settings": dict(value.settings),
            "figures": dict(value.figures),
            "convergence": value.convergence and self._convergence(value.convergence),
        }

    def _convergence(self, found: Convergence) -> dict[str, Any]:
        """A state that is large is left out: starting over is cheaper than keeping it."""
        state = found.state or {}
        small = sum(array.nbytes for array in state.values()) <= MAX_STATE
        kept = {name: self._named(array) for name, array in state.items()} if small else {}
        return self._record(found) | {"state": kept or None, "kept": bool(kept)}

    def _regions(self, regions: Regions) -> dict[str, Any]:
        """Every pixel is in one region of a partition, so its number says all."""
        numbers = {
            name: np.argmax(list(masks.values()), axis=0).astype(np.uint8)
            for name, masks in regions.partitions.items()
        }
        return {
            "warnings": list(regions.warnings),
            "partitions": {
                name: [self._named(numbers[name]), list(masks)]
                for name, masks in regions.partitions.items()
            },
        }

    def _sample(self, sample: Sample) -> dict[str, Any]:
        texts = [text.replace(str(sample.source), FILE) for text in sample.warnings]
        sound = self._record(sample.sound) if sample.sound else None
        return self._record(sample) | {"source": FILE, "warnings": texts, "sound": sound}

    def _record(self, record: Any) -> dict[str, Any]:
        """The fields of a record: arrays by name, the rest as it is."""
        values = {field.name: getattr(record, field.name) for field in fields(record)}
        return {name: self._named(value) for name, value in values.items()}

    def _named(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if id(value) not in self._names:
            self._names[id(value)] = name = f"a{len(self.arrays)}"
            if (found := _palette(value)) is None:
                self.arrays[name] = value
            else:
                self.arrays[name + COLOURS], self.arrays[name] = found
        return self._names[id(value)]


class _Unpacker:
    """The records in plain data, for one request."""

    def __init__(self, archive: Any, request: Request, shared: Shared, to_go_on: bool) -> None:
        self._archive, self._request, self._shared = archive, request, shared
        self._to_go_on = to_go_on
        self._arrays: dict[str, np.ndarray] = {}

    def facts(self, tree: dict[str, Any]) -> ModelFacts:
        name = self._request.model.name
        tuples = {key: tuple(value) for key, value in tree.items() if isinstance(value, list)}
        return ModelFacts(
            **tree | tuples | {"name": name, "description": tree["description"] | {"name": name}}
        )

    def reading(self, tree: dict[str, Any]) -> Reading:
        return self._once(
            (key(self._request),),
            lambda: Reading(
                Path(self._request.file.name),
                tuple(self._sample(item, window) for window, item in enumerate(tree["samples"])),
                tuple(self._prediction(prediction) for prediction in tree["predictions"]),
                self._prediction(tree["prediction"]),
                tree["ood_score"] and OODScore(**tree["ood_score"]),
                tree["unchecked"],
            ),
        )

    def clip(self, tree: dict[str, Any]) -> Clip:
        regions = tuple(TimeFrequencyRegion(**region) for region in tree["regions"])
        return Clip(**tree | {"wav": self._array(tree["wav"]).tobytes(), "regions": regions})

    def regions(self, tree: dict[str, Any]) -> Regions:
        name = self._request.file.name
        return self._once(
            (key(self._request),),
            lambda: Regions(
                {
                    partition: {
                        region: self._array(numbers) == number
                        for number, region in enumerate(regions)
                    }
                    for partition, (numbers, regions) in tree["partitions"].items()
                },
                tuple(text.replace(FILE, name) for text in tree["warnings"]),
            ),
        )

    def explanation(self, tree: dict[str, Any], place: int = 0) -> Explanation:
        return self._once(
            (key(self._request), place),
            lambda: Explanation(
                **tree
                | {
                    "sample": self._sample(tree["sample"], self._request.window),
                    "prediction": self._prediction(tree["prediction"]),
                    "method": METHODS[tree["method"]],
                    "cost": Cost(*tree["cost"]),
                    "attribution": self._array(tree["attribution"]),
                    "segments": self._array(tree["segments"]),
                    "segment_weights": self._array(tree["segment_weights"]),
                    "warnings": tuple(tree["warnings"]),
                    "convergence": tree["convergence"] and self._convergence(tree["convergence"]),
                }
            ),
        )

    def _convergence(self, tree: dict[str, Any]) -> Convergence:
        state = tree["state"] if self._to_go_on and tree["state"] else {}
        arrays = {name: self._array(tree[name]) for name in ("samples", "stability")}
        kept = {name: self._array(array) for name, array in state.items()}
        return Convergence(**tree | arrays | {"state": kept or None})

    def _sample(self, tree: dict[str, Any], window: int) -> Sample:
        texts = (text.replace(FILE, self._request.file.name) for text in tree["warnings"])
        return self._once(
            (self._request.file.sha256, self._request.model, window),
            lambda: Sample(
                **tree
                | {
                    "image": self._array(tree["image"]),
                    "source": Path(self._request.file.name),
                    "sound": tree["sound"] and self._sound(tree["sound"]),
                    "warnings": tuple(texts),
                }
            ),
        )

    def _sound(self, tree: dict[str, Any]) -> Sound:
        arrays = ("waveform", "decibels", "hertz", "seconds")
        return Sound(**tree | {name: self._array(tree[name]) for name in arrays})

    def _prediction(self, tree: dict[str, Any]) -> Prediction:
        return Prediction(
            self._array(tree["logits"]), self._array(tree["probabilities"]), tuple(tree["classes"])
        )

    def _array(self, name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        if name not in self._arrays:
            value = self._archive[name]
            if name + COLOURS in self._archive:
                value = self._archive[name + COLOURS][value]
            value.flags.writeable = False  # others look at it too
            self._arrays[name] = value
        return self._arrays[name]

    def _once(self, about: tuple, make: Callable[[], Any]) -> Any:
        """The record that somebody has, or a new one."""
        about = (*about, self._request.file.name)
        known = self._shared.get(about)
        return self._shared.setdefault(about, make()) if known is None else known
