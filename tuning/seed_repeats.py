"""Train a configuration again from other seeds: how much of a score is luck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads
from tuning.batched_heads import Member, initial_state, train_heads
from tuning.calibration import cross_entropy
from tuning.trials import is_better
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.dataset import Dataset
from xai_tf.training.train import features

if TYPE_CHECKING:
    from tuning.data import TrainingData
    from tuning.settings import Report
    from tuning.space import Configuration


def repeat(
    training_data: TrainingData, config: Configuration, num_epochs: int, count: int, report: Report
) -> list[dict[str, Any]]:
    """Train a configuration from `count` seeds that follow the study's.

    Returns:
        For each seed "val_accuracy", "val_ce" and "test_accuracy" by file, at the epoch that is
        best by the study's objective.
    """
    found = []
    for number in range(count):
        report("repeating the winner", number, count)
        other = training_data.with_seed(training_data.study.seed + 1 + number)
        train = _train_head if training_data.study.mode[0] == "waves" else _train_network
        validation, test = train(other, config, num_epochs)
        sets = (training_data.splits.validation, validation), (training_data.splits.test, test)
        (val_accuracy, val_ce), (test_accuracy, _) = (_judge(*pair) for pair in sets)
        scores = {"val_accuracy": val_accuracy, "val_ce": val_ce, "test_accuracy": test_accuracy}
        rounded = {name: round(score, 4) for name, score in scores.items()}
        found.append({"seed": other.study.seed} | rounded)
    return found


def _train_head(
    training_data: TrainingData, config: Configuration, num_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the validation and of the test rows."""
    study = training_data.study
    train, validation = training_data.rows(config.backbone, config.pooling)
    shape = train.features.shape[1], train.targets.shape[1]
    member = Member(
        config, initial_state(config, *shape, study.seed), heads.trial_seed(study.seed, config)
    )
    waves = train_heads(
        [member],
        train,
        validation,
        epochs=range(num_epochs),
        seed=study.seed,
        batch_size=study.batch_size,
    )
    best = None
    for ((epoch, fetch),) in waves:
        score = getattr(epoch, study.objective)
        if is_better(study.objective, score, best and best[0]):
            best = (score, fetch())
    top = heads.head(config, (shape[0],), shape[1])
    top.set_weights(best[1].weights(len(config.dense) + 1))
    return features(top, validation.features), features(top, training_data.test_features(config))


def _train_network(
    training_data: TrainingData, config: Configuration, num_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the validation and of the test rows."""
    import keras

    model, upper = training_data.build(config)
    heads.set_dropout_step(upper, heads.trial_seed(training_data.study.seed, config), 0)
    best: list[Any] = [None, None]

    class KeepBest(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            score = logs[training_data.study.objective]
            if is_better(training_data.study.objective, score, best[0]):
                best[:] = [score, upper.get_weights()]

    upper.fit(
        training_data.batches(config, range(num_epochs)),
        epochs=num_epochs,
        shuffle=False,
        verbose=0,
        validation_data=training_data.validation(config),
        steps_per_epoch=training_data.steps,
        callbacks=[KeepBest()],
    )
    upper.set_weights(best[1])
    splits = training_data.splits
    return features(model, splits.validation.images), features(model, splits.test.images)


def _judge(data: Dataset, logits: np.ndarray) -> tuple[float, float]:
    """Accuracy and cross-entropy by file."""
    chances, labels = probabilities(data.file_means(logits)), data.file_labels
    return float((chances.argmax(1) == labels).mean()), cross_entropy(chances, labels)
