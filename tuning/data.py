"""What a search trains on: data read once, backbones built once, features as they are needed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads, schedule
from tuning.batched_heads import Rows
from tuning.features import Copies, cached_features, changed, model_digest
from tuning.settings import CACHE
from tuning.space import Configuration, num_configurations
from xai_tf.classifiers.backbones import build_backbone
from xai_tf.datasets.dataset import Dataset
from xai_tf.datasets.reading import read_splits
from xai_tf.errors import InputError
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tuning.settings import StudySettings

CHANGES = 1  # the seed of the fixed copies: they are data, and serve searches of every seed
MIN_FILES = 4  # a class with fewer has none to validate and to test with


class TrainingData:
    """The data and the backbones of a study.

    Args:
        study: what is asked.
        report: called with (what is being done, steps done, steps in all).

    Raises:
        InputError: the data cannot be read, or is too little.
    """

    def __init__(self, study: StudySettings, report: Callable[[str, int, int], None]) -> None:
        self.study, self._report = study, report
        self._base_seed = study.seed  # of random backbones under stored features
        self.task = TASKS[study.task]
        size = (study.image_size, study.image_size)

        def reading(done: int, total: int, what: str = "") -> None:
            report(what, done, total)

        self.splits = read_splits(
            Path(study.data), self.task, size, study.seed, reading, study.options
        )
        _check_enough(self.splits.train, Path(study.data))
        self.train = Copies(self.splits.train, max(1, study.copies), self.task, CHANGES)
        self.validation_rows = Copies(self.splits.validation, 1, self.task, CHANGES)
        self._bases: dict[str, keras.Model] = {}
        self._features: dict[Any, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def num_logits(self) -> int:
        return heads.count_logits(self.splits.train.classes)

    @property
    def num_validation(self) -> int:
        """Validation rows; a recording of several windows has several."""
        return len(self.validation_rows)

    @property
    def cache(self) -> Path:
        return Path(self.study.root) / CACHE

    def base(self, backbone: str) -> keras.Model:
        """A backbone, the same each time: random weights are drawn from the seed."""
        if backbone not in self._bases:
            self._bases[backbone] = self._new_base(backbone)
        return self._bases[backbone]

    def digest(self, backbone: str) -> str:
        """What a backbone starts from, in short."""
        if self.study.weights_of(backbone) is None:
            return "random"
        return model_digest(self.base(backbone))[:16]

    def files(self) -> dict[str, dict[str, str]]:
        """A hash of what was read of each file, by split; so that a change can be named."""
        root = Path(self.study.data)
        root = root if root.is_dir() else root.parent
        parts = {n: getattr(self.splits, n) for n in ("train", "validation", "test")}
        return {name: _file_hashes(data, root) for name, data in parts.items()}

    def asked(self) -> dict[str, Any]:
        """Every setting that decides the result; what `study.json` keeps."""
        study = self.study
        names = (
            "task",
            "objective",
            "max_epochs",
            "factor",
            "iterations",
            "seed",
            "batch_size",
            "image_size",
            "copies",
            "class_weights",
        )
        return {name: getattr(study, name) for name in names} | {
            "backbones": list(study.backbones),
            "weights": {b: self.digest(b) for b in study.backbones},
            "space": {name: str(p) for name, p in study.full_space.items()},
            "mode": study.mode[0],
            "files": self.files(),
        }

    def describe(self) -> dict[str, Any]:
        """What `study.json` holds."""
        study = self.study
        possible = num_configurations(study.full_space)
        return {
            "name": study.name,
            "task": study.task,
            "classes": list(self.splits.train.classes),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "asked": self.asked(),
            "plan": {
                "trials": schedule.num_trials(study.brackets),
                "epochs": schedule.num_epochs(study.brackets),
                "brackets": [asdict(bracket) for bracket in study.brackets],
            },
            "possible": None if math.isinf(possible) else possible,
            "rows": {"train": len(self.train), "validation": self.num_validation},
            "versions": versions(),
        }

    def rows(self, backbone: str, pooling: str) -> tuple[Rows, Rows]:
        """Training and validation features of a frozen backbone, for waves."""
        pooled = pooling == "average" and not self.needs_maps
        train, validation = self.features(
            backbone, heads.deepest_cut(self.base(backbone), 0), pooled
        )
        if pooling == "average" and not pooled:
            train, validation = train.mean((1, 2)), validation.mean((1, 2))
        return (
            Rows(_flat(train), self.targets(self.train.labels), self.row_weights),
            Rows(_flat(validation), self.targets(self.validation_rows.labels), self._ones),
        )

    def features(self, backbone: str, cut: str, pooled: bool) -> tuple[np.ndarray, np.ndarray]:
        """What a backbone makes of the training and validation images up to a cut."""
        key = (backbone, cut, pooled)
        if key not in self._features:
            lower = heads.lower_part(self.base(backbone), cut)
            self._features[key] = tuple(
                cached_features(lower, copies, pooled, self.cache, self._report)
                for copies in (self.train, self.validation_rows)
            )
        return self._features[key]

    def test_features(self, config: Configuration) -> np.ndarray:
        """Features of the test images, as `rows` gives those of the others."""
        key = (config.backbone, config.pooling, "test")
        if key not in self._features:
            lower = heads.lower_part(self.base(config.backbone), self.cut(config.backbone))
            copies = Copies(self.splits.test, 1, self.task, CHANGES)
            pooled = config.pooling == "average"
            self._features[key] = cached_features(lower, copies, pooled, self.cache, self._report)
        return _flat(self._features[key])

    def cut(self, backbone: str) -> str | None:
        """Below it nothing is trained in any trial; None where all is."""
        if self.study.mode[0] == "whole":
            return None
        return heads.deepest_cut(self.base(backbone), max(self.study.unfreeze))

    def build(self, config: Configuration) -> tuple[keras.Model, keras.Model]:
        """A configuration's network, frozen where it should be: (all of it, what is trained).

        Built anew, for KerasTuner clears Keras' state between trials.
        """
        base = self._new_base(config.backbone)
        seed = heads.trial_seed(self.study.seed, config)
        top = heads.head(config, base.output_shape[1:], self.num_logits, seed)
        model = heads.whole_model(base, top)
        scratch = self.study.weights_of(config.backbone) is None
        heads.set_trainable(model, base, config.unfreeze, train_norm=scratch)
        upper = heads.upper_model(model, self.cut(config.backbone))
        heads.compile_model(upper, config)
        return model, upper

    def with_seed(self, seed: int) -> TrainingData:
        """The same data and features, to be trained on from another seed."""
        other = copy(self)
        other.study = replace(self.study, seed=seed)
        return other

    def batches(self, config: Configuration, epochs: range) -> tf.data.Dataset:
        """The training rows of some epochs: (inputs, targets, weights), in the order of waves."""
        import tensorflow as tf

        take = self._inputs(config)
        labels = self.targets(self.train.labels)
        count, size, seed = len(self.train), self.study.batch_size, self.study.seed

        def rows() -> Iterator[tuple[np.ndarray, ...]]:
            for epoch in epochs:
                order = tf.random.experimental.stateless_shuffle(tf.range(count), [seed, epoch])
                for chosen in np.split(order.numpy(), range(size, count, size)):
                    yield take(chosen, epoch), labels[chosen], self.row_weights[chosen]

        spec = [
            tf.TensorSpec([None, *shape], tf.float32)
            for shape in (take(np.arange(1), 0).shape[1:], labels.shape[1:], ())
        ]
        return tf.data.Dataset.from_generator(rows, output_signature=tuple(spec)).prefetch(2)

    def validation(self, config: Configuration) -> tf.data.Dataset:
        """The validation rows, as `batches`."""
        import tensorflow as tf

        cut = self.cut(config.backbone)
        if cut is None:
            inputs = self.splits.validation.images
        else:
            inputs = self.features(config.backbone, cut, pooled=False)[1]
        rows = tf.data.Dataset.from_tensor_slices(
            (inputs, self.targets(self.validation_rows.labels))
        )
        scale = 255.0 if cut is None else 1.0
        return rows.batch(self.study.batch_size).map(
            lambda x, y: (tf.cast(x, tf.float32) / scale, y)
        )

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self.train) // self.study.batch_size)

    @cached_property
    def row_weights(self) -> np.ndarray:
        """What each training row counts: each class the same in all, or each row the same."""
        labels = self.train.labels
        if not self.study.class_weights:
            return np.ones(len(labels), np.float32)
        counts = np.bincount(labels)
        return (len(labels) / (np.count_nonzero(counts) * counts[labels])).astype(np.float32)

    @property
    def needs_maps(self) -> bool:
        """Whether a trial may flatten the feature maps, so that their means are not enough."""
        pooling = self.study.full_space.get("pooling")
        return pooling is not None and "flatten" in pooling.values

    @cached_property
    def _ones(self) -> np.ndarray:
        return np.ones(len(self.validation_rows), np.float32)

    @cached_property
    def _fixed_images(self) -> np.ndarray:
        return self.train.images(0, len(self.train))

    def _inputs(self, config: Configuration) -> Callable[[np.ndarray, int], np.ndarray]:
        """What a network is given: rows by number, in an epoch."""
        cut = self.cut(config.backbone)
        if cut is not None:
            train = self.features(config.backbone, cut, pooled=False)[0]
            return lambda chosen, epoch: train[chosen]
        if self.study.copies:
            images = self._fixed_images
            return lambda chosen, epoch: images[chosen].astype(np.float32) / 255

        def draw(chosen: np.ndarray, epoch: int) -> np.ndarray:
            data = self.splits.train
            rngs = [np.random.default_rng([self.study.seed, epoch, int(row)]) for row in chosen]
            pairs = zip(chosen, rngs, strict=True)
            images = [changed(self.task, data.sample(int(row)), rng) for row, rng in pairs]
            return np.stack(images).astype(np.float32) / 255

        return draw

    def targets(self, labels: np.ndarray) -> np.ndarray:
        return heads.targets(labels, self.num_logits)

    def _new_base(self, backbone: str) -> keras.Model:
        import keras

        whole = self.study.mode[0] == "whole"
        keras.utils.set_random_seed(self.study.seed if whole else self._base_seed)
        size = (self.study.image_size, self.study.image_size)
        return build_backbone(backbone, size, self.study.weights_of(backbone))


def versions() -> dict[str, str]:
    """Of what decides the numbers."""
    names = ("xai-tf", "tensorflow", "keras", "keras-tuner", "numpy", "librosa")
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    for candidate in (name, f"{name}-cpu"):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return "unknown"


def _check_enough(train: Dataset, place: Path) -> None:
    counts = np.bincount(train.labels, minlength=len(train.classes))
    if len(train.file_labels) < MIN_FILES or not counts.all():
        raise InputError(
            f"{place} leaves {len(train.file_labels)} files to train on, of "
            f"{np.count_nonzero(counts)} classes. Add some: a search wants dozens a class."
        )


def _file_hashes(data: Dataset, root: Path) -> dict[str, str]:
    found: dict[str, Any] = {}
    for image, label, number in zip(data.images, data.labels, data.files, strict=True):
        digest = found.setdefault(int(number), hashlib.sha256(str(label).encode()))
        digest.update(np.ascontiguousarray(image))
    return {_within(data.paths[n], root): d.hexdigest()[:12] for n, d in sorted(found.items())}


def _within(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(len(values), -1))
