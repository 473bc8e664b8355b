"""How well files of a group are predicted that a model never saw: leave-one-group-out.

The backbone stays frozen, so its features are computed once, and a linear head is refitted for each
group that is left out. For comparison the same head is measured with files drawn at random left
out: the difference is what a model gains by knowing the group.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weights_keras import Measure
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.classifiers.prediction import DEFAULT_THRESHOLD, probabilities
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.datasets.groups import Groups
from xai_tf.datasets.listing import counted, some
from xai_tf.errors import InputError, SettingError
from xai_tf.evaluation.classification import area_under_curve, measure
from xai_tf.progress import Progress, silent
from xai_tf.statistics import Share, share
from xai_tf.training.left_out_parts import (
    FileTable,
    parts_of_groups,
    random_parts,
    usable_parts,
)

GROUP_OUT = "left-out groups (linear head)"
POOLED = "left-out files (linear head)"
SECTION = "## Left-out groups"
STRENGTH = 0.01  # sklearn's C, for standardized features: the inverse of the L2 penalty
UNSEEN = -9.0  # the logit of a label that no file of a training has
NUM_DRAWS = 1000  # of the bootstrap
FEW_GROUPS = 10  # of which an interval says little
MOST_SHOWN = 20  # groups in the table of a card

Extract = Callable[[Dataset], np.ndarray]  # the features of a set: (rows, channels)


@dataclass(frozen=True, kw_only=True)
class GroupOut:
    """What leaving groups out shows.

    Attributes:
        measures: accuracy and AUC of left-out groups, with intervals of a bootstrap over groups and
            over the files of each; then the same of left-out files, with one over files. With
            several labels, accuracy is the share of files of which all labels are right.
        groups: the accuracy of each group that was left out, the worst first.
        num_folds: the number of heads that were fitted on groups.
        passes: the number of images whose features were needed.
        seconds: how long it took.
        notes: what a person should know of it, one sentence each.
    """

    measures: tuple[Measure, ...]
    groups: tuple[tuple[str, Share], ...]
    num_folds: int
    passes: int
    seconds: float
    notes: tuple[str, ...]

    @property
    def story(self) -> str:
        """A section on it for the card."""
        rows = [f"| {name} | {one} | {one.count} |" for name, one in self.groups[:MOST_SHOWN]]
        rest = len(self.groups) - len(rows)
        more = f"\n\n{counted(rest, 'other group')} did better." if rest > 0 else ""
        notes = "".join(f"\n\n{note}" for note in self.notes)
        return (
            f"{SECTION}\n\nA linear head was fitted on the frozen features of the backbone as it "
            f"was before the training, {self.num_folds} times without the files of one or more of "
            f"{len(self.groups)} groups, and predicted those (`{GROUP_OUT}`); then as often "
            f"without files drawn at random (`{POOLED}`). Where the first figure is lower, a test "
            "on files of known groups promises too much, of the model of this card too, which was "
            "not trained again. Intervals of the first are of a bootstrap over groups and files."
            f"{notes}\n\n| left-out group, the worst first | accuracy | files |\n| --- | --- | --- "
            "|\n" + "\n".join(rows) + more
        )


def check_frozen_features(backbone: str, weights: object) -> None:
    """Check that a backbone has features before it is trained.

    Raises:
        SettingError: it starts from random weights.
    """
    if weights in (None, "none") or BACKBONES[backbone].application is None:
        raise SettingError(
            f"--groups refits a head on the features of a pretrained backbone, and {backbone!r} "
            "starts from random weights. Give a pretrained one, or leave out --groups and measure "
            "the groups of the test files with `xai-tf errors --groups`."
        )


def files_of(splits: Splits) -> tuple[Path, ...]:
    """The files of all splits that could be read, in the order that `estimate_group_out` takes."""
    sets = (splits.train, splits.validation, splits.test)
    return tuple(data.paths[number] for data in sets for number in np.unique(data.files))


def estimate_group_out(
    splits: Splits,
    groups: Groups,
    extract: Extract,
    seed: int = 0,
    progress: Progress = silent,
) -> GroupOut:
    """Refit a linear head without each group, and measure it on that group.

    With more than 20 groups, they are left out in 20 parts. The head is a logistic regression on
    standardized features, in which all classes weigh the same. Files without a group are not used.

    Args:
        splits: the files; the splits play no part.
        groups: the groups of `files_of(splits)`.
        extract: the features of a set: float array of shape (rows, channels).
        seed: random seed of the parts.
        progress: called with (steps done, steps in all, what runs now).

    Raises:
        InputError: each class is in one group only, so no group can be left out.
    """
    start = time.perf_counter()
    table, names = _table(splits, groups, extract, progress)
    parts = parts_of_groups(table, seed)
    kept, lost = usable_parts(table, parts)
    notes = list(groups.notes)
    if lost:
        named = some(names[group] for group in np.unique(table.groups[lost]))
        notes.append(
            f"{named} cannot be left out: the remaining groups have no file of one of the classes."
        )
    if not kept:
        raise InputError(
            f"--groups {groups.rule}: without any one group a class has no file left ("
            f"{some(names)}), so no group can be left out. Give groups that share their classes, "
            "or leave out --groups."
        )
    numbers = np.concatenate(kept)
    num_groups = len(np.unique(table.groups[numbers]))
    if num_groups < FEW_GROUPS:
        notes.append(
            f"{counted(num_groups, 'group')} tell little of others: the interval is too narrow."
        )
    of_files = random_parts(table, numbers, len(kept), seed)
    total = len(kept) + len(of_files)
    by_group = _predict(table, kept, progress, 0, total)
    by_file = _predict(table, of_files, progress, len(kept), total)
    order = np.sort(numbers)
    notes += _one_class_notes(table, numbers, names)
    right = _right(by_group[order], table.labels[order])
    owners = table.groups[order]
    found = [(names[g], _share(right[owners == g])) for g in np.unique(owners)]
    found.sort(key=lambda one: (one[1].value, -one[1].count))
    return GroupOut(
        measures=(
            *_measures(by_group[order], table.labels[order], owners, GROUP_OUT),
            *_measures(by_file[order], table.labels[order], np.arange(len(order)), POOLED),
        ),
        groups=tuple(found),
        num_folds=len(kept),
        passes=len(table.features),
        seconds=time.perf_counter() - start,
        notes=tuple(notes),
    )


def _one_class_notes(table: FileTable, numbers: np.ndarray, names: list[str]) -> list[str]:
    """A note on the groups with files of one class, of which no others need to be like them."""
    if table.labels.ndim == 2:
        return []
    kept = np.unique(table.groups[numbers])
    single = [
        names[group] for group in kept if len(np.unique(table.labels[table.groups == group])) == 1
    ]
    if not single:
        return []
    return [
        f"{counted(len(single), 'group')} with files of one class ({some(single)}): the accuracy "
        "is the recall of that class, by a head that saw fewer of its kinds."
    ]


def _table(
    splits: Splits, groups: Groups, extract: Extract, progress: Progress
) -> tuple[FileTable, list[str]]:
    sets = (splits.train, splits.validation, splits.test)
    features, files, count = [], [], 0
    for number, data in enumerate(sets):
        progress(number, len(sets), "features for left-out groups")
        features.append(extract(data))
        numbers, position = np.unique(data.files, return_inverse=True)
        files.append(position + count)
        count += len(numbers)
    names = sorted({name for name in groups.names if name is not None})
    of_file = np.array([-1 if one is None else names.index(one) for one in groups.names])
    table = FileTable(
        features=np.concatenate(features),
        labels=np.concatenate([data.file_labels for data in sets]),
        files=np.concatenate(files),
        groups=of_file,
        num_classes=len(splits.train.classes),
    )
    return table, names


def _predict(
    table: FileTable, parts: list[np.ndarray], progress: Progress, done: int, total: int
) -> np.ndarray:
    """Probabilities of the files of each part, by a head that was fitted without it."""
    found = np.zeros((len(table.labels), table.num_classes))
    used = np.flatnonzero(table.groups >= 0)
    for number, part in enumerate(parts):
        progress(done + number, total, "heads for left-out groups")
        inside = np.isin(table.files, part)
        trained = np.isin(table.files, np.setdiff1d(used, part))
        logits = _logits(table, trained, inside)
        means = np.stack([logits[table.files[inside] == file].mean(axis=0) for file in part])
        found[part] = probabilities(means, table.labels.ndim == 2)
    progress(done + len(parts), total, "heads for left-out groups")
    return found


def _logits(table: FileTable, trained: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Logits of the predicted rows by a head fitted on the trained ones: (rows, logits)."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(table.features[trained])
    inputs, outputs = (scaler.transform(table.features[rows]) for rows in (trained, predicted))
    labels = table.labels[table.files[trained]]
    if labels.ndim == 1:
        return _fitted(inputs, labels, outputs)
    columns = [_fitted(inputs, column, outputs) for column in labels.T]
    return np.concatenate(columns, axis=1)


def _fitted(inputs: np.ndarray, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) == 1:  # of a rare label all files may be left out
        return np.full((len(outputs), 1), UNSEEN if labels[0] == 0 else -UNSEEN)
    head = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 300 steps it is near enough
        head.fit(inputs, labels)
    logits = np.asarray(head.decision_function(outputs))
    return logits[:, None] if logits.ndim == 1 else logits


def _right(said: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 2:
        return np.asarray(((said >= DEFAULT_THRESHOLD) == (labels == 1)).all(axis=1))
    return np.asarray(said.argmax(axis=1) == labels)


def _share(right: np.ndarray) -> Share:
    return share(int(right.sum()), len(right))


def _measures(
    said: np.ndarray, labels: np.ndarray, owners: np.ndarray, split: str
) -> Iterator[Measure]:
    """Accuracy and AUC, with 95% intervals of a bootstrap over owners, and over files of each."""
    rng, numbers = np.random.default_rng(0), np.unique(owners)
    places = [np.flatnonzero(owners == number) for number in numbers]
    draws = [
        np.concatenate(
            [
                rng.choice(places[place], len(places[place]))
                for place in rng.integers(len(places), size=len(places))
            ]
        )
        for _ in range(NUM_DRAWS)
    ]
    right = _right(said, labels)
    accuracies = [right[rows].mean() for rows in draws]
    interval = np.percentile(accuracies, (2.5, 97.5))
    yield measure("accuracy", split, right.mean(), interval, len(right))
    if labels.ndim == 2:
        return
    area = _area(said, labels)
    if area is not None:
        areas = [one for one in (_area(said[rows], labels[rows]) for rows in draws) if one]
        yield measure("auc", split, area, np.percentile(areas, (2.5, 97.5)), len(right))


def _area(said: np.ndarray, labels: np.ndarray) -> float | None:
    """The area under the ROC curve; None where a class is missing, as in some draws of groups."""
    if len(np.unique(labels)) < said.shape[1]:
        return None
    return area_under_curve(said, labels)
