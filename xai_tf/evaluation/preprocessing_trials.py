"""Try each color scaling on files, and let those that are labeled settle which one is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.preprocessing import SCALINGS, scaling_of
from xai_tf.errors import SettingError
from xai_tf.progress import Progress, silent
from xai_tf.statistics import Share, share

SIGNIFICANT = 0.05  # of the sign test between the best scaling and another
SAME = 1e-4  # probabilities that differ less are the same


@dataclass(frozen=True, eq=False, kw_only=True)
class PreprocessingTrial:
    """What a network predicts with one color scaling.

    Attributes:
        name: the scaling, a name in `SCALINGS` or one of `scaling_of`.
        title: its name for people.
        predictions: one for each file.
        accuracy: the share of the labeled files that are classified correctly.
    """

    name: str
    title: str
    predictions: tuple[Prediction, ...]
    accuracy: Share


@dataclass(frozen=True, eq=False, kw_only=True)
class PreprocessingTrials:
    """The trials of all color scalings on the same files.

    Attributes:
        paths: the files.
        labels: the index of the true class by file; files without one count for no accuracy.
        trials: one for each scaling, the most accurate first where files are labeled.
        winner: the scaling that the labeled files settle on; empty where they do not.
        reason: why, or why not, in a sentence.
    """

    paths: tuple[Path, ...]
    labels: Mapping[Path, int]
    trials: tuple[PreprocessingTrial, ...]
    winner: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The trials as plain data."""
        return {
            "winner": self.winner or None,
            "reason": self.reason,
            "candidates": [
                {
                    "preprocessing": trial.name,
                    "title": trial.title,
                    "accuracy": vars(trial.accuracy),
                    "predictions": [
                        {
                            "file": str(path),
                            "class": prediction.name,
                            "probability": float(prediction.probabilities.max()),
                        }
                        for path, prediction in zip(self.paths, trial.predictions, strict=True)
                    ],
                }
                for trial in self.trials
            ],
        }


def try_preprocessing(
    unscaled: Classifier,
    paths: Sequence[Path],
    labels: Mapping[Path, int] | None = None,
    *,
    own: str | None = None,
    progress: Progress = silent,
) -> PreprocessingTrials:
    """Predict files with each color scaling in front of a network.

    Args:
        unscaled: the network with the preprocessing "unit", so that nothing is done to the colors.
        paths: the files; of a long recording the first window.
        labels: the index of the true class of the files where it is known.
        own: a further candidate of one's own, as for `scaling_of`.
        progress: called with (files read, files in all).

    Returns:
        The trials; the winner is the most accurate scaling if a sign test (two-sided, p < 0.05)
        tells it from every other one that predicts something else.

    Raises:
        SettingError: the classifier has another preprocessing than "unit".
        InputError: a file cannot be read.
    """
    if unscaled.preprocessing != "unit":
        raise SettingError(
            f"Invalid preprocessing {unscaled.preprocessing!r}: expected 'unit', so that the "
            "candidates can be applied to the pictures."
        )
    known = labels or {}
    names = list(dict.fromkeys([*SCALINGS, *([own] if own else [])]))
    logits: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(paths), BATCH):
        images = []
        for done, path in enumerate(paths[start : start + BATCH], start):
            progress(done, len(paths), f"reading {path.name}")
            images.append(unscaled.read(path).image)
        for name in names:
            logits[name].append(_logits(unscaled, np.stack(images), name))
    progress(len(paths), len(paths), "")
    trials = [_trial(unscaled, name, np.concatenate(logits[name]), paths, known) for name in names]
    if known:
        trials.sort(key=lambda trial: -(trial.accuracy.value or 0))
    winner, reason = _settle(trials, paths, known)
    return PreprocessingTrials(
        paths=tuple(paths), labels=known, trials=tuple(trials), winner=winner, reason=reason
    )


def _logits(unscaled: Classifier, images: np.ndarray, name: str) -> np.ndarray:
    scaled = scaling_of(name).apply(images, unscaled.channels)
    # A network with one channel has the luma in front, which leaves three equal channels alone.
    if scaled.shape[-1] == 1:
        scaled = np.repeat(scaled, 3, axis=-1)
    return np.asarray(unscaled.passes.logits(scaled.astype(np.float32)))


def _trial(
    classifier: Classifier,
    name: str,
    logits: np.ndarray,
    paths: Sequence[Path],
    labels: Mapping[Path, int],
) -> PreprocessingTrial:
    predictions = tuple(classifier.prediction(row) for row in logits)
    hits = _right(predictions, paths, labels)
    return PreprocessingTrial(
        name=name,
        title=scaling_of(name).title,
        predictions=predictions,
        accuracy=share(int(hits.sum()), len(hits)),
    )


def _settle(
    trials: Sequence[PreprocessingTrial], paths: Sequence[Path], labels: Mapping[Path, int]
) -> tuple[str, str]:
    """The winner, or "", and why."""
    best = trials[0]
    if not labels:
        return "", (
            "The files have no labels, so they cannot tell which preprocessing is right. Give a "
            "folder with one folder per class."
        )
    shares = np.bincount(list(labels.values())) / len(labels)
    if (best.accuracy.low or 0) <= shares.max():
        return "", (
            f"{best.name!r} classifies {_hits(best)} files correctly, hardly more than the most "
            f"frequent class alone would ({shares.max():.0%}). Check the order of --classes, or "
            "give more labeled files."
        )
    right = {trial.name: _right(trial.predictions, paths, labels) for trial in trials}
    unclear = []
    for other in trials[1:]:
        same = all(
            np.allclose(a.probabilities, b.probabilities, atol=SAME)
            for a, b in zip(best.predictions, other.predictions, strict=True)
        )
        if not same and _p_value(right[best.name], right[other.name]) >= SIGNIFICANT:
            unclear.append(f"{other.name!r} ({_hits(other)})")
    if unclear:
        return "", (
            f"{best.name!r} classifies {_hits(best)} files correctly, which is not clearly more "
            f"than with {', '.join(unclear)}. Give more labeled files, or choose one with "
            "--preprocessing."
        )
    return best.name, (
        f"{best.name!r} classifies {_hits(best)} files correctly, more than any other that "
        "predicts something else (sign test, p < 0.05)."
    )


def _right(
    predictions: Sequence[Prediction], paths: Sequence[Path], labels: Mapping[Path, int]
) -> np.ndarray:
    """Whether each labeled file is classified correctly: bool of shape (labeled files,)."""
    pairs = zip(paths, predictions, strict=True)
    return np.array([p.label == labels[path] for path, p in pairs if path in labels], bool)


def _p_value(first: np.ndarray, second: np.ndarray) -> float:
    """The two-sided sign test of the files that only one of the two classifies correctly."""
    from scipy.stats import binomtest

    wins, losses = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _hits(trial: PreprocessingTrial) -> str:
    count = trial.accuracy.count
    return f"{round((trial.accuracy.value or 0) * count)} of {count}"
