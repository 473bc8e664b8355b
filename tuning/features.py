"""What the frozen part of a backbone makes of the images: computed once, kept on disk in shards.

A cache is a folder, named by a hash of the layers and weights; its shards are `.npz` files with
the features of up to `SHARD` rows and a key for each row: a hash of its pixels and of what changed
them. So it serves every split, seed and label, and photos that are added cost only themselves. A
shard is whole or not there, and checked by the CRC of its archive: a kill loses at most one, a
damaged one is computed again, and several processes may fill one cache.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning.search_folder import write_whole
from xai_tf.datasets.dataset import Dataset
from xai_tf.inputs import audio, augmentation
from xai_tf.inputs.sample import Sample
from xai_tf.inputs.task import Task
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

SHARD = 64
BATCH = 16  # larger batches fall out of a processor's cache
Report = Callable[[str, int, int], None]
Known = dict[str, tuple[Path, int]]


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
        return np.stack([self.image(number) for number in range(first, last)])

    @cached_property
    def keys(self) -> list[str]:
        """For each row a hash of its pixels and of what changes them."""
        code = hashlib.sha256("".join(map(inspect.getsource, (augmentation, audio))).encode())
        changes = [
            json.dumps([copy, self.seed, self.task.name, code.hexdigest()]) if copy else ""
            for copy in range(self.count)
        ]
        pixels = [hashlib.sha256(np.ascontiguousarray(image)) for image in self.data.images]
        return [_with(found, change) for change in changes for found in pixels]

    def image(self, number: int) -> np.ndarray:
        """A row as a uint8 image."""
        copy, row = divmod(number, len(self.data.labels))
        image = self.data.images[row]
        if copy == 0:
            return image
        own = int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:4])
        return changed(
            self.task, self.data.sample(row), np.random.default_rng([self.seed, own, copy])
        )


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
    folder = root / cache_key(lower, pooled)
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_keys(folder)
    missing = _missing(copies, known)
    run = _pass(lower, pooled) if missing else None
    for done in range(0, len(missing), SHARD):
        report(f"features of {lower.name}", done, len(missing))
        rows = missing[done : done + SHARD]
        values = features(run, np.stack([copies.image(row) for row in rows]), BATCH)
        path = _write_shard(folder, [copies.keys[row] for row in rows], values)
        known |= {copies.keys[row]: (path, place) for place, row in enumerate(rows)}
    report(f"features of {lower.name}", len(missing), len(missing))
    return _gather(copies.keys, known)


def missing_rows(lower: keras.Model, copies: Copies, pooled: bool, root: Path) -> int:
    """How many rows are not on the disk yet."""
    return len(_missing(copies, _read_keys(root / cache_key(lower, pooled))))


def cache_key(lower: keras.Model, pooled: bool) -> str:
    """The name of a cache: a hash of all that decides the features but the image."""
    found = hashlib.sha256(json.dumps([model_digest(lower), pooled]).encode())
    return f"{lower.name}-{found.hexdigest()[:16]}"


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


def _with(found: Any, change: str) -> str:
    found = found.copy()
    found.update(change.encode())
    return found.hexdigest()[:32]


def _missing(copies: Copies, known: Known) -> list[int]:
    """The first row of each key that is not known."""
    first = {key: row for row, key in reversed(list(enumerate(copies.keys)))}
    return sorted(row for key, row in first.items() if key not in known)


def _read_keys(folder: Path) -> Known:
    """Where the features of each key are: shard and place in it. Damaged shards are removed."""
    known: Known = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                keys, count = shard["keys"].tolist(), len(shard["features"])
            known |= {key: (path, place) for place, key in enumerate(keys[:count])}
        except Exception:  # zip, zlib and numpy raise many things on a damaged file
            path.unlink(missing_ok=True)
    return known


def _gather(keys: list[str], known: Known) -> np.ndarray:
    """The features of the keys, in their order."""
    wanted: dict[Path, list[tuple[int, int]]] = {}
    for row, key in enumerate(keys):
        path, place = known[key]
        wanted.setdefault(path, []).append((row, place))
    values = None
    for path, pairs in wanted.items():
        with np.load(path, allow_pickle=False) as shard:
            found = shard["features"]
        if values is None:
            values = np.empty((len(keys), *found.shape[1:]), np.float32)
        rows, places = map(list, zip(*pairs, strict=True))
        values[rows] = found[places]
    return values


def _write_shard(folder: Path, keys: list[str], values: np.ndarray) -> Path:
    path = folder / f"{hashlib.sha256(''.join(keys).encode()).hexdigest()[:16]}.npz"

    def write(scratch: Path) -> None:
        with scratch.open("wb") as file:
            np.savez(file, keys=np.array(keys), features=values)

    write_whole(path, write)
    return path
