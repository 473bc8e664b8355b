"""Train a configuration again with other seeds, to show how much of a score is chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuning import heads
from tuning.batched_heads import Member, State, initial_state, train_heads
from tuning.batches import training_batches, validation_batches
from tuning.calibration import cross_entropy, single_questions
from tuning.settings import Mode
from tuning.trials import is_better
from xai_tf.classifiers.prediction import probabilities
from xai_tf.datasets.dataset import Dataset
from xai_tf.progress import Progress
from xai_tf.training.train import features

if TYPE_CHECKING:
    from tuning.networks import Networks
    from tuning.space import Configuration


def repeat_with_seeds(
    networks: Networks, config: Configuration, num_epochs: int, count: int, progress: Progress
) -> list[dict[str, Any]]:
    """Train a configuration with the `count` seeds that follow the seed of the study.

    Args:
        networks: the data and networks of the search.
        config: the configuration to train.
        num_epochs: epochs per seed.
        count: the number of seeds.
        progress: is called with seeds done, seeds in all, and a text.

    Returns:
        For each seed its "seed", "val_accuracy", "val_ce" and "test_accuracy", measured by file at
        the epoch that is best by the objective of the study.
    """
    results = []
    study, splits = networks.data.study, networks.data.splits
    train = _train_head if study.mode == Mode.BATCHED_HEADS else _train_network
    for number in range(count):
        progress(number, count, "training the winner with other seeds")
        seed = study.seed + 1 + number
        validation, test = train(networks.with_seed(seed), config, num_epochs)
        val_accuracy, val_ce = _evaluate(splits.validation, validation)
        test_accuracy, _ = _evaluate(splits.test, test)
        results.append(
            {
                "seed": seed,
                "val_accuracy": round(val_accuracy, 4),
                "val_ce": round(val_ce, 4),
                "test_accuracy": round(test_accuracy, 4),
            }
        )
    return results


def _train_head(
    networks: Networks, config: Configuration, num_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the validation and of the test rows."""
    study = networks.data.study
    train, validation = networks.rows(config.backbone, config.pooling)
    num_channels, num_logits = train.features.shape[1], train.targets.shape[1]
    state = initial_state(config, num_channels, num_logits, study.seed)
    epochs = train_heads(
        [Member(config, state, heads.trial_seed(study.seed, config))],
        train,
        validation,
        epochs=range(num_epochs),
        seed=study.seed,
        batch_size=study.batch_size,
    )
    best: tuple[float, State] | None = None
    for ((epoch, state_after),) in epochs:
        score = getattr(epoch, study.objective)
        if is_better(study.objective, score, best and best[0]):
            best = (score, state_after())
    assert best is not None  # there is at least one epoch
    top = heads.head(config, (num_channels,), num_logits)
    top.set_weights(best[1].weights(len(config.dense) + 1))
    return features(top, validation.features), features(top, networks.test_features(config))


def _train_network(
    networks: Networks, config: Configuration, num_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the validation and of the test rows."""
    import keras

    study = networks.data.study
    model, upper = networks.build(config)
    heads.set_dropout_step(upper, heads.trial_seed(study.seed, config), 0)
    best: dict[str, Any] = {"score": None, "weights": None}

    class StoreBest(keras.callbacks.Callback):
        """Stores the weights of the best epoch."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            score = logs[study.objective]
            if is_better(study.objective, score, best["score"]):
                best.update(score=score, weights=upper.get_weights())

    upper.fit(
        training_batches(networks, config, range(num_epochs)),
        epochs=num_epochs,
        shuffle=False,
        verbose=0,
        validation_data=validation_batches(networks, config),
        steps_per_epoch=networks.data.steps,
        callbacks=[StoreBest()],
    )
    upper.set_weights(best["weights"])
    splits = networks.data.splits
    return features(model, splits.validation.images), features(model, splits.test.images)


def _evaluate(data: Dataset, logits: np.ndarray) -> tuple[float, float]:
    """Accuracy and cross-entropy by file; of several labels the means over all of them."""
    questions, labels = single_questions(data.file_means(logits), data.file_labels)
    chances = probabilities(questions)
    return float((chances.argmax(1) == labels).mean()), cross_entropy(chances, labels)
