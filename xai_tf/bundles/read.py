"""Read bundles back into the records that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import weights_keras
from weights_keras import ModelCard
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.codec import bundle_decoder
from xai_tf.bundles.manifest import ARRAYS, read_manifest
from xai_tf.bundles.record import Recording, ReportItem
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.metric import METRICS


def read_bundle(folder: Path) -> ReportItem:
    """Read a bundle back, with its maps as they were computed.

    Raises:
        InputError: it is no bundle, a damaged one, or one of another version.
    """
    manifest = read_manifest(folder)
    try:
        with (folder / ARRAYS).open("rb") as file:
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
            f"{folder} is damaged, or was written by another version "
            f"({type(error).__name__}: {error}). Explain the file again."
        ) from error


def _item(
    folder: Path, manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> ReportItem:
    read, model, entries = manifest["input"], manifest["model"], manifest["explanations"]
    decoder = bundle_decoder(arrays)
    predictions = decoder.decode(tuple[Prediction, ...], read["record"]["predictions"])
    samples = {
        int(number): decoder.decode(Sample, tree) for number, tree in read["samples"].items()
    }
    reading = decoder.decode(
        Reading,
        read["record"],
        samples=tuple(samples.values()),
        predictions=tuple(predictions[number] for number in samples),
    )
    explanations = tuple(
        decoder.decode(
            Explanation,
            entry["record"],
            sample=samples[entry["window"]],
            prediction=predictions[entry["window"]],
        )
        for entry in entries
    )
    return ReportItem(
        reading=reading,
        explanations=explanations,
        model=model,
        card=_card(model["name"], model["sha256"]),
        scores=tuple(tuple(map(_known_score, entry.get("scores", ()))) for entry in entries),
        audits=tuple(entry["audit"] for entry in entries if "audit" in entry),
        marks=tuple(entry["marks"] for entry in entries if "marks" in entry),
        verdicts=tuple(entry["trust"] for entry in entries if "trust" in entry),
        timeline=_recording(folder, read, predictions) if "windows" in read else None,
    )


def _card(name: str, sha256: str) -> ModelCard | None:
    """The card of a model that has a name: of the user's or the package's, whichever it was."""
    own = card_beside(weights_keras.find(name), sha256)
    return own or card_beside(weights_keras.FOLDER / f"{name}.keras", sha256)


def _known_score(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored score; its metric must be known here."""
    if said["metric"] not in METRICS:
        raise ValueError(f"no metric {said['metric']!r}")
    return said


def _recording(
    folder: Path, read: Mapping[str, Any], predictions: tuple[Prediction, ...]
) -> Recording:
    spans = tuple(tuple(window["seconds_span"]) for window in read["windows"])
    return Recording(spans, predictions, (folder / "timeline.png").read_bytes())
