"""What a search will take of time and of the disk, before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from tuning import heads
from tuning.batched_heads import Member, Rows, initial_state, train_heads
from tuning.features import missing_rows
from tuning.space import Configuration, configuration
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

    from tuning.data import TrainingData


def estimate_seconds(training_data: TrainingData, num_epochs: int) -> tuple[float, float]:
    """(features, search), from one measured batch of the largest configuration."""
    config = largest(training_data)
    if training_data.study.mode[0] == "whole":
        return 0.0, num_epochs * _epoch_seconds(training_data, config)
    extraction = 0.0
    for backbone in training_data.study.backbones:
        cut = training_data.cut(backbone)
        if cut is None:
            continue
        lower = heads.lower_part(training_data.base(backbone), cut)
        pooled = training_data.study.mode[0] == "waves" and not training_data.needs_maps
        rows = sum(
            missing_rows(lower, copies, pooled, training_data.cache)
            for copies in (training_data.train, training_data.validation_rows)
        )
        extraction += rows * _row_seconds(lower, training_data.train.images(0, 8)) if rows else 0
    return extraction, num_epochs * _epoch_seconds(training_data, config)


def estimate_bytes(training_data: TrainingData, num_trials: int) -> int:
    """Room for features that are not there yet, and for every trial's weights."""
    config, total = largest(training_data), 0
    base = training_data.base(config.backbone)
    top = heads.head(config, base.output_shape[1:], training_data.num_logits, 1)
    trained = top.count_params()
    for backbone in training_data.study.backbones:
        cut = training_data.cut(backbone)
        if cut is None:
            trained = max(trained, training_data.base(backbone).count_params() + top.count_params())
            continue
        lower = heads.lower_part(training_data.base(backbone), cut)
        pooled = training_data.study.mode[0] == "waves" and not training_data.needs_maps
        shape = lower.output_shape[-1:] if pooled else lower.output_shape[1:]
        for copies in (training_data.train, training_data.validation_rows):
            rows = missing_rows(lower, copies, pooled, training_data.cache)
            total += rows * int(np.prod(shape)) * 4
    return total + num_trials * trained * 12


def largest(training_data: TrainingData) -> Configuration:
    """The configuration that costs most: the highest value of every number."""
    highest = {
        name: max(p.values) if p.values else p.high
        for name, p in training_data.study.full_space.items()
        if not isinstance((p.values or (0,))[0], str)
    }
    names = {
        name: p.values[0]
        for name, p in training_data.study.full_space.items()
        if p.values and isinstance(p.values[0], str)
    }
    if training_data.needs_maps:
        names["pooling"] = "flatten"
    return configuration(training_data.study.fixed | names | highest)


def _epoch_seconds(training_data: TrainingData, config: Configuration) -> float:
    if training_data.study.mode[0] != "waves":
        return _network_epoch_seconds(training_data, config)
    shape = training_data.base(config.backbone).output_shape
    channels = shape[-1] if config.pooling == "average" else int(np.prod(shape[1:]))
    rng = np.random.default_rng(0)
    few = min(len(training_data.train), 4 * training_data.study.batch_size)
    rows = Rows(
        rng.random((few, channels), np.float32),
        training_data.targets(training_data.train.labels[:few]),
        np.ones(few, np.float32),
    )
    member = Member(config, initial_state(config, channels, training_data.num_logits, 1), 1)
    epochs = train_heads(
        [member], rows, rows, epochs=range(3), seed=1, batch_size=training_data.study.batch_size
    )
    *_, ((last, _),) = epochs
    return last.seconds * len(training_data.train) / few


def _network_epoch_seconds(training_data: TrainingData, config: Configuration) -> float:
    _, model = training_data.build(config)
    size = training_data.study.batch_size
    shape = (size, *model.input_shape[1:])
    inputs = np.zeros(shape, np.float32)
    outputs = training_data.targets(np.zeros(size, int))
    model.train_on_batch(inputs, outputs)
    start = time.perf_counter()
    model.train_on_batch(inputs, outputs)
    return (time.perf_counter() - start) * (
        training_data.steps + len(training_data.validation_rows) / size / 3
    )


def _row_seconds(lower: keras.Model, images: np.ndarray) -> float:
    import tensorflow as tf

    run = tf.function(lower, jit_compile=False)
    features(run, images, len(images))
    start = time.perf_counter()
    features(run, images, len(images))
    return (time.perf_counter() - start) / len(images)
