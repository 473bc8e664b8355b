"""The results of a model of several labels: each label is a question of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import logit

from weights_keras import Measure
from xai_tf.evaluation.classification import area_under_curve, interval_of_area, measure
from xai_tf.evaluation.curves import Outcome, outcome
from xai_tf.evaluation.predictions import Predictions
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.unwarned import unwarned_label_errors, warning_measures
from xai_tf.files import spreadsheet_cell
from xai_tf.statistics import wilson

NUM_DRAWS = 1000  # of the bootstrap
KINDS = ("true", "probability", "found")  # the columns of a label
# The columns of `LabelResult.cells`.
LABEL_COLUMNS = (
    "label",
    "threshold",
    "found, true",
    "found, not true",
    "missed",
    "precision",
    "recall",
    "F1",
    "AUC",
)


@dataclass(frozen=True, kw_only=True)
class LabelResult:
    """How well one label is found.

    Attributes:
        name: the label.
        threshold: the probability from which it is predicted.
        counts: files where it is (found and true, found and not true, missed, rightly not found).
        outcome: sensitivity (recall), specificity, precision and F1 at the threshold.
        area: the area under the ROC curve with its interval; None where all files have the label,
            or none has.
    """

    name: str
    threshold: float
    counts: tuple[int, int, int, int]
    outcome: Outcome
    area: Measure | None

    @property
    def cells(self) -> list[str]:
        """A row of a table with `LABEL_COLUMNS`, each share with its 95% interval."""
        hits, false_alarms, missed, _ = self.counts
        shares = (self.outcome.precision, self.outcome.sensitivity, self.outcome.f1)
        return [
            self.name,
            f"{self.threshold:g}",
            *map(str, (hits, false_alarms, missed, *shares)),
            str(self.area) if self.area else "-",
        ]


@dataclass(frozen=True, eq=False)
class LabelResults:
    """The results of a model of several labels on labeled files.

    Attributes:
        predictions: the predictions for the files, with `multi_label`.
    """

    predictions: Predictions

    @cached_property
    def truth(self) -> np.ndarray:
        """Which labels are true: bool array of shape (files, labels)."""
        found = np.zeros(self.probabilities.shape, bool)
        for row, labels in zip(found, self.predictions.label_sets, strict=True):
            row[list(labels)] = True
        return found

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Probabilities of the labels: float array of shape (files, labels)."""
        return np.array(self.predictions.probabilities)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Which labels are predicted: bool array of shape (files, labels)."""
        return self.probabilities >= np.array(self.predictions.thresholds)

    @cached_property
    def labels(self) -> tuple[LabelResult, ...]:
        """How well each label is found, in the order of the classes. Takes a second."""
        found = self.predictions
        return label_results(found.classes, self.probabilities, self.truth, found.thresholds)

    def measures(self) -> tuple[Measure, ...]:
        """The measures of all labels together, as `label_measures`; and `warning_measures`."""
        thresholds = np.array(self.predictions.thresholds)
        measures = label_measures(self.probabilities, self.truth, thresholds, "files")
        return *measures, *warning_measures(self.predictions.flagged, self.unwarned)

    @cached_property
    def unwarned(self) -> np.ndarray:
        """Which files have a label wrong with p > 0.9 and no warning: bool, shape (files,)."""
        thresholds = np.array(self.predictions.thresholds)
        return unwarned_label_errors(
            self.probabilities, self.truth, thresholds, self.predictions.flagged
        )

    @property
    def correct(self) -> np.ndarray:
        """Whether all labels of a file are right: bool array of shape (files,)."""
        return (self.predicted == self.truth).all(axis=1)

    @cached_property
    def margins(self) -> np.ndarray:
        """The evidence against the truth, in logits beyond the threshold: (files, labels).

        A value above 0 is a mistake: a label that is found and not true, or true and missed.
        """
        over = np.array(self.predictions.logits) - logit(np.array(self.predictions.thresholds))
        return np.where(self.truth, -over, over)

    def of_label(self, label: int) -> EvaluationResults:
        """One label as a question of two classes: "not NAME" and "NAME"."""
        found, name = self.predictions, self.predictions.classes[label]
        return EvaluationResults(
            replace(
                found,
                classes=(f"not {name}", name),
                labels=tuple(self.truth[:, label].astype(int).tolist()),
                logits=tuple((row[label],) for row in found.logits),
                probabilities=tuple((1 - row[label], row[label]) for row in found.probabilities),
                multi_label=False,
                thresholds=(),
                label_sets=(),
            )
        )

    def ranked_mistakes(self) -> list[tuple[int, int]]:
        """(number of the file, label) of all mistakes, the most confident first."""
        wrong = np.argwhere(self.predicted != self.truth)
        order = np.argsort(-self.margins[tuple(wrong.T)], kind="stable")
        return [(int(number), int(label)) for number, label in wrong[order]]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each file, with the truth and the probability of each label."""
        names = enumerate(self.predictions.classes)
        columns = [(f"{kind} {name}", kind, k) for k, name in names for kind in KINDS]
        values = dict(zip(KINDS, (self.truth, self.probabilities, self.predicted), strict=True))
        return [
            {"file": path, **{title: values[kind][number, k].item() for title, kind, k in columns}}
            for number, path in enumerate(self.predictions.files)
        ]

    def table(self) -> str:
        """All files as CSV, one line each, with the truth and the probability of each label."""
        text = io.StringIO()
        writer = csv.writer(text)
        rows = self.rows()
        writer.writerow(map(spreadsheet_cell, rows[0]))
        for row in rows:
            path, *values = row.values()
            cells = (f"{v:.6f}" if isinstance(v, float) else int(v) for v in values)
            writer.writerow([spreadsheet_cell(self.predictions.name_of(path)), *cells])
        return text.getvalue()


