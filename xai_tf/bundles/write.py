"""Save explanations: raw arrays, pictures, and a manifest that is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xai_tf.attribution.convergence import Convergence, curve
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.agreement import save_comparisons
from xai_tf.bundles.codec import BundleEncoder
from xai_tf.bundles.manifest import ARRAYS, MANIFEST, SCHEMA_VERSION
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.ood import OODScore
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.files import whole_folder
from xai_tf.inputs.audio import write_wav
from xai_tf.inputs.options import DEFAULT_OPTIONS
from xai_tf.inputs.sample import Sample, read_full_size
from xai_tf.metrics.score import Score
from xai_tf.metrics.tables import describe_scores
from xai_tf.packages import versions
from xai_tf.regions.audit import Audit
from xai_tf.regions.mark_tables import describe_judgment
from xai_tf.regions.marked import MarkedMap
from xai_tf.rendering import heatmaps
from xai_tf.trust import describe_verdict, verdicts

SVG = "http://www.w3.org/2000/svg"


def save_bundle(
    folder: Path,
    classifier: Classifier,
    reading: Reading,
    explanations: Sequence[Explanation],
    opacity: float = 0.7,
    shared_scale: bool = False,
    scores: Sequence[Sequence[Score]] = (),
    audits: Sequence[Audit] = (),
    question: Mapping[str, Any] | None = None,
    smooth: bool = True,
    judged: Sequence[MarkedMap] = (),
) -> dict[str, Any]:
    """Write the explanations of one file into `folder`, whole or not at all.

    Holds `input.png`, a figure and an overlay each explanation, how it settled where it samples
    (`..._stability.svg`), a comparison each window, of two maps or more of a question what they
    have in common and where they conflict (`consensus.png`, `conflict.png`), `attributions.npz`
    (float32 arrays, unscaled), the sound heard, and `manifest.json`. A bundle that is there already
    is replaced. `scores`, `audits` and `judged`, where given, are those of each explanation;
    `question` is what was asked, as plain data, by which a later run knows the answer.
    Overlays have the resolution of the file; with `smooth`, maps of single pixels are drawn
    smoothed.

    Returns:
        The manifest.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    drawing = _Drawing(opacity, shared_scale, smooth, caption=reading.ood_caption)
    with whole_folder(folder, MANIFEST) as new:
        manifest = _write(new, classifier, reading, explanations, drawing, scores, audits, judged)
        if question is not None:
            manifest["question"] = json.loads(json.dumps(question))
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False), "utf-8")
    return manifest


