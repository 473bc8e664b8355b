"""How long a training takes, before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from xai_tf.classifiers.backbones import build_model
from xai_tf.datasets.dataset import Dataset, Splits
from xai_tf.inputs.task import Augment
from xai_tf.training.train import (
    Recipe,
    compile_upper,
    divide,
    features,
    targets_of,
    unfrozen_layers,
)

ROWS = 8  # of a measured batch
# Validation runs without the backward pass, which takes about two thirds of a step.
VALIDATION_SHARE = 1 / 3
# How often the finished model sees each row: for its metrics and for its OOD detector.
FINAL_PASSES = 2


def estimate_seconds(splits: Splits, recipe: Recipe, augment: Augment) -> float:
    """Seconds that a training and its evaluation take, from one measured batch of each step.

    Args:
        splits: the data.
        recipe: the settings.
        augment: returns a changed image of a sample.

    Raises:
        ModelError: the weights cannot be had, or do not fit the backbone.
    """
    data = splits.train
    num_logits = 1 if len(data.classes) == 2 and not data.multi_label else len(data.classes)
    model = build_model(
        recipe.backbone, num_logits, data.images.shape[1:3], recipe.weights, dropout=recipe.dropout
    )
    few = data.images[:ROWS]
    trained, held_out = len(data.images), len(splits.validation.images)
    all_rows = trained + held_out + len(splits.test.images)
    seconds = FINAL_PASSES * all_rows * _per_row(lambda: features(model, few), len(few))
    unfrozen = unfrozen_layers(model, recipe.unfreeze)
    phases: list[tuple[list[str], int, int]] = [([], recipe.head_epochs, 1)]
    if unfrozen and recipe.epochs:
        phases.append((unfrozen, recipe.epochs, recipe.copies or recipe.epochs))
    for layers, epochs, copies in phases:
        lower, upper = divide(model, layers)
        binary = num_logits == 1 or data.multi_label
        compile_upper(upper, layers, recipe, binary, epochs)
        inputs = few.astype(np.float32) / 255 if lower is None else features(lower, few)
        targets = targets_of(data.labels[: len(few)], num_logits)
        step = _per_row(lambda u=upper, i=inputs, t=targets: u.train_on_batch(i, t), len(few))  # type: ignore[misc]
        seconds += epochs * step * (trained + VALIDATION_SHARE * held_out)
        drawn = min(copies, epochs) if recipe.copies and lower is not None else epochs
        if layers:
            seconds += drawn * trained * _augmentation(data, augment)
        if lower is not None:
            run = _per_row(lambda part=lower: features(part, few), len(few))  # type: ignore[misc]
            seconds += run * (drawn * trained + held_out if layers else trained + held_out)
    return seconds


def _per_row(run: Callable[[], object], num_rows: int) -> float:
    run()  # the first time includes tracing
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / num_rows


def _augmentation(data: Dataset, augment: Augment) -> float:
    """Seconds to draw one augmented picture."""
    rng, sample = np.random.default_rng(0), data.sample(0)
    return _per_row(lambda: augment(sample, rng), 1)
