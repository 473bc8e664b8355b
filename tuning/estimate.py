"""How much time and disk space a search will take, before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from tuning import heads
from tuning.batched_heads import Member, Rows, initial_state, train_heads
from tuning.settings import Mode
from tuning.space import Configuration, configuration
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

    from tuning.networks import Networks

BYTES_PER_VALUE = 4  # float32
STATES_PER_WEIGHT = 3  # a stored trial holds each weight and up to two optimizer slots


def estimate_seconds(networks: Networks, num_epochs: int) -> tuple[float, float]:
    """Seconds for extracting features and for the search, from one measured batch of each.

    The search is measured with the largest configuration.
    """
    extraction = 0.0
    for backbone in networks.data.study.backbones:
        rows = networks.num_missing(backbone)
        if rows:
            images = networks.data.train.images(0, 8)
            extraction += rows * _seconds_per_row(networks.lower(backbone), images)
    return extraction, num_epochs * _seconds_per_epoch(networks, largest(networks))


def estimate_bytes(networks: Networks, num_trials: int) -> int:
    """Disk space for features that are not cached yet, and for the weights of all trials."""
    config, total = largest(networks), 0
    base = networks.base(config.backbone)
    top = heads.head(config, base.output_shape[1:], networks.data.num_logits, 1)
    trained = top.count_params()
    for backbone in networks.data.study.backbones:
        lower = networks.lower(backbone)
        if lower is None:
            trained = max(trained, networks.base(backbone).count_params() + top.count_params())
            continue
        shape = lower.output_shape[-1:] if networks.stores_means else lower.output_shape[1:]
        total += networks.num_missing(backbone) * int(np.prod(shape)) * BYTES_PER_VALUE
    return total + num_trials * trained * STATES_PER_WEIGHT * BYTES_PER_VALUE


def largest(networks: Networks) -> Configuration:
    """The most expensive configuration: the highest value of every number."""
    study = networks.data.study
    highest = {
        name: max(p.values) if p.values else p.high
        for name, p in study.full_space.items()
        if not isinstance((p.values or (0,))[0], str)
    }
    names = {
        name: p.values[0]
        for name, p in study.full_space.items()
        if p.values and isinstance(p.values[0], str)
    }
    if networks.needs_maps:
        names["pooling"] = "flatten"
    return configuration(study.fixed | names | highest)


def _seconds_per_epoch(networks: Networks, config: Configuration) -> float:
    data = networks.data
    if data.study.mode != Mode.BATCHED_HEADS:
        return _seconds_per_network_epoch(networks, config)
    shape = networks.base(config.backbone).output_shape
    channels = shape[-1] if config.pooling == "average" else int(np.prod(shape[1:]))
    few = min(len(data.train), 4 * data.study.batch_size)
    rows = Rows(
        np.random.default_rng(0).random((few, channels), np.float32),
        data.targets(data.train.labels[:few]),
        np.ones(few, np.float32),
        data.multi_label,
    )
    member = Member(config, initial_state(config, channels, data.num_logits, 1), 1)
    epochs = train_heads(
        [member], rows, rows, epochs=range(3), seed=1, batch_size=data.study.batch_size
    )
    *_, ((last, _),) = epochs  # the first ones include tracing
    return last.seconds * len(data.train) / few


def _seconds_per_network_epoch(networks: Networks, config: Configuration) -> float:
    data, size = networks.data, networks.data.study.batch_size
    _, model = networks.build(config)
    inputs = np.zeros((size, *model.input_shape[1:]), np.float32)
    outputs = data.targets(np.repeat(data.train.labels[:1], size, axis=0))
    model.train_on_batch(inputs, outputs)
    start = time.perf_counter()
    model.train_on_batch(inputs, outputs)
    # A validation batch, without the backward pass, takes about a third of a training batch.
    return (time.perf_counter() - start) * (data.steps + len(data.validation) / size / 3)


def _seconds_per_row(lower: keras.Model, images: np.ndarray) -> float:
    import tensorflow as tf

    run = tf.function(lower, jit_compile=False)
    features(run, images, len(images))
    start = time.perf_counter()
    features(run, images, len(images))
    return (time.perf_counter() - start) / len(images)
