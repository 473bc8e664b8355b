"""Make the winner of a search a model with a card, checked at every step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads
from tuning.batched_heads import State
from tuning.batched_tuner import STATE
from tuning.calibration import best_threshold, calibrated, fit_calibration, single_questions
from tuning.left_out_groups import leave_groups_out
from tuning.search_folder import write_durably, write_json
from tuning.seed_repeats import repeat_with_seeds
from tuning.settings import ExportSettings, Mode, StudySettings
from tuning.space import configuration
from tuning.trials import (
    ARRAYS,
    COMPLETED,
    CURVES,
    STUDY,
    WINNER,
    Epoch,
    Search,
    Trial,
    read_search,
)
from weights_keras import Measure, ModelCard, fingerprint, load_file
from xai_tf.classifiers.graph import flatten
from xai_tf.classifiers.loading import card_beside
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD, probabilities
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.errors import InputError, ModelError
from xai_tf.evaluation.classification import evaluate
from xai_tf.evaluation.curves import calibration_error
from xai_tf.evaluation.labels import label_measures
from xai_tf.progress import Progress, silent
from xai_tf.training.publish import OPTIMISM_NOTE, check_folder, publish
from xai_tf.training.train import features, with_sigmoids

if TYPE_CHECKING:
    import keras

    from tuning.networks import Networks

# The largest difference of logits, relative to their scale: between the head on cached features
# and the whole model, and where weights are stored as float16.
TOLERANCE, FLOAT16_TOLERANCE = 1e-5, 1e-2
# The settings of a search that stand in the card, by their stored names.
CARD_SETTINGS = (
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


@dataclass(frozen=True, eq=False)
class _Winner:
    """The winner of a search, with its logits and labels by split ("validation" and "test")."""

    search: Search
    trial: Trial
    epoch: Epoch
    logits: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]

    @property
    def multi_label(self) -> bool:
        """Whether a file may have several labels or none."""
        return self.labels["test"].ndim == 2

    def probabilities(self, split: str) -> np.ndarray:
        """Probabilities by file, before any calibration: float array of shape (files, classes)."""
        return probabilities(self.logits[split], self.multi_label)

    def measures(self, split: str) -> tuple[Measure, ...]:
        """How good the winner is on a split, with 95% intervals."""
        found, labels = self.probabilities(split), self.labels[split]
        if self.multi_label:
            limits = np.full(found.shape[1], DEFAULT_THRESHOLD)
            return label_measures(found, labels == 1, limits, split)
        return evaluate(found, labels, split)


def export(
    networks: Networks,
    out: Path,
    settings: ExportSettings | None = None,
    *,
    also_test: Mapping[str, Dataset] | None = None,
    progress: Progress = silent,
) -> ModelCard:
    """Write the winner as `<name>.keras` with its card, and what the report shows of it.

    Args:
        networks: the networks of a search with at least one completed trial.
        out: the folder for the model.
        settings: how the model is calibrated, stored and described.
        also_test: further test sets, by name.
        progress: is called with steps done, steps in all, and a text.

    Raises:
        ModelError: no trial is completed yet, or the written model is not the one tuned.
        InputError: a file of the search is damaged.
    """
    settings, data = settings or ExportSettings(), networks.data
    study, splits = data.study, data.splits
    search = read_search(study.folder)
    trial, epoch = _best_trial(search)
    progress(0, 1, "assembling the winner")
    model = winning_model(networks, trial)
    winner = _Winner(search, trial, epoch, *_logits_and_labels(model, splits))
    config = configuration(study.fixed | trial.values)
    record = _tuning_record(winner, asdict(config)) | {
        "calibration": _calibration(winner, settings.calibration),
        "threshold": _threshold(winner),
        "repeats": repeat_with_seeds(
            networks, config, trial.last_epoch, settings.repeats, progress
        ),
    }
    published = with_sigmoids(model) if data.multi_label else model
    card = publish(
        published,
        splits,
        data.task,
        name=study.name,
        backbone=config.backbone,
        folder=out,
        story=_story(winner, record),
        tuning=record,
        half=settings.float16,
        further=dict(also_test or {}),
        check=lambda file: _check_file(file, published, splits.validation, settings.float16),
        command=settings.command,
        datasets=settings.datasets,
        license_=settings.license_,
        group_out=leave_groups_out(networks, config.backbone, settings.groups, progress),
    )
    _store_winner(winner, card, record)
    return card


def check_export_folder(study: StudySettings, folder: Path, overwrite: bool = False) -> None:
    """Make sure that the model of a search can be written; a search may write its own again.

    Args:
        study: the search.
        folder: the folder for the model.
        overwrite: whether another model of this name may be replaced.

    Raises:
        OutputError: it cannot.
    """
    model = folder / f"{study.name}.keras"
    again = model.is_file() and is_export_of(model, study.folder)
    check_folder(folder, study.name, overwrite or again)


def is_export_of(model: Path, folder: Path) -> bool:
    """Whether a model was written by a search, which may then write it again.

    Args:
        model: the model file.
        folder: of the search, which need not be there.
    """
    if not (folder / STUDY).is_file():
        return False
    card = card_beside(model, fingerprint(model))
    search = _search_record(read_search(folder))
    return card is not None and search.items() <= card.tuning.items()


def winning_model(networks: Networks, trial: Trial) -> keras.Model:
    """The whole network of a trial, with the weights of its best epoch: RGB in [0, 1] to logits.

    Raises:
        ModelError: on the validation images its logits are not those it had in the search.
        InputError: the weights of the trial cannot be read.
    """
    study = networks.data.study
    config = configuration(study.fixed | trial.values)
    folder = study.folder / f"trial_{trial.id}"
    if study.mode == Mode.BATCHED_HEADS:
        base, num_logits = networks.base(config.backbone), networks.data.num_logits
        top = heads.head(config, base.output_shape[1:], num_logits)
        top.set_weights(State.load(folder / STATE).weights(len(config.dense) + 1))
        model = heads.whole_model(base, top)
        upper = heads.head(config, (top.layers[2].input.shape[-1],), num_logits)
        upper.set_weights(top.get_weights())
        inputs = networks.rows(config.backbone, config.pooling)[1].features
    else:
        model, upper = networks.build(config)
        _load_weights(upper, folder / "checkpoint.weights.h5")
        if networks.cut(config.backbone) is None:
            return flatten(model)
        inputs = networks.features(config.backbone)[1]
    _check_equal(
        features(model, networks.data.splits.validation.images),
        features(upper, inputs),
        TOLERANCE,
        f"The assembled model is not that of the search. Delete {study.cache} and search again",
    )
    # A copy has no optimizer, which would make the file three times as large.
    return flatten(model)


def _best_trial(search: Search) -> tuple[Trial, Epoch]:
    ranked = search.distinct()
    if not ranked:
        raise ModelError(f"{search.folder} has no completed trial yet. Run the search first.")
    epoch = search.best_epoch(ranked[0])
    if epoch is None:
        raise InputError(
            f"{search.folder / CURVES} has no epoch of trial {ranked[0].id}. Restore the file."
        )
    return ranked[0], epoch


def _logits_and_labels(
    model: keras.Model, splits: Splits
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Logits and labels by file, of the validation and of the test split."""
    held_out = {"validation": splits.validation, "test": splits.test}
    logits = {n: split.file_means(features(model, split.images)) for n, split in held_out.items()}
    return logits, {name: split.file_labels for name, split in held_out.items()}


