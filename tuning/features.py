"""The features of the frozen part of a backbone: computed once, cached on disk in shards.

A cache is a folder, named by a hash of layers and weights. Its shards are `.npz` files with the
features of up to `SHARD` rows, and with a key for each row: a hash of its pixels and of how they
were augmented. A cache therefore serves every split, seed and label, and after adding photos only
the new ones are computed. A shard is written completely or not at all, and checked by the CRC of
its archive: a killed process loses at most one shard, a damaged one is computed again, and several
processes may fill the same cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuning.augmented_rows import AugmentedRows
from tuning.search_folder import write_durably
from xai_tf.progress import Progress
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

SHARD = 64  # rows
BATCH = 16  # rows; larger batches do not fit into a CPU's cache
Locations = dict[str, tuple[Path, int]]  # by key: the shard, and the position in it


def cached_features(
    lower: keras.Model, rows: AugmentedRows, pooled: bool, root: Path, progress: Progress
) -> np.ndarray:
    """Features of every row, read from the cache as far as they are there.

    Args:
        lower: the frozen part of the network, RGB in [0, 1] to features.
        rows: the rows.
        pooled: whether to store the means of the feature maps instead of the maps.
        root: the folder of all caches.
        progress: is called with rows done, rows in all, and a text.

    Returns:
        float32 array of shape (rows, ...).
    """
    folder = root / cache_key(lower, pooled)
    folder.mkdir(parents=True, exist_ok=True)
    locations = _read_locations(folder)
    missing = _missing(rows, locations)
    run = _traced(lower, pooled) if missing else None
    for done in range(0, len(missing), SHARD):
        progress(done, len(missing), f"features of {lower.name}")
        chosen = missing[done : done + SHARD]
        values = features(run, np.stack([rows.image(row) for row in chosen]), BATCH)
        path = _write_shard(folder, [rows.keys[row] for row in chosen], values)
        locations |= {rows.keys[row]: (path, place) for place, row in enumerate(chosen)}
    progress(len(missing), len(missing), f"features of {lower.name}")
    return _gather(rows.keys, locations)


def num_missing(lower: keras.Model, rows: AugmentedRows, pooled: bool, root: Path) -> int:
    """The number of rows whose features are not in the cache yet."""
    return len(_missing(rows, _read_locations(root / cache_key(lower, pooled))))


def cache_key(lower: keras.Model, pooled: bool) -> str:
    """The name of a cache: a hash of everything but the image that decides the features."""
    digest = hashlib.sha256(json.dumps([model_digest(lower), pooled]).encode())
    return f"{lower.name}-{digest.hexdigest()[:16]}"


def model_digest(model: keras.Model) -> str:
    """A hash of a model's layers and weights."""
    layers = [[type(layer).__name__, layer.name] for layer in model.layers]
    shapes = [list(map(str, weight.shape)) for weight in model.weights]
    digest = hashlib.sha256(json.dumps([layers, shapes, model.input_shape[1:]]).encode())
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()


def _traced(lower: keras.Model, pooled: bool) -> Callable[..., object]:
    """One traced function for all batches; a model called directly runs layer by layer, slower."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, *lower.input_shape[1:]], tf.float32)

    @tf.function(input_signature=[spec], jit_compile=False)
    def run(images: tf.Tensor) -> tf.Tensor:
        maps = lower(images, training=False)
        return tf.reduce_mean(maps, [1, 2]) if pooled and len(maps.shape) == 4 else maps

    return lambda images, training: run(images)


def _missing(rows: AugmentedRows, locations: Locations) -> list[int]:
    """Of each key without features, the first row that has it."""
    first = {key: row for row, key in reversed(list(enumerate(rows.keys)))}
    return sorted(row for key, row in first.items() if key not in locations)


def _read_locations(folder: Path) -> Locations:
    """Where the features of each key are. Damaged shards are removed."""
    locations: Locations = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                keys, count = shard["keys"].tolist(), len(shard["features"])
            locations |= {key: (path, place) for place, key in enumerate(keys[:count])}
        except Exception:  # zip, zlib and numpy raise many errors for a damaged file
            path.unlink(missing_ok=True)
    return locations


def _gather(keys: list[str], locations: Locations) -> np.ndarray:
    """The features of the keys, in their order."""
    by_shard: dict[Path, list[tuple[int, int]]] = {}
    for row, key in enumerate(keys):
        path, place = locations[key]
        by_shard.setdefault(path, []).append((row, place))
    values: np.ndarray | None = None
    for path, pairs in by_shard.items():
        with np.load(path, allow_pickle=False) as shard:
            stored = shard["features"]
        if values is None:
            values = np.empty((len(keys), *stored.shape[1:]), np.float32)
        rows, places = map(list, zip(*pairs, strict=True))
        values[rows] = stored[places]
    if values is None:
        raise ValueError("there are no rows")
    return values


def _write_shard(folder: Path, keys: list[str], values: np.ndarray) -> Path:
    path = folder / f"{hashlib.sha256(''.join(keys).encode()).hexdigest()[:16]}.npz"

    def write(scratch: Path) -> None:
        with scratch.open("wb") as file:
            np.savez(file, keys=np.array(keys), features=values)

    write_durably(path, write)
    return path