def describe(prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain data."""
    described: dict[str, Any] = {
        "class": prediction.answer,
        "label": prediction.label,
        "probabilities": dict(
            zip(prediction.classes, map(float, prediction.probabilities), strict=True)
        ),
        "logits": [float(z) for z in prediction.logits],
        "margin": prediction.margin,
    }
    if prediction.multi_label:
        described["findings"] = [prediction.classes[label] for label in prediction.findings]
        described["thresholds"] = dict(zip(prediction.classes, prediction.thresholds, strict=True))
    return described


def describe_classifier(classifier: Classifier) -> dict[str, Any]:
    """A classifier as plain data."""
    return {
        "name": classifier.name,
        "sha256": classifier.sha256,
        "task": classifier.task.name if classifier.task else None,
        "backbone": classifier.backbone,
        "classes": list(classifier.classes),
        "classes_source": classifier.classes_source,
        "image_size": list(classifier.image_size),
        "access": classifier.access,
        "head": vars(classifier.head),
        "output": classifier.output,
        "inputs": {name: value.tolist() for name, value in classifier.held.items()},
        "thresholds": dict(zip(classifier.classes, classifier.thresholds, strict=False)),
        "preprocessing": classifier.preprocessing,
        "preprocessing_reason": classifier.preprocessing_reason,
        "read_options": classifier.read_options.to_dict() if classifier.read_options else None,
        "preprocessing_certain": classifier.preprocessing_certain,
        "warnings": list(classifier.warnings),
        "ood_detector": classifier.ood_detector.layer
        if classifier.ood_detector
        else classifier.ood_problem or None,
    }


def describe_reading(reading: Reading, explained: bool = False) -> dict[str, Any]:
    """A file and its predictions, as plain data; with `explained`, beside explanations."""
    first = reading.samples[0]
    described: dict[str, Any] = {
        "file": reading.source.name,
        "sha256": first.sha256,
        "warnings": list(reading.explanation_warnings if explained else reading.warnings),
        "ood_score": _describe_ood_score(reading.ood_score),
        "prediction": describe(reading.prediction),
    }
    if first.label is not None:
        described["truth"] = reading.prediction.classes[first.label]
    if first.sound is not None:
        described["sound"] = {"rate": first.sound.rate, "rebuilt": first.sound.rebuilt}
    if len(reading.samples) > 1:
        described["windows"] = [
            {**_span(sample), **describe(prediction)}
            for sample, prediction in zip(reading.samples, reading.predictions, strict=True)
        ]
    return described


def _describe_ood_score(found: OODScore | None) -> dict[str, Any] | None:
    """The OOD score of a file as plain data; None where it was not checked."""
    if found is None:
        return None
    return {
        "distance": found.distance,
        "threshold": found.threshold,
        "out_of_distribution": found.out_of_distribution,
        "reason": found.reason,
    }


def describe_explanation(explanation: Explanation) -> dict[str, Any]:
    """An explanation as plain data: all but its arrays."""
    return {
        "method": explanation.method.name,
        "signed": explanation.method.signed,
        "target": explanation.prediction.classes[explanation.target],
        "contrast": None
        if explanation.contrast is None
        else explanation.prediction.classes[explanation.contrast],
        "settings": dict(explanation.settings),
        "seed": explanation.seed,
        "layer": explanation.layer,
        "passes": vars(explanation.cost),
        "seconds": round(explanation.seconds, 4),
        "figures": dict(explanation.figures),
        "convergence": explanation.convergence and _describe_convergence(explanation.convergence),
        "warnings": list(explanation.warnings),
        "diagnoses": [vars(diagnosis) for diagnosis in diagnose(explanation.attribution)],
        **_span(explanation.sample),
    }


def _describe_convergence(found: Convergence) -> dict[str, Any]:
    """How a map converged, as plain data: its stability by the number of samples."""
    return {
        "samples": found.samples.tolist(),
        "stability": [round(float(value), 4) for value in found.stability],
        "wanted": found.wanted,
        "reached": found.reached,
        "limit": found.limit,
        "exact": found.exact,
    }


def describe_audit(audit: Audit) -> dict[str, Any]:
    """Where the evidence of an explanation lies, as plain data."""
    return {
        "regions": [asdict(row) for row in audit.rows],
        "alarms": list(audit.alarms),
        "warnings": list(audit.warnings),
    }


@dataclass(frozen=True)
class _Drawing:
    """How the pictures of a bundle are drawn."""

    opacity: float
    shared_scale: bool
    smooth: bool
    caption: str


def _write(
    folder: Path,
    classifier: Classifier,
    reading: Reading,
    explanations: Sequence[Explanation],
    drawing: _Drawing,
    scores: Sequence[Sequence[Score]],
    audits: Sequence[Audit],
    judged: Sequence[MarkedMap],
) -> dict[str, Any]:
    """Write everything but the manifest, and return the manifest."""
    last_layer = classifier.feature_layers[-1] if classifier.feature_layers else ""
    windows = [reading.samples.index(e.sample) for e in explanations]
    several = len(set(windows)) > 1
    encoder = BundleEncoder()
    options = classifier.read_options or DEFAULT_OPTIONS
    pictures = [read_full_size(sample, options) for sample in reading.samples]
    described = describe_scores(explanations, scores) or [[] for _ in explanations]
    trust = verdicts(reading, explanations, audits, scores)
    entries = []
    for number, (explanation, window) in enumerate(zip(explanations, windows, strict=True)):
        name = _name(explanation, last_layer, window if several else None)
        entry = {
            "array": name,
            "pictures": _draw_explanation(folder, name, explanation, drawing, pictures[window]),
            **describe_explanation(explanation),
            "window": window,
            "scores": described[number],
            "trust": describe_verdict(trust[number]),
            "record": encoder.explanation(explanation, name),
        }
        if audits:
            entry["audit"] = describe_audit(audits[number])
        if judged:
            entry["marks"] = describe_judgment(judged[number])
        entries.append(entry)
    samples: dict[str, Any] = {}
    for window in dict.fromkeys(windows):
        sample, suffix = reading.samples[window], f"_window{window:02d}" if several else ""
        of_sample = [e for e, w in zip(explanations, windows, strict=True) if w == window]
        _draw_sample(folder, suffix, of_sample, drawing, pictures[window])
        samples[str(window)] = encoder.sample(sample, suffix)
    if len(reading.samples) > 1:
        heatmaps.timeline(reading).savefig(folder / "timeline.png")
    arrays: dict[str, Any] = dict(encoder.arrays)
    np.savez_compressed(folder / ARRAYS, **arrays)
    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "model": describe_classifier(classifier),
        "input": describe_reading(reading, explained=True)
        | {"record": encoder.reading(reading), "samples": samples},
        "explanations": entries,
        "comparisons": save_comparisons(folder, explanations, windows),
    }


def _draw_sample(
    folder: Path,
    suffix: str,
    explanations: Sequence[Explanation],
    drawing: _Drawing,
    picture: np.ndarray | None,
) -> None:
    """Write a sample as picture and sound, and its explanations side by side."""
    sample = explanations[0].sample
    _save_picture(folder / f"input{suffix}.png", heatmaps.image_bytes(sample))
    compared = heatmaps.comparison(
        explanations,
        drawing.shared_scale,
        drawing.opacity,
        drawing.caption,
        smooth=drawing.smooth,
        picture=picture,
    )
    compared.savefig(folder / f"comparison{suffix}.png")
    if sample.sound is not None:
        write_wav(folder / f"sound{suffix}.wav", sample.sound)


def _draw_explanation(
    folder: Path,
    name: str,
    explanation: Explanation,
    drawing: _Drawing,
    picture: np.ndarray | None,
) -> list[str]:
    """Write the pictures of an explanation, and return their names."""
    names = [f"{name}.png", f"{name}_overlay.png"]
    look: dict[str, Any] = {"smooth": drawing.smooth, "picture": picture}
    figure = heatmaps.figure(explanation, drawing.opacity, drawing.caption, **look)
    figure.savefig(folder / names[0])
    _save_picture(folder / names[1], heatmaps.overlay(explanation, drawing.opacity, **look))
    convergence = explanation.convergence
    if convergence and len(convergence.samples):
        names.append(f"{name}_stability.svg")
        plot = curve(convergence.samples, convergence.stability, convergence.wanted)
        plot = plot.replace("<svg", f'<svg xmlns="{SVG}"', 1)  # a file of its own
        (folder / names[-1]).write_text(plot, "utf-8")
    return names


def _name(explanation: Explanation, last_layer: str, window: int | None) -> str:
    """The name of an explanation in a bundle: its method, its layer and its window."""
    parts = [explanation.method.name]
    if explanation.layer and explanation.layer != last_layer:
        parts.append(explanation.layer)
    if window is not None:
        parts.append(f"window{window:02d}")
    return "_".join(parts)


def _span(sample: Sample) -> dict[str, list[float]]:
    if sample.sound is None:
        return {}
    return {"seconds_span": [float(sample.sound.seconds[0]), float(sample.sound.seconds[-1])]}


def _save_picture(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path)