def _load_weights(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many errors for a damaged file
        raise InputError(
            f"Cannot read {path}: {' '.join(str(error).split())[:200]}. Restore it, or search "
            "again under another name."
        ) from error


def _check_equal(logits: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    gap, scale = np.abs(logits - expected).max(), max(1.0, float(np.abs(expected).max()))
    if not gap <= tolerance * scale:
        raise ModelError(
            f"{what}: logits differ by {gap:.1e}, and {tolerance * scale:.1e} is allowed."
        )


def _check_file(file: Path, model: keras.Model, data: Dataset, float16: bool) -> None:
    """Load the written model, and compare it with the one in memory.

    Both end in logits, or with several labels in probabilities.
    """
    logits, expected = (features(one, data.images) for one in (load_file(file), model))
    advice = " Export it without --float16" if float16 else ""
    tolerance = FLOAT16_TOLERANCE if float16 else TOLERANCE
    _check_equal(logits, expected, tolerance, f"The written model is not the one tuned.{advice}")
    changed = (_answers(logits, data) != _answers(expected, data)).any(axis=1).sum()
    if changed:
        raise ModelError(
            f"The written model predicts {changed} of {len(data.images)} validation images as "
            f"another class.{advice}."
        )


def _answers(outputs: np.ndarray, data: Dataset) -> np.ndarray:
    """What a model predicts for each row: shape (rows, 1), or of several labels (rows, labels)."""
    if data.multi_label:
        return outputs >= DEFAULT_THRESHOLD
    return probabilities(outputs).argmax(axis=1)[:, None]


def _calibration(winner: _Winner, method: str) -> dict[str, Any]:
    validation, test = (
        single_questions(winner.logits[name], winner.labels[name])
        for name in ("validation", "test")
    )
    fitted = fit_calibration(*validation, method)
    logits, labels = test
    before = calibration_error(probabilities(logits), labels)
    after = calibration_error(calibrated(logits, fitted), labels)
    return {
        **fitted,
        "fitted_on": "validation",
        "measured_on": "test",
        "ece_before": round(before, 4),
        "ece_after": round(after, 4),
    }


def _threshold(winner: _Winner) -> float | None:
    logits = winner.logits["validation"]
    if logits.shape[1] > 1 or winner.multi_label:
        return None
    return round(best_threshold(probabilities(logits), winner.labels["validation"]), 4)


def _tuning_record(winner: _Winner, config: dict[str, Any]) -> dict[str, Any]:
    """The search, as it stands in the card."""
    search = winner.search
    lineage = search.lineage(winner.trial)
    return _search_record(search) | {
        "trials": len(search.trials),
        "configuration": _plain(config),
        "lineage": [f"{t.id} (epochs {t.first_epoch} to {t.last_epoch})" for t in lineage],
        "val_loss": round(winner.epoch.val_loss, 6),
        "val_ce": round(winner.epoch.val_ce, 6),
        "versions": search.study["versions"],
    }


def _search_record(search: Search) -> dict[str, Any]:
    """What a search was asked, as it stands in the card."""
    settings = search.settings
    return {name: settings[name] for name in CARD_SETTINGS} | {
        "data_sha256": _digest(settings["files"])
    }


def _plain(value: Any) -> Any:
    """The same without tuples, as YAML reads it back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _digest(files: Any) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _story(winner: _Winner, record: dict[str, Any]) -> str:
    """How the model was found, for its card."""
    search, trial, epoch = winner.search, winner.trial, winner.epoch
    completed = sum(t.status == COMPLETED for t in search.trials)
    calibration, threshold = record["calibration"], record["threshold"]
    before, after = calibration["ece_before"], calibration["ece_after"]
    paragraphs = [
        f"The best of {completed} trials of a Hyperband search by {search.objective} "
        f"({search.objective} {trial.score:.4f}, of which cross-entropy {epoch.val_ce:.4f}): "
        f"trial {trial.id}, trained for {epoch.epoch} epochs. {OPTIMISM_NOTE}",
        f"Calibration ({calibration['method']}, fitted on the validation split) changes the "
        f"expected calibration error on the test split from {before:.3f} to {after:.3f}. It is "
        "not part of the model.",
    ]
    if threshold is not None:
        paragraphs.append(
            "On the validation split, sensitivity plus specificity is highest if the second class "
            f"is predicted from a probability of {threshold:.3f}."
        )
    if record["repeats"]:
        what = "share of right labels" if winner.multi_label else "accuracy"
        paragraphs.append(_seed_spread(record["repeats"], f"test {what}"))
    return "\n\n".join(paragraphs)


def _seed_spread(repeats: Sequence[Mapping[str, float]], what: str) -> str:
    accuracies = [repeat["test_accuracy"] for repeat in repeats]
    return (
        f"Trained again with {len(accuracies)} other random seeds: {what} "
        f"{min(accuracies):.3f} to {max(accuracies):.3f}, mean {np.mean(accuracies):.3f}."
    )


def _store_winner(winner: _Winner, card: ModelCard, record: dict[str, Any]) -> None:
    """Write what the report shows into the search folder."""
    folder = winner.search.folder
    arrays: dict[str, Any] = {}
    for name, logits in winner.logits.items():
        arrays[f"{name}_probabilities"] = winner.probabilities(name)
        arrays[f"{name}_labels"] = winner.labels[name]
        arrays[f"{name}_logits"] = logits

    def write(scratch: Path) -> None:
        with scratch.open("wb") as file:
            np.savez(file, **arrays)

    write_durably(folder / ARRAYS, write)
    measures = [vars(measure) for name in winner.logits for measure in winner.measures(name)]
    write_json(
        folder / WINNER,
        {
            "trial": winner.trial.id,
            "model": card.name,
            "metrics": measures,
            "size": card.size,
            "sha256": card.sha256,
            "calibration": record["calibration"],
            "threshold": record["threshold"],
            "repeats": record["repeats"],
        },
    )
