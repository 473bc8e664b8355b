"""What a search will take of time and of the disk, before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from tuning import heads
from tuning.batched_heads import Member, Rows, initial_state, train_wave
from tuning.features import missing_rows
from tuning.space import Configuration, configuration
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

    from tuning.data import Material


def estimate_seconds(material: Material, num_epochs: int) -> tuple[float, float]:
    """(features, search), from one measured batch of the largest configuration."""
    config = largest(material)
    if material.study.mode[0] == "whole":
        return 0.0, num_epochs * _epoch_seconds(material, config)
    extraction = 0.0
    for backbone in material.study.backbones:
        cut = material.cut(backbone)
        if cut is None:
            continue
        lower = heads.lower_part(material.base(backbone), cut)
        pooled = material.study.mode[0] == "waves" and not material.needs_maps
        rows = sum(
            missing_rows(lower, copies, pooled, material.cache)
            for copies in (material.train, material.validation_rows)
        )
        extraction += rows * _row_seconds(lower, material.train.images(0, 8)) if rows else 0
    return extraction, num_epochs * _epoch_seconds(material, config)


def estimate_bytes(material: Material, num_trials: int) -> int:
    """Room for features that are not there yet, and for every trial's weights."""
    config, total = largest(material), 0
    base = material.base(config.backbone)
    top = heads.head(config, base.output_shape[1:], material.num_logits, 1)
    trained = top.count_params()
    for backbone in material.study.backbones:
        cut = material.cut(backbone)
        if cut is None:
            trained = max(trained, material.base(backbone).count_params() + top.count_params())
            continue
        lower = heads.lower_part(material.base(backbone), cut)
        pooled = material.study.mode[0] == "waves" and not material.needs_maps
        shape = lower.output_shape[-1:] if pooled else lower.output_shape[1:]
        for copies in (material.train, material.validation_rows):
            rows = missing_rows(lower, copies, pooled, material.cache)
            total += rows * int(np.prod(shape)) * 4
    return total + num_trials * trained * 12


def largest(material: Material) -> Configuration:
    """The configuration that costs most: the highest value of every number."""
    highest = {
        name: max(p.values) if p.values else p.high
        for name, p in material.study.full_space.items()
        if not isinstance((p.values or (0,))[0], str)
    }
    names = {name: p.values[0] for name, p in material.study.full_space.items()
             if p.values and isinstance(p.values[0], str)}  # fmt: skip
    if material.needs_maps:
        names["pooling"] = "flatten"
    return configuration(material.study.fixed | names | highest)


def _epoch_seconds(material: Material, config: Configuration) -> float:
    if material.study.mode[0] != "waves":
        return _network_epoch_seconds(material, config)
    shape = material.base(config.backbone).output_shape
    channels = shape[-1] if config.pooling == "average" else int(np.prod(shape[1:]))
    rng = np.random.default_rng(0)
    few = min(len(material.train), 4 * material.study.batch_size)
    rows = Rows(rng.random((few, channels), np.float32), material.targets(
        material.train.labels[:few]), np.ones(few, np.float32))  # fmt: skip
    member = Member(config, initial_state(config, channels, material.num_logits, 1), 1)
    epochs = train_wave([member], rows, rows, epochs=range(3), seed=1,
                        batch_size=material.study.batch_size)  # fmt: skip
    *_, ((last, _),) = epochs
    return last.seconds * len(material.train) / few


def _network_epoch_seconds(material: Material, config: Configuration) -> float:
    _, model = material.build(config)
    size = material.study.batch_size
    shape = (size, *model.input_shape[1:])
    inputs = np.zeros(shape, np.float32)
    outputs = material.targets(np.zeros(size, int))
    model.train_on_batch(inputs, outputs)
    start = time.perf_counter()
    model.train_on_batch(inputs, outputs)
    return (time.perf_counter() - start) * (
        material.steps + len(material.validation_rows) / size / 3
    )


def _row_seconds(lower: keras.Model, images: np.ndarray) -> float:
    import tensorflow as tf

    run = tf.function(lower, jit_compile=False)
    features(run, images, len(images))
    start = time.perf_counter()
    features(run, images, len(images))
    return (time.perf_counter() - start) / len(images)
