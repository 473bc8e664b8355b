"""The data of a search: its splits, training targets and row weights, and what identifies them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads, schedule
from tuning.augmented_rows import AugmentedRows
from tuning.settings import STORED_NAMES
from tuning.space import num_configurations
from xai_tf.datasets.dataset import Dataset
from xai_tf.datasets.reading import read_splits
from xai_tf.errors import InputError
from xai_tf.packages import versions
from xai_tf.progress import Progress, silent
from xai_tf.tasks import find_task

if TYPE_CHECKING:
    from tuning.settings import StudySettings

AUGMENTATION_SEED = 1  # of fixed augmentations, which searches of every seed share
MIN_FILES = 4  # a class with fewer leaves none for validation and test
# The settings that decide the result, besides backbones, weights, space, mode and files.
DECISIVE = (
    "task",
    "objective",
    "max_epochs",
    "factor",
    "iterations",
    "seed",
    "batch_size",
    "image_size",
    "augmentations",
    "class_weights",
)


class TrainingData:
    """The data of a search, read once.

    Args:
        study: the settings of the search.
        progress: is called with files read, files in all, and a text.

    Attributes:
        study: the settings of the search.
        task: the task.
        splits: training, validation and test split.
        train: the training rows with their fixed augmentations.
        validation: the validation rows; a recording of several windows has several rows.
        test: the test rows.

    Raises:
        InputError: the data cannot be read, or there is too little of it.
    """

    def __init__(self, study: StudySettings, progress: Progress = silent) -> None:
        self.study, self.task = study, find_task(study.task)
        size = (study.image_size, study.image_size)

        self.splits = read_splits(
            Path(study.data), self.task, size, study.seed, progress, study.options
        )
        _check_enough(self.splits.train, Path(study.data))
        self.train = self._rows(self.splits.train, max(1, study.augmentations))
        self.validation = self._rows(self.splits.validation)
        self.test = self._rows(self.splits.test)

    def _rows(self, data: Dataset, versions: int = 1) -> AugmentedRows:
        return AugmentedRows(data, versions, self.task, AUGMENTATION_SEED)

    @property
    def multi_label(self) -> bool:
        """Whether a file may have several labels or none."""
        return self.splits.train.multi_label

    @property
    def num_logits(self) -> int:
        """The number of logits, see `count_logits`."""
        return heads.count_logits(self.splits.train.classes, self.multi_label)

    @property
    def class_weights(self) -> bool:
        """Whether rows are weighted by their class.

        With several labels they are not, so that probabilities stay those of the data.
        """
        return self.study.class_weights and not self.multi_label

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-len(self.train) // self.study.batch_size)

    @cached_property
    def row_weights(self) -> np.ndarray:
        """The weight of each training row: float32 array of shape (rows,).

        With class weights, the rows of every class have the same total weight.
        """
        labels = self.train.labels
        if not self.class_weights:
            return np.ones(len(labels), np.float32)
        counts = np.bincount(labels)
        return (len(labels) / (np.count_nonzero(counts) * counts[labels])).astype(np.float32)

    @cached_property
    def train_images(self) -> np.ndarray:
        """All training rows as images: uint8 array of shape (rows, height, width, 3)."""
        return self.train.images(0, len(self.train))

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Training targets of the logits: float32 array of shape (rows, logits)."""
        return heads.targets(labels, self.num_logits)

    def with_seed(self, seed: int) -> TrainingData:
        """The same data, for training with another seed."""
        other = copy(self)
        other.study = replace(self.study, seed=seed)
        return other

    def file_hashes(self) -> dict[str, dict[str, str]]:
        """A hash of the pixels and the label of each file, by split and path."""
        root = Path(self.study.data)
        root = root if root.is_dir() else root.parent
        splits = {n: getattr(self.splits, n) for n in ("train", "validation", "test")}
        return {name: _hashes(data, root) for name, data in splits.items()}

    def settings(self, weights: Mapping[str, str]) -> dict[str, Any]:
        """Every setting that decides the result, by its stored name.

        Args:
            weights: for each backbone, a short text that identifies its initial weights.
        """
        study = self.study
        return {STORED_NAMES.get(name, name): getattr(study, name) for name in DECISIVE} | {
            "backbones": list(study.backbones),
            "weights": dict(weights),
            "space": {name: str(p) for name, p in study.full_space.items()},
            "mode": str(study.mode),
            "files": self.file_hashes(),
            "class_weights": self.class_weights,
        }

    def describe(self, weights: Mapping[str, str]) -> dict[str, Any]:
        """The content of `study.json`.

        Args:
            weights: as for `settings`.
        """
        study = self.study
        possible = num_configurations(study.full_space)
        return {
            "name": study.name,
            "task": study.task,
            "classes": list(self.splits.train.classes),
            "multi_label": self.multi_label,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "asked": self.settings(weights),
            "plan": {
                "trials": schedule.num_trials(study.brackets),
                "epochs": schedule.num_epochs(study.brackets),
                "brackets": [asdict(bracket) for bracket in study.brackets],
            },
            "possible": None if math.isinf(possible) else possible,
            "rows": {"train": len(self.train), "validation": len(self.validation)},
            "versions": versions(),
        }


def _check_enough(train: Dataset, source: Path) -> None:
    one_hot = heads.targets(train.labels, len(train.classes))
    counts = one_hot.sum(axis=0)
    if len(train.file_labels) < MIN_FILES or not counts.all():
        raise InputError(
            f"{source} has too few files: {len(train.file_labels)} remain for training, of "
            f"{np.count_nonzero(counts)} of {len(train.classes)} classes. Add files; a search "
            "needs dozens per class."
        )


def _hashes(data: Dataset, root: Path) -> dict[str, str]:
    digests: dict[int, Any] = {}
    for image, label, number in zip(data.images, data.labels, data.files, strict=True):
        digest = digests.setdefault(int(number), hashlib.sha256(str(label.tolist()).encode()))
        digest.update(np.ascontiguousarray(image))
    return {
        _relative(data.paths[number], root): digest.hexdigest()[:12]
        for number, digest in sorted(digests.items())
    }


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