def label_results(
    names: Sequence[str],
    probabilities: np.ndarray,
    truth: np.ndarray,
    thresholds: Sequence[float],
) -> tuple[LabelResult, ...]:
    """How well each of several labels is found; arguments as `label_measures`."""
    return tuple(
        label_result(name, probabilities[:, k], truth[:, k], thresholds[k])
        for k, name in enumerate(names)
    )


def label_result(
    name: str, scores: np.ndarray, positive: np.ndarray, threshold: float
) -> LabelResult:
    """How well one label is found.

    Args:
        name: the label.
        scores: its probabilities, float array of shape (files,).
        positive: whether it is true, bool array of shape (files,).
        threshold: the probability from which it is predicted.
    """
    found = scores >= threshold
    counts = (found & positive, found & ~positive, ~found & positive, ~found & ~positive)
    area = None
    if 0 < positive.sum() < len(positive):
        pair, labels = np.stack([1 - scores, scores], axis=1), positive.astype(int)
        value = area_under_curve(pair, labels)
        area = measure("auc", "files", value, interval_of_area(pair, labels), len(labels))
    return LabelResult(
        name=name,
        threshold=threshold,
        counts=(int(counts[0].sum()), *(int(one.sum()) for one in counts[1:])),  # type: ignore[arg-type]
        outcome=outcome(scores, positive, threshold),
        area=area,
    )


def label_measures(
    probabilities: np.ndarray, truth: np.ndarray, thresholds: np.ndarray, split: str
) -> tuple[Measure, ...]:
    """How well several labels are found together, with 95% intervals.

    "exact match" is the share of files of which all labels are right, with its Wilson interval.
    "mean F1" is the mean over the labels that a file has or that are found; "mean auc" that over
    the labels which some files have and others have not; it is left out where there is none. Their
    intervals are percentiles of 1,000 bootstrap draws of files, with a fixed seed.

    Args:
        probabilities: float array of shape (files, labels).
        truth: bool array of shape (files, labels).
        thresholds: float array of shape (labels,), the probability from which each is predicted.
        split: the name of the set, for the card.
    """
    predicted, count, rng = probabilities >= thresholds, len(truth), np.random.default_rng(0)
    exact = int((predicted == truth).all(axis=1).sum())
    draws = [rng.integers(0, count, count) for _ in range(NUM_DRAWS)]
    measures = [measure("exact match", split, exact / count, wilson(exact, count), count)]
    for name, values, statistic in (
        ("mean F1", predicted, _mean_f1),
        ("mean auc", probabilities, _mean_area),
    ):
        value = statistic(values, truth)
        if np.isnan(value):
            continue
        drawn = [statistic(values[rows], truth[rows]) for rows in draws]
        interval = np.nanpercentile(drawn, (2.5, 97.5))
        measures.append(measure(name, split, value, interval, count))
    return tuple(measures)


def _mean_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    both, either = (predicted & truth).sum(axis=0), predicted.sum(axis=0) + truth.sum(axis=0)
    used = either > 0
    return float(np.mean(2 * both[used] / either[used])) if used.any() else np.nan


def _mean_area(probabilities: np.ndarray, truth: np.ndarray) -> float:
    from scipy.stats import rankdata

    hits = truth.sum(axis=0)
    used = (hits > 0) & (hits < len(truth))
    if not used.any():
        return np.nan
    ranks = rankdata(probabilities[:, used], axis=0)
    hits = hits[used]
    above = (ranks * truth[:, used]).sum(axis=0) - hits * (hits + 1) / 2
    return float(np.mean(above / (hits * (len(truth) - hits))))
