"""What the frozen part of a backbone makes of the images: computed once, kept on disk in shards.

A shard is a `.npy` file of the features of `SHARD` rows, whole or not there; its name carries the
CRC-32 of its content. So a kill loses at most a shard's work, a damaged one is computed again, and
several processes may fill one cache. The folder's name is a hash of all that decides the features.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuning.project import write_json, write_whole
from xai_tf import augment, sound
from xai_tf.dataset import Dataset
from xai_tf.sample import Sample
from xai_tf.task import Task
from xai_tf.training import features

if TYPE_CHECKING:
    import keras

SHARD = 64
BATCH = 16  # larger batches fall out of a processor's cache
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Copies:
    """A fixed number of copies of each row: the image as it is, then changed ones.

    The changes of a row are drawn from the seed, its own pixels and the number of the copy, so they
    are the same wherever it stands.

    Attributes:
        data: the rows.
        count: copies of each, the first unchanged.
        task: whose `augment` changes them.
        seed: of the changes.
    """

    data: Dataset
    count: int
    task: Task
    seed: int

    def __len__(self) -> int:
        return len(self.data.labels) * self.count

    @property
    def labels(self) -> np.ndarray:
        return np.tile(self.data.labels, self.count)

    def images(self, first: int, last: int) -> np.ndarray:
        """Rows first to last as uint8 images: all rows as they are, then all of the second copy."""
        rows = len(self.data.labels)
        return np.stack([self._image(n % rows, n // rows) for n in range(first, last)])

    def digest(self) -> str:
        """A hash of the images and of what changes them."""
        found = hashlib.sha256(np.ascontiguousarray(self.data.images))
        for part in (augment, sound) if self.count > 1 else ():
            found.update(inspect.getsource(part).encode())
        change = [self.count, self.seed, self.task.name] if self.count > 1 else []
        found.update(json.dumps([self.data.images.shape, change]).encode())
        return found.hexdigest()

    def _image(self, row: int, copy: int) -> np.ndarray:
        image = self.data.images[row]
        if copy == 0:
            return image
        own = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4])
        return changed(self.task, self.data.sample(row), np.random.default_rng(
            [self.seed, own, copy]))  # fmt: skip


def changed(task: Task, sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """A sample's image, augmented: uint8."""
    return np.rint(np.clip(task.augment(sample, rng), 0, 1) * 255).astype(np.uint8)


def cached_features(
    lower: keras.Model, copies: Copies, pooled: bool, root: Path, report: Report
) -> np.ndarray:
    """Features of every row, from the disk where they are there.

    Args:
        lower: the frozen part, RGB in [0, 1] to features.
        copies: the rows.
        pooled: whether only the means of the feature maps are kept.
        root: where caches are.
        report: called with (what, rows done, rows in all).

    Returns:
        float32 array of shape (rows, ...).
    """
    folder = root / cache_key(lower, copies, pooled)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"model": lower.name, "rows": len(copies), "pooled": pooled, "files": [
        path.name for path in copies.data.paths]}  # fmt: skip
    if not (folder / "about.json").is_file():
        write_json(folder / "about.json", about)
    parts, run = [], None
    for first in range(0, len(copies), SHARD):
        found = _read_shard(folder, first)
        if found is None:
            run = run or _pass(lower, pooled)
            report(f"features of {lower.name}", first, len(copies))
            last = min(first + SHARD, len(copies))
            found = features(run, copies.images(first, last), BATCH)
            _write_shard(folder, first, found)
        parts.append(found)
    report(f"features of {lower.name}", len(copies), len(copies))
    return np.concatenate(parts)


def missing_rows(lower: keras.Model, copies: Copies, pooled: bool, root: Path) -> int:
    """How many rows are not on the disk yet."""
    folder = root / cache_key(lower, copies, pooled)
    shards = [f for f in range(0, len(copies), SHARD) if not list(_shards(folder, f))]
    return sum(min(SHARD, len(copies) - first) for first in shards)


def cache_key(lower: keras.Model, copies: Copies, pooled: bool) -> str:
    """A hash of all that decides the features: images, changes, layers, weights, pooling."""
    found = hashlib.sha256(copies.digest().encode())
    found.update(model_digest(lower).encode())
    found.update(json.dumps([SHARD, pooled]).encode())
    return found.hexdigest()[:24]


def model_digest(model: keras.Model) -> str:
    """A hash of a model's layers and weights."""
    layers = [[type(layer).__name__, layer.name] for layer in model.layers]
    shapes = [list(map(str, weight.shape)) for weight in model.weights]
    found = hashlib.sha256(json.dumps([layers, shapes, model.input_shape[1:]]).encode())
    for weight in model.get_weights():
        found.update(np.ascontiguousarray(weight))
    return found.hexdigest()


def _pass(lower: keras.Model, pooled: bool) -> Callable[..., object]:
    """One traced pass for every batch; a model called as it is runs layer by layer, slower."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, *lower.input_shape[1:]], tf.float32)

    @tf.function(input_signature=[spec], jit_compile=False)
    def run(images: tf.Tensor) -> tf.Tensor:
        maps = lower(images, training=False)
        return tf.reduce_mean(maps, [1, 2]) if pooled and len(maps.shape) == 4 else maps

    return lambda images, training: run(images)


def _shards(folder: Path, first: int) -> list[Path]:
    return sorted(folder.glob(f"{first:07d}_*.npy"))


def _read_shard(folder: Path, first: int) -> np.ndarray | None:
    for path in _shards(folder, first):
        stored = path.read_bytes()
        if f"{zlib.crc32(stored):08x}" == path.stem.split("_")[1]:
            return np.load(io.BytesIO(stored), allow_pickle=False)
        path.unlink(missing_ok=True)  # damaged
    return None


def _write_shard(folder: Path, first: int, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    stored = buffer.getvalue()
    path = folder / f"{first:07d}_{zlib.crc32(stored):08x}.npy"
    write_whole(path, lambda scratch: scratch.write_bytes(stored) and None)
