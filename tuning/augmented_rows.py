"""The rows of a data set, with a fixed number of augmented versions of each."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xai_tf.datasets.dataset import Dataset
from xai_tf.inputs import audio, augmentation
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Task


@dataclass(frozen=True, eq=False)
class AugmentedRows:
    """A fixed number of versions of each row: the image as it is, then augmented ones.

    The random changes of a row depend on the seed, on its pixels and on the number of the version,
    so they are the same wherever the row stands.

    Attributes:
        data: the rows.
        versions: the number of versions of each row, the first one unaltered.
        task: the task whose `augment` changes the images.
        seed: the random seed of the changes.
    """

    data: Dataset
    versions: int
    task: Task
    seed: int

    def __len__(self) -> int:
        return len(self.data.labels) * self.versions

    @property
    def labels(self) -> np.ndarray:
        """Labels of all rows: int array of shape (rows,); of several labels (rows, classes)."""
        return np.concatenate([self.data.labels] * self.versions)

    def images(self, first: int, last: int) -> np.ndarray:
        """Rows `first` to `last` (not included): uint8 array of shape (rows, height, width, 3).

        All rows as they are come first, then all rows in their second version, and so on.
        """
        return np.stack([self.image(number) for number in range(first, last)])

    @cached_property
    def keys(self) -> list[str]:
        """For each row a hash of its pixels and of all that changes them."""
        code = hashlib.sha256("".join(map(inspect.getsource, (augmentation, audio))).encode())
        changes = [
            json.dumps([version, self.seed, self.task.key, code.hexdigest()]) if version else ""
            for version in range(self.versions)
        ]
        pixels = [hashlib.sha256(np.ascontiguousarray(image).data) for image in self.data.images]
        return [_extended(digest, change) for change in changes for digest in pixels]

    def image(self, number: int) -> np.ndarray:
        """One row: uint8 array of shape (height, width, 3)."""
        version, row = divmod(number, len(self.data.labels))
        image = self.data.images[row]
        if version == 0:
            return image
        pixels = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4])
        rng = np.random.default_rng([self.seed, pixels, version])
        return augmented_image(self.task, self.data.sample(row), rng)


def augmented_image(task: Task, sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """An augmented version of a sample: uint8 array of shape (height, width, 3)."""
    return np.rint(np.clip(task.augment(sample, rng), 0, 1) * 255).astype(np.uint8)


def _extended(digest: Any, change: str) -> str:
    digest = digest.copy()
    digest.update(change.encode())
    return str(digest.hexdigest()[:32])
