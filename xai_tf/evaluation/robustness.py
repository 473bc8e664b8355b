"""How far the answers of a model hold when its files are corrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.datasets.listing import Entry
from xai_tf.errors import InputError
from xai_tf.evaluation.corruptions import Corruption, corrupted
from xai_tf.evaluation.predictions import LabeledFiles, predict_windows
from xai_tf.evaluation.unwarned import unwarned_errors, unwarned_label_errors
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent
from xai_tf.statistics import Share, share

MOST_TURNED = 0.05  # of the answers may turn before a level counts as too much
# The columns of `CorruptionResult.rows`.
LEVEL_COLUMNS = (
    "corruption",
    "level",
    "accuracy",
    "turned",
    "warned of",
    "wrong, p > 0.9, unwarned",
)


@dataclass(frozen=True, kw_only=True)
class LevelResult:
    """How a model does at one level of a corruption.

    Attributes:
        level: the strength, in the unit of the corruption.
        accuracy: the share of files that are predicted correctly; of several labels, of which all
            are.
        turned: the share of files that are answered otherwise than without the corruption.
        warned: the share that the OOD detector flags; without one no share.
        unwarned: the share that is wrong with p > 0.9 and not warned of.
    """

    level: float
    accuracy: Share
    turned: Share
    warned: Share
    unwarned: Share

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        shares = ("accuracy", "turned", "warned", "unwarned")
        return {"level": self.level, **{name: vars(getattr(self, name)) for name in shares}}


@dataclass(frozen=True, kw_only=True)
class CorruptionResult:
    """How a model does under one corruption.

    Attributes:
        corruption: the corruption.
        levels: its levels, the weakest first.
        most_turned: the share of answers that may turn.
    """

    corruption: Corruption
    levels: tuple[LevelResult, ...]
    most_turned: float

    @property
    def turns_at(self) -> float | None:
        """The first level at which more answers turn than may; None where none does."""
        return next((one.level for one in self.levels if one.turned.value > self.most_turned), None)  # type: ignore[operator]

    @property
    def rows(self) -> list[list[str]]:
        """Rows of a table with `LEVEL_COLUMNS`; `turns_at` is marked."""
        return [
            [
                f"{self.corruption.title}, {self.corruption.unit}",
                f"{one.level:g}{' (turns)' * (one.level == self.turns_at)}",
                *map(str, (one.accuracy, one.turned, one.warned, one.unwarned)),
            ]
            for one in self.levels
        ]


@dataclass(frozen=True, kw_only=True)
class CorruptionResults:
    """How far the answers of a model hold.

    Attributes:
        plain: without a corruption, as level 0.
        corruptions: one result for each corruption.
        passes: the number of images that the model predicted.
        seconds: how long that took, reading included.
        skipped: the number of files that could not be read, or whose sound cannot be changed.
    """

    plain: LevelResult
    corruptions: tuple[CorruptionResult, ...]
    passes: int
    seconds: float
    skipped: int

    @property
    def summary(self) -> str:
        """One sentence on what was measured, and what it cost."""
        return (
            f"{self.plain.accuracy.count} files, accuracy {self.plain.accuracy} without a "
            f"corruption; {self.passes} passes, {self.seconds:.0f} s. (turns) marks the first "
            f"level at which more than {self.corruptions[0].most_turned:.0%} of the answers turn."
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "plain": self.plain.to_dict(),
            "corruptions": [
                {
                    "name": one.corruption.name,
                    "unit": one.corruption.unit,
                    "turns_at": one.turns_at,
                    "levels": [level.to_dict() for level in one.levels],
                }
                for one in self.corruptions
            ],
            "most_turned": self.corruptions[0].most_turned,
            "passes": self.passes,
            "seconds": self.seconds,
            "skipped": self.skipped,
        }


def measure_corruptions(
    classifier: Classifier,
    labeled: LabeledFiles,
    corruptions: Sequence[Corruption],
    most_turned: float = MOST_TURNED,
    progress: Progress = silent,
) -> CorruptionResults:
    """Predict labeled files under each corruption and level, and count the answers that turn.

    Each file is read once, and only one batch of files is in memory at a time. Takes a pass for
    each file (or window of a recording) and level.

    Args:
        classifier: the classifier.
        labeled: the files.
        corruptions: at least one, as from `picked_corruptions`.
        most_turned: the share of answers that may turn, 0 to 1.
        progress: called with (files done, files in all, what is done now).

    Raises:
        InputError: none of the files can be read.
    """
    start, recipe = time.perf_counter(), classifier.task.recipe if classifier.task else None
    of_level: dict[tuple[str, float], list[np.ndarray]] = {("", 0.0): []}
    of_level |= {(one.name, level): [] for one in corruptions for level in one.levels}
    num_read = num_windows = 0
    for done, batch in _batches(classifier, labeled, corruptions[0].of_sound, progress):
        truth, files = _truth([entry for entry, _ in batch], classifier), [s for _, s in batch]
        said = _answers(classifier, files, truth)
        of_level["", 0.0].append(said.judged(said.decided))
        for one in corruptions:
            for level in one.levels:
                progress(done, len(labeled.entries), f"{one.title} {level:g}")
                changed = [[corrupted(s, one, level, recipe) for s in each] for each in files]
                again = _answers(classifier, changed, truth)
                of_level[one.name, level].append(again.judged(said.decided))
        num_read += len(batch)
        num_windows += sum(map(len, files))
    progress(len(labeled.entries), len(labeled.entries), "corrupting")
    if not num_read:
        raise InputError(
            f"Cannot corrupt any file of {labeled.source}: none can be read, or they are pictures "
            "of sounds. Give other files."
        )
    shares = {key: _level(key[1], np.concatenate(parts)) for key, parts in of_level.items()}
    has_detector = classifier.ood_detector is not None
    if not has_detector:
        shares = {key: replace(one, warned=share(0, 0)) for key, one in shares.items()}
    return CorruptionResults(
        plain=shares["", 0.0],
        corruptions=tuple(
            CorruptionResult(
                corruption=one,
                levels=tuple(shares[one.name, level] for level in one.levels),
                most_turned=most_turned,
            )
            for one in corruptions
        ),
        passes=num_windows * len(of_level),
        seconds=time.perf_counter() - start,
        skipped=len(labeled.entries) - num_read,
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """The answers for some files: bool arrays of shape (files, classes) and (files,)."""

    decided: np.ndarray
    truth: np.ndarray
    flagged: np.ndarray
    unwarned: np.ndarray

    def judged(self, before: np.ndarray) -> np.ndarray:
        """Right, turned, flagged and unwarned: bool array of shape (files, 4)."""
        right = (self.decided == self.truth).all(axis=1)
        turned = (self.decided != before).any(axis=1)
        return np.stack([right, turned, self.flagged, self.unwarned], axis=1)


def _answers(classifier: Classifier, files: Sequence[list[Sample]], truth: np.ndarray) -> _Answers:
    logits, flags = predict_windows(classifier, files)
    said, flagged = classifier.probabilities(np.stack(logits)), np.array(flags) if flags else None
    if classifier.head.multi_label:
        thresholds = np.array(classifier.thresholds)
        decided = said >= thresholds
        unwarned = unwarned_label_errors(said, truth, thresholds, flagged)
    else:
        decided = np.eye(said.shape[1], dtype=bool)[said.argmax(axis=1)]
        unwarned = unwarned_errors(said, truth.argmax(axis=1), flagged)
    return _Answers(
        decided, truth, np.zeros(len(said), bool) if flagged is None else flagged, unwarned
    )


def _truth(entries: Sequence[Entry], classifier: Classifier) -> np.ndarray:
    truth = np.zeros((len(entries), len(classifier.classes)), bool)
    for row, entry in zip(truth, entries, strict=True):
        row[list(entry.labels)] = True
    return truth


def _batches(
    classifier: Classifier, labeled: LabeledFiles, sounds: bool, progress: Progress
) -> Iterator[tuple[int, list[tuple[Entry, list[Sample]]]]]:
    """Files with their windows, at least `BATCH` windows at a time, and how many are done."""
    waiting: list[tuple[Entry, list[Sample]]] = []
    for number, entry in enumerate(labeled.entries):
        progress(number, len(labeled.entries), f"reading {entry.path.name}")
        try:
            windows = classifier.windows(entry.path)
        except InputError:
            continue
        if sounds and any(one.sound is None or one.sound.rebuilt for one in windows):
            continue
        waiting.append((entry, windows))
        if sum(len(samples) for _, samples in waiting) >= BATCH:
            yield number, waiting
            waiting = []
    if waiting:
        yield len(labeled.entries), waiting


def _level(level: float, judged: np.ndarray) -> LevelResult:
    right, turned, flagged, unwarned = (share(int(n), len(judged)) for n in judged.sum(axis=0))
    return LevelResult(
        level=level, accuracy=right, turned=turned, warned=flagged, unwarned=unwarned
    )
