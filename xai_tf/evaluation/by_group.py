"""How good a model is on each group of files, such as each patient, speaker or hospital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weights_keras import Measure
from xai_tf.datasets.groups import Groups
from xai_tf.datasets.listing import counted, some
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.statistics import Mean, Share, mean, share

# The columns of `GroupResult.cells`.
GROUP_COLUMNS = ("group", "files", "accuracy", "AUC", "wrong with p > 0.9, not warned of")


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """How good a model is on the files of one group.

    Attributes:
        name: the group.
        classes: the names of the classes, or of the labels, that its files have.
        accuracy: the share of its files that are predicted correctly; of several labels, of which
            all are.
        area: the area under the ROC curve; None where a class is missing, and for several labels.
        unwarned: the share that is wrong with p > 0.9 and not warned of.
    """

    name: str
    classes: tuple[str, ...]
    accuracy: Share
    area: Measure | None
    unwarned: Share

    @property
    def cells(self) -> list[str]:
        """A row of a table with `GROUP_COLUMNS`, each share with its 95% interval."""
        area = str(self.area) if self.area else "-"
        return [self.name, str(self.accuracy.count), str(self.accuracy), area, str(self.unwarned)]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "group": self.name,
            "classes": list(self.classes),
            "accuracy": vars(self.accuracy),
            "auc": self.area and vars(self.area),
            "unwarned": vars(self.unwarned),
        }


@dataclass(frozen=True, kw_only=True)
class GroupResults:
    """How good a model is on each group.

    Attributes:
        rule: how the groups were found.
        groups: the groups, the worst first; of equal ones the largest.
        mean: the mean accuracy of the groups, each counted once whatever its size, with the
            interval of a bootstrap over groups: how much it depends on which groups were met.
        notes: what a person should know of them, one sentence each.
    """

    rule: str
    groups: tuple[GroupResult, ...]
    mean: Mean
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "rule": self.rule,
            "groups": [group.to_dict() for group in self.groups],
            "mean_accuracy": vars(self.mean),
            "notes": list(self.notes),
        }


def evaluate_groups(results: EvaluationResults | LabelResults, groups: Groups) -> GroupResults:
    """Evaluate a model on each group of files.

    Args:
        results: what it predicts for all files.
        groups: the groups of these files, in their order. Files without a group count in none.
    """
    names = np.array([name if name is not None else "" for name in groups.names])
    found = [
        _result(results, name, np.flatnonzero(names == name))
        for name in dict.fromkeys(name for name in groups.names if name is not None)
    ]
    found.sort(key=lambda one: (one.accuracy.value, -one.accuracy.count))
    return GroupResults(
        rule=groups.rule,
        groups=tuple(found),
        mean=mean([one.accuracy.value for one in found if one.accuracy.value is not None]),
        notes=(*groups.notes, *_notes(found, isinstance(results, LabelResults))),
    )


def _result(results: EvaluationResults | LabelResults, name: str, rows: np.ndarray) -> GroupResult:
    count, classes = len(rows), results.predictions.classes
    return GroupResult(
        name=name,
        classes=tuple(classes[label] for label in _labels_of(results, rows)),
        accuracy=share(int(results.correct[rows].sum()), count),
        area=_area(results, rows),
        unwarned=share(int(results.unwarned[rows].sum()), count),
    )


def _labels_of(results: EvaluationResults | LabelResults, rows: np.ndarray) -> list[int]:
    if isinstance(results, LabelResults):
        return np.flatnonzero(results.truth[rows].any(axis=0)).tolist()
    return np.unique(results.labels[rows]).tolist()


def _area(results: EvaluationResults | LabelResults, rows: np.ndarray) -> Measure | None:
    if isinstance(results, LabelResults):
        return None
    measures = results.of_files(rows.tolist()).measures()
    return next((measure for measure in measures if measure.name == "auc"), None)


def _notes(found: Sequence[GroupResult], multi_label: bool) -> list[str]:
    single = [f"{one.name} ({', '.join(one.classes)})" for one in found if len(one.classes) == 1]
    if multi_label or not single:
        return []
    of_all = "Each group has" if len(single) == len(found) else f"{counted(len(single), 'group')}"
    have = "" if len(single) == len(found) else (" has" if len(single) == 1 else " have")
    return [
        f"{of_all}{have} files of one class only, so no AUC, and an accuracy that is the recall of "
        f"that class: {some(single)}."
    ]
