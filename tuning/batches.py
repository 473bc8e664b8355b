"""The rows of a search as batches for a network that Keras trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tuning.augmented_rows import augmented_image
from tuning.space import Configuration

if TYPE_CHECKING:
    import tensorflow as tf

    from tuning.data import TrainingData
    from tuning.networks import Networks

# Row numbers and the epoch to inputs, float32.
Inputs = Callable[[np.ndarray, int], np.ndarray]


def training_batches(networks: Networks, config: Configuration, epochs: range) -> tf.data.Dataset:
    """Batches of (inputs, targets, weights), in the same order as in `batched_heads`.

    Args:
        networks: the data and networks of the search.
        config: the configuration that is trained.
        epochs: the epochs to train, counted from 0.
    """
    import tensorflow as tf

    data, take = networks.data, _inputs(networks, config)
    targets = data.targets(data.train.labels)
    count, size, seed = len(data.train), data.study.batch_size, data.study.seed

    def batches() -> Iterator[tuple[np.ndarray, ...]]:
        for epoch in epochs:
            order = tf.random.experimental.stateless_shuffle(tf.range(count), [seed, epoch])
            for chosen in np.split(order.numpy(), range(size, count, size)):
                yield take(chosen, epoch), targets[chosen], data.row_weights[chosen]

    spec = [
        tf.TensorSpec([None, *shape], tf.float32)
        for shape in (take(np.arange(1), 0).shape[1:], targets.shape[1:], ())
    ]
    return tf.data.Dataset.from_generator(batches, output_signature=tuple(spec)).prefetch(2)


def validation_batches(networks: Networks, config: Configuration) -> tf.data.Dataset:
    """Batches of (inputs, targets) of the validation rows."""
    import tensorflow as tf

    data = networks.data
    on_images = networks.cut(config.backbone) is None
    inputs = data.splits.validation.images if on_images else networks.features(config.backbone)[1]
    scale = 255.0 if on_images else 1.0
    rows = tf.data.Dataset.from_tensor_slices((inputs, data.targets(data.validation.labels)))
    return rows.batch(data.study.batch_size).map(lambda x, y: (tf.cast(x, tf.float32) / scale, y))


def _inputs(networks: Networks, config: Configuration) -> Inputs:
    """What the network of a configuration is trained on."""
    data = networks.data
    if networks.cut(config.backbone) is not None:
        features = networks.features(config.backbone)[0]
        return lambda chosen, epoch: features[chosen]
    if data.study.augmentations:
        images = data.train_images
        return lambda chosen, epoch: images[chosen].astype(np.float32) / 255
    return lambda chosen, epoch: _newly_augmented(data, chosen, epoch)


def _newly_augmented(data: TrainingData, chosen: np.ndarray, epoch: int) -> np.ndarray:
    """Images with changes that no other epoch has."""
    images = []
    for row in map(int, chosen):
        rng = np.random.default_rng([data.study.seed, epoch, row])
        images.append(augmented_image(data.task, data.splits.train.sample(row), rng))
    return np.stack(images).astype(np.float32) / 255
