"""Make the winner of a search a model with a card, checked at every step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads
from tuning.batched_heads import State
from tuning.batched_tuner import STATE
from tuning.calibration import best_threshold, calibrated, fit_calibration
from tuning.search_folder import write_json, write_whole
from tuning.seed_repeats import repeat
from tuning.space import configuration
from tuning.trials import ARRAYS, COMPLETED, CURVES, WINNER, Search, Trial, read_search
from weights_keras import FOLDER, ModelCard, load_file
from xai_tf.classifiers.graph import flatten
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.dataset import Dataset
from xai_tf.errors import InputError, ModelError
from xai_tf.evaluation.classification import evaluate
from xai_tf.evaluation.curves import calibration_error
from xai_tf.training.publish import OPTIMISM_NOTE, publish
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

    from tuning.data import TrainingData
    from tuning.settings import Report, StudySettings
    from tuning.space import Configuration

TOLERANCE = 1e-5  # of the logits' scale, between the head on stored features and the whole model
HALF_TOLERANCE = 1e-2  # the same, where weights are stored as float16


def export(
    training_data: TrainingData,
    out: Path = FOLDER,
    *,
    calibration: str = "temperature",
    repeats: int = 0,
    half: bool = False,
    further: dict[str, Dataset] | None = None,
    report: Report = lambda *_: None,
    **card: Any,
) -> ModelCard:
    """Write the winner as `<name>.keras` with its card, and what the report shows of it.

    Args:
        training_data: of a search that has at least one completed trial.
        out: folder for the model.
        calibration: "temperature" or, for two classes, "platt"; fitted on the validation split.
        repeats: how often the winner is trained again from other seeds, to show the spread.
        half: store the weights as float16, where that changes no label and little else.
        further: more test sets, by name.
        report: called with (what is being done, steps done, steps in all).
        card: passed to `publish`: command, datasets, license_.

    Raises:
        ModelError: there is no completed trial, or the model written is not the model tuned.
    """
    study = training_data.study
    search = read_search(study.folder)
    ranked = search.distinct()
    if not ranked:
        raise ModelError(f"{study.folder} has no completed trial yet. Run the search first.")
    winner, splits = ranked[0], training_data.splits
    if not winner.curve:
        raise InputError(f"{study.folder / CURVES} lacks trial {winner.id}. Restore the file.")
    config = configuration(study.fixed | winner.values)
    report("stitching the winner", 0, 1)
    model = winning_model(training_data, winner)
    logits = {
        name: data.file_means(features(model, data.images))
        for name, data in (("validation", splits.validation), ("test", splits.test))
    }
    labels = {"validation": splits.validation.file_labels, "test": splits.test.file_labels}
    fitted = _calibration(logits, labels, calibration)
    threshold = _threshold(logits["validation"], labels["validation"])
    again = repeat(training_data, config, winner.last_epoch, repeats, report)
    found = _tuning(study, search, winner, config) | {
        "calibration": fitted,
        "threshold": threshold,
        "repeats": again,
    }
    saved = publish(
        model,
        splits,
        training_data.task,
        name=study.name,
        backbone=config.backbone,
        folder=out,
        story=_story(search, winner, fitted, threshold, again),
        tuning=found,
        half=half,
        further=further,
        check=lambda file: _check_file(file, model, splits.validation.images, half),
        **card,
    )
    _keep(study.folder, saved, winner, logits, labels, found)
    return saved


def winning_model(training_data: TrainingData, trial: Trial) -> keras.Model:
    """A trial's whole network, with the weights of its best epoch: RGB in [0, 1] to logits.

    Raises:
        ModelError: on the validation images its logits are not those it had in the search.
    """
    study = training_data.study
    config = configuration(study.fixed | trial.values)
    folder = study.folder / f"trial_{trial.id}"
    if study.mode[0] == "waves":
        base = training_data.base(config.backbone)
        top = heads.head(config, base.output_shape[1:], training_data.num_logits)
        top.set_weights(State.load(folder / STATE).weights(len(config.dense) + 1))
        model = heads.whole_model(base, top)
        upper = heads.head(config, (top.layers[2].input.shape[-1],), training_data.num_logits)
        upper.set_weights(top.get_weights())
        known = training_data.rows(config.backbone, config.pooling)[1].features
    else:
        model, upper = training_data.build(config)
        _load_weights(upper, folder / "checkpoint.weights.h5")
        cut = training_data.cut(config.backbone)
        if cut is None:
            return flatten(model)
        known = training_data.features(config.backbone, cut, pooled=False)[1]
    images = training_data.splits.validation.images
    _compare(
        features(model, images),
        features(upper, known),
        TOLERANCE,
        "The stitched model is not that of the search. Delete the features and search again",
    )
    # A copy has no optimizer, which would make the file three times as large.
    return flatten(model)


def _load_weights(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise what they like on a damaged file
        raise InputError(
            f"{path} cannot be read ({' '.join(str(error).split())[:200]}). Restore it, or search "
            "again under another name."
        ) from error


def _compare(found: np.ndarray, known: np.ndarray, tolerance: float, what: str) -> None:
    gap, scale = np.abs(found - known).max(), max(1.0, float(np.abs(known).max()))
    if not gap <= tolerance * scale:
        raise ModelError(
            f"{what}: logits differ by {gap:.1e}, and {tolerance * scale:.1e} is allowed."
        )


def _check_file(file: Path, model: keras.Model, images: np.ndarray, half: bool) -> None:
    """Load what was written, and compare."""
    found, known = features(load_file(file), images), features(model, images)
    advice = " Export it without --half" if half else ""
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    _compare(found, known, tolerance, f"The file is not the model.{advice}")
    flipped = (probabilities(found).argmax(1) != probabilities(known).argmax(1)).sum()
    if flipped:
        raise ModelError(
            f"As it was written, the model calls {flipped} of {len(images)} validation images "
            f"otherwise.{advice}."
        )


def _calibration(
    logits: dict[str, np.ndarray], labels: dict[str, np.ndarray], method: str
) -> dict[str, Any]:
    fitted = fit_calibration(logits["validation"], labels["validation"], method)
    before = calibration_error(probabilities(logits["test"]), labels["test"])
    after = calibration_error(calibrated(logits["test"], fitted), labels["test"])
    return fitted | {
        "fitted_on": "validation",
        "measured_on": "test",
        "ece_before": round(before, 4),
        "ece_after": round(after, 4),
    }


def _threshold(logits: np.ndarray, labels: np.ndarray) -> float | None:
    if logits.shape[1] > 1:
        return None
    return round(best_threshold(probabilities(logits), labels), 4)


def _tuning(
    study: StudySettings, search: Search, winner: Trial, config: Configuration
) -> dict[str, Any]:
    """What the card says of the search."""
    asked = search.study["asked"]
    names = (
        "objective",
        "max_epochs",
        "factor",
        "iterations",
        "seed",
        "batch_size",
        "copies",
        "class_weights",
        "space",
        "weights",
    )
    lineage = [f"{t.id} (epochs {t.first_epoch} to {t.last_epoch})" for t in search.lineage(winner)]
    best = winner.best(search.objective, search.direction)
    return {name: asked[name] for name in names} | {
        "trials": len(search.trials),
        "configuration": _plain(asdict(config)),
        "lineage": lineage,
        "val_loss": round(best.val_loss, 6),
        "val_ce": round(best.val_ce, 6),
        "data_sha256": _digest(asked["files"]),
        "versions": search.study["versions"],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _digest(files: Any) -> str:
    import hashlib
    import json

    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _story(
    search: Search,
    winner: Trial,
    calibration: dict[str, Any],
    threshold: float | None,
    repeats: Sequence[dict[str, float]],
) -> str:
    """How the model came about, for its card."""
    done = [trial for trial in search.trials if trial.status == COMPLETED]
    best = winner.best(search.objective, search.direction)
    said = [
        f"The best of {len(done)} trials of a Hyperband search by {search.objective} "
        f"({search.objective} {winner.score:.4f}, of which cross-entropy {best.val_ce:.4f}); "
        f"trial {winner.id}, trained for {best.epoch} epochs. {OPTIMISM_NOTE}",
        f"Calibration ({calibration['method']}, fitted on validation): expected calibration error "
        f"on test {calibration['ece_before']:.3f}, after it {calibration['ece_after']:.3f}. It is "
        "not in the model.",
    ]
    if threshold is not None:
        said.append(
            f"Sensitivity plus specificity on validation is highest where the second class is "
            f"called from a probability of {threshold:.3f}."
        )
    if repeats:
        values = [run["test_accuracy"] for run in repeats]
        said.append(
            f"Trained again from {len(values)} other seeds: test accuracy {min(values):.3f} to "
            f"{max(values):.3f}, mean {np.mean(values):.3f}."
        )
    return "\n\n".join(said)


def _keep(
    folder: Path,
    card: ModelCard,
    winner: Trial,
    logits: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    found: dict[str, Any],
) -> None:
    """Leave what the report shows in the search folder."""
    arrays = {f"{name}_probabilities": probabilities(values) for name, values in logits.items()}
    arrays |= {f"{name}_labels": values for name, values in labels.items()}
    arrays |= {f"{name}_logits": values for name, values in logits.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(folder / ARRAYS, lambda scratch: scratch.write_bytes(buffer.getvalue()) and None)
    measures = [
        vars(measure)
        for name, values in logits.items()
        for measure in evaluate(probabilities(values), labels[name], name)
    ]
    write_json(
        folder / WINNER,
        {
            "trial": winner.id,
            "model": card.name,
            "metrics": measures,
            "size": card.size,
            "sha256": card.sha256,
            "calibration": found["calibration"],
            "threshold": found["threshold"],
            "repeats": found["repeats"],
        },
    )
