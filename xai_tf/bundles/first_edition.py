"""Manifests of the first edition (schema 2), in the form that is written today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import Question
from xai_tf.classifiers.ood_detector import SHARE

SCHEMA_VERSION = 2


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of schema 2 with the names and records of today.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    model, read = dict(manifest["model"]), dict(manifest["input"])
    model["ood_detector"] = model.pop("gate", None)
    familiarity = read.pop("familiarity", None)
    read["ood_score"] = None
    if familiarity:
        read["ood_score"] = {
            "out_of_distribution" if name == "unfamiliar" else name: value
            for name, value in familiarity.items()
        }
    windows = [_prediction(window) for window in read.get("windows", [read["prediction"]])]
    read["record"] = {
        "source": read["file"],
        "prediction": _prediction(read["prediction"]),
        "predictions": windows,
        "ood_score": _ood_score(read, model["task"]),
    }
    entries = [_entry(entry, read) for entry in manifest["explanations"]]
    numbers = sorted({entry["window"] for entry in entries})
    read["samples"] = {
        str(number): _sample(read, f"_window{number:02d}" if len(numbers) > 1 else "")
        for number in numbers
    }
    question = manifest.get("question")
    return {**manifest, "model": model, "input": read, "explanations": entries} | (
        {"question": _question(question)} if isinstance(question, dict) else {}
    )


def _prediction(said: Mapping[str, Any]) -> dict[str, Any]:
    chances = said["probabilities"]
    return {
        "logits": {"dtype": "float32", "values": said["logits"]},
        "probabilities": {"dtype": "float64", "values": list(chances.values())},
        "classes": list(chances),
    }


def _ood_score(read: Mapping[str, Any], task: str | None) -> dict[str, Any] | None:
    if not read["ood_score"]:
        return None
    sound = read.get("sound") or {"rebuilt": True}  # a picture was not recorded either
    return {
        "distance": read["ood_score"]["distance"],
        "threshold": read["ood_score"]["threshold"],
        "share": SHARE,
        "task": task,
        "sound": not sound["rebuilt"],
    }


def _sample(read: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    truth, classes = read.get("truth"), list(read["prediction"]["probabilities"])
    arrays = ("waveform", "decibels", "hertz", "seconds")
    reason = (read["ood_score"] or {}).get("reason")
    sound = read.get("sound")
    return {
        "image": f"image{suffix}",
        "source": read["file"],
        "sha256": read["sha256"],
        "label": None if truth is None else classes.index(truth),
        "sound": sound and {**sound, **{name: f"{name}{suffix}" for name in arrays}},
        # What an OOD score says is said of the file, not of a sample.
        "warnings": [text for text in read["warnings"] if not (reason and text.startswith(reason))],
    }


def _entry(entry: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    name, classes = entry["array"], list(read["prediction"]["probabilities"])
    method, settled = METHODS[entry["method"]], entry["convergence"]
    contrast = entry["contrast"]
    question = Question(
        method.name,
        target=classes.index(entry["target"]),
        contrast=None if contrast is None else classes.index(contrast),
        layer=entry["layer"],
        seed=entry["seed"] or 0,
        settings=entry["settings"],
    )
    record = {
        "question": question.to_dict(),
        "attribution": name,
        "cost": entry["passes"],
        "seconds": entry["seconds"],
        "segments": f"{name}_segments" if method.segments else None,
        "segment_weights": f"{name}_segment_weights" if method.segments else None,
        "figures": entry["figures"],
        "warnings": entry["warnings"],
        "convergence": settled
        and {
            "samples": {"dtype": "int32", "values": settled["samples"]},
            "stability": {"dtype": "float32", "values": settled["stability"]},
            "wanted": settled["wanted"],
            "limit": settled["limit"],
            "exact": settled["exact"],
            "kept": False,
        },
    }
    scores = [_score(score) for score in entry.get("scores", ())]
    kept = {key: value for key, value in entry.items() if key != "findings"}
    return kept | {"diagnoses": entry["findings"], "record": record, "scores": scores}


def _score(score: Mapping[str, Any]) -> dict[str, Any]:
    random = score["random"]
    if random is None:
        return dict(score)
    renamed = {"win_rate" if key == "beaten" else key: value for key, value in random.items()}
    return {**score, "random": renamed}


def _question(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the command of the first edition asked, as `BundleRequest.to_dict` says it."""
    settings = asked["settings"]
    questions = [
        Question(
            name,
            target=asked["target"],
            contrast=asked["contrast"],
            layer=asked["layer"] if METHODS[name].needs_layer else None,
            seed=asked["seed"],
            settings=settings.get(name, {}),
            until_stable=asked["until stable"] if METHODS[name].stochastic else None,
        )
        for name in asked["methods"]
    ]
    renamed = {"gate": "ood_threshold", "shared scale": "shared_scale", "scores": "metrics"}
    gone = ("methods", "settings", "target", "contrast", "layer", "seed", "until stable")
    return {renamed.get(k, k): value for k, value in asked.items() if k not in gone} | {
        "questions": [question.to_dict() for question in questions],
        "metric_settings": {name: settings[name] for name in asked["scores"] if name in settings},
        "metric_seed": asked["seed"],
    }
