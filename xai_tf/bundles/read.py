"""Bundles read back: from what was saved of a file to what a report tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import weights_keras
from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Cost
from xai_tf.bundles.record import Recording, ReportItem
from xai_tf.bundles.resume import read_manifest
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample, Sound
from xai_tf.metrics.metric import METRICS


def read_bundle(folder: Path) -> ReportItem:
    """Read a bundle back, with its maps as they were computed.

    Raises:
        InputError: it is no bundle, a damaged one, or one of another version.
    """
    manifest = read_manifest(folder)
    try:
        with (folder / "attributions.npz").open("rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        return _item(folder, manifest, arrays)
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        EOFError,
        BadZipFile,
    ) as error:
        raise InputError(
            f"{folder} is damaged, or the bundle of another version "
            f"({type(error).__name__}: {error}). Explain again."
        ) from error


def _item(
    folder: Path, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ReportItem:
    read, model, entries = manifest["input"], manifest["model"], manifest["explanations"]
    whole = _prediction(read["prediction"])
    windows = [_prediction(window) for window in read.get("windows", [read["prediction"]])]
    numbers = sorted({entry["window"] for entry in entries})
    samples = {
        number: _sample(folder, read, arrays, f"_window{number:02d}" if len(numbers) > 1 else "")
        for number in numbers
    }
    explanations = tuple(
        _explanation(entry, arrays, samples[entry["window"]], windows[entry["window"]])
        for entry in entries
    )
    explained = tuple(windows[number] for number in numbers)
    card = card_beside(weights_keras.FOLDER / f"{model['name']}.keras", model["sha256"])
    return ReportItem(
        Reading(Path(read["file"]), tuple(samples.values()), explained, whole),
        explanations,
        model,
        card=card,
        scores=tuple(tuple(map(_score, entry.get("scores", ()))) for entry in entries),
        audits=tuple(entry["audit"] for entry in entries if "audit" in entry),
        timeline=_recording(folder, read, windows) if "windows" in read else None,
    )


def _prediction(said: Mapping[str, Any]) -> Prediction:
    chances = said["probabilities"]
    logits = np.array(said["logits"], np.float32)
    return Prediction(logits, np.array(list(chances.values()), float), tuple(chances))


def _score(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """A score as it was saved, by a metric that is known here."""
    if said["metric"] not in METRICS:
        raise ValueError(f"no metric {said['metric']!r}")
    return said


def _recording(folder: Path, read: Mapping[str, Any], windows: list[Prediction]) -> Recording:
    spans = tuple(tuple(window["seconds_span"]) for window in read["windows"])
    return Recording(spans, tuple(windows), (folder / "timeline.png").read_bytes())


def _sample(
    folder: Path, read: Mapping[str, Any], arrays: Mapping[str, np.ndarray], suffix: str
) -> Sample:
    sound, truth = None, read.get("truth")
    if f"waveform{suffix}" in arrays:
        parts = {
            name: arrays[f"{name}{suffix}"] for name in ("waveform", "decibels", "hertz", "seconds")
        }
        sound = Sound(**parts, **read["sound"])
    label = None if truth is None else list(read["prediction"]["probabilities"]).index(truth)
    return Sample(
        arrays[f"image{suffix}"],
        Path(read["file"]),
        read["sha256"],
        label,
        sound,
        warnings=tuple(read["warnings"]),
    )


def _explanation(
    entry: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    sample: Sample,
    prediction: Prediction,
) -> Explanation:
    name, classes = entry["array"], prediction.classes
    return Explanation(
        sample,
        prediction,
        METHODS[entry["method"]],
        arrays[name],
        classes.index(entry["target"]),
        None if entry["contrast"] is None else classes.index(entry["contrast"]),
        entry["settings"],
        entry["seed"],
        entry["layer"],
        Cost(**entry["passes"]),
        entry["seconds"],
        arrays.get(f"{name}_segments"),
        arrays.get(f"{name}_segment_weights"),
        entry["figures"],
        tuple(entry["warnings"]),
        entry["convergence"] and _convergence(entry["convergence"]),
    )


def _convergence(said: Mapping[str, Any]) -> Convergence:
    """How a map settled; what it takes to go on is in no bundle."""
    samples = np.array(said["samples"], np.int32)
    stability = np.array(said["stability"], np.float32)
    return Convergence(samples, stability, said["wanted"], said["limit"], said["exact"], kept=False)
