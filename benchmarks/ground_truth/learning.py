"""Networks that can answer by the plant only, and the check that they do.

Trained on pairs: a batch holds each carrier with the plant and without, so that what the carriers
differ in cancels out. `xai_tf.training.train` shuffles, and a plain network then takes many times
as long to find a plant of a fiftieth of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ground_truth.puzzle import CLASSES, Carriers, Planted, Puzzle
from xai_tf.classifiers.backbones import build_model
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.graph import flatten, tensors, upper_part
from xai_tf.tasks import TASKS
from xai_tf.training.train import features

if TYPE_CHECKING:
    import keras

MIN_ACCURACY, MIN_FLIPPED = 0.95, 0.9
VARIETY = 6  # places of the plant in each training carrier
PAIRS = 8  # in a batch
SURE = 0.95  # what a network is to be of its answer; surer, and other carriers cross its zero
# Mean losses, of an epoch's batches and of the validation, at which there is little left to learn.
# The first is never below what the smoothed answers leave, 0.199.
SOLVED = (0.22, 0.08)


@dataclass(frozen=True)
class Learner:
    """A backbone, and how it is trained.

    Attributes:
        title: for people.
        image_size: (height, width): as small as it may be, since all has to fit in half an hour.
        rate: the highest learning rate; it falls to zero along a cosine.
        epochs: at most; every training carrier is seen twice in each.
        weights: the file in the data folder it starts from, or None.
        cut: what lies up to this layer stays as it was; None to train all.
    """

    title: str
    image_size: tuple[int, int]
    rate: float
    epochs: int
    weights: str | None = None
    cut: str | None = None


LEARNERS = {
    "mobilenet_v2": Learner(
        "MobileNetV2, fine-tuned", (112, 112), 2e-4, 12,
        "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_160_no_top.h5", "block_2_add",
    ),
    "cnn": Learner("Plain CNN, from scratch", (48, 48), 2e-3, 24),
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """Whether a network answers by the plant alone.

    Attributes:
        files: test files, each with the plant and without.
        accuracy: over both.
        flipped: share of the files whose logit has the plant's sign with it, and the other without.
    """

    files: int
    accuracy: float
    flipped: float

    @property
    def passed(self) -> bool:
        return self.accuracy >= MIN_ACCURACY and self.flipped >= MIN_FLIPPED


def image_size(puzzle: Puzzle, backbone: str) -> tuple[int, int]:
    """(height, width) of the pictures of a puzzle for a backbone."""
    return puzzle.image_sizes.get(backbone, LEARNERS[backbone].image_size)


def plant_all(
    puzzle: Puzzle, carriers: Sequence[Any], image_size: tuple[int, int], times: int, seed: int
) -> list[Planted]:
    """Plant in every carrier, `times` each. The same seed gives the same at every size."""
    return [
        puzzle.plant(carrier, np.random.default_rng((seed, number, time)), image_size)
        for number, carrier in enumerate(carriers)
        for time in range(times)
    ]


def learn(
    puzzle: Puzzle, backbone: str, carriers: Carriers, data: Path, shuffled: bool = False
) -> Classifier:
    """Train a network on a puzzle.

    Args:
        puzzle: what is planted.
        backbone: a name in `LEARNERS`.
        carriers: those for training and validation are planted in, at several places.
        data: the data folder, for the weights.
        shuffled: whether half of the pairs, drawn at random, get each other's label, so that there
            is nothing to learn.
    """
    import keras

    keras.utils.set_random_seed(0)
    learner = LEARNERS[backbone]
    size, weights = image_size(puzzle, backbone), learner.weights and data / learner.weights
    model = build_model(backbone, 1, size, weights, dropout=0)
    trained, lower = model, None
    if learner.cut:
        lower = keras.Model(model.inputs[0], tensors(model)[learner.cut])
        trained = upper_part(model, learner.cut)
    training = _pairs(plant_all(puzzle, carriers.train, size, VARIETY, seed=1), lower)
    validation = _pairs(plant_all(puzzle, carriers.validation, size, 3, seed=2), lower)
    if shuffled:
        rng = np.random.default_rng(4)
        training, validation = (_shuffled(pairs, rng) for pairs in (training, validation))
    _fit(trained, training, validation, learner)
    return classifier_of(puzzle, flatten(model))  # a copy has no optimizer


def classifier_of(puzzle: Puzzle, model: keras.Model) -> Classifier:
    """The network of a puzzle as it is asked."""
    return Classifier(model, CLASSES, name=puzzle.name, task=TASKS[puzzle.task])


def check(classifier: Classifier, planted: Sequence[Planted]) -> Check:
    """Ask a network about files with the plant and without."""
    on, off = (
        np.array([p.logits[0] for p in classifier.predict(samples)])
        for samples in ([p.sample for p in planted], [p.without for p in planted])
    )
    accuracy = (np.mean(on > 0) + np.mean(off <= 0)) / 2
    return Check(len(planted), float(accuracy), float(np.mean((on > 0) & (off <= 0))))


def _pairs(planted: Sequence[Planted], lower: keras.Model | None) -> np.ndarray:
    """What the trained part gets, of shape (2, files, ...): with the plant, and without."""
    both = [
        np.stack([p.sample.image for p in planted]),
        np.stack([p.without.image for p in planted]),
    ]
    return np.stack([features(lower, images) if lower else images for images in both])


def _shuffled(pairs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs of which half are the wrong way round."""
    turned = rng.random(pairs.shape[1]) < 0.5
    return np.where(turned.reshape(1, -1, *[1] * (pairs.ndim - 2)), pairs[::-1], pairs)


def _fit(
    model: keras.Model, training: np.ndarray, validation: np.ndarray, learner: Learner
) -> None:
    """Train on batches of pairs; the weights that part most pairs of the validation are kept."""
    import keras
    import tensorflow as tf

    rows = training.shape[1] // VARIETY * 2  # of the places, two for each carrier and epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        learner.rate / 10,
        learner.epochs * (rows // PAIRS),
        warmup_target=learner.rate,
        warmup_steps=rows // PAIRS,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-2, global_clipnorm=1.0)
    answers = tf.constant([[SURE]] * PAIRS + [[1 - SURE]] * PAIRS)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.trainable = False

    @tf.function
    def step(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(answers, model(batch, training=False))
            loss = tf.reduce_mean(losses)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    rng, best = np.random.default_rng(0), (-1.0, -np.inf)
    for _ in range(learner.epochs):
        order = rng.permutation(training.shape[1])[:rows]
        known = np.mean(
            [
                step(np.concatenate(training[:, order[start : start + PAIRS]]))
                for start in range(0, rows - PAIRS + 1, PAIRS)
            ]
        )
        on, off = (features(model, inputs) for inputs in validation)
        loss = float(np.logaddexp(0, -on).mean() + np.logaddexp(0, off).mean()) / 2
        middle = _middle(on, off)
        found = float(np.mean((on > middle) & (off <= middle))), -loss
        if found > best:
            best, weights = found, model.get_weights()
        if known < SOLVED[0] and loss < SOLVED[1]:
            break
    model.set_weights(weights)
    _centre(model, validation)


def _centre(model: keras.Model, validation: np.ndarray) -> None:
    """Put zero midway between the classes, so that a file may stray equally far to both sides."""
    middle = _middle(*(features(model, inputs) for inputs in validation))
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias - middle])


def _middle(on: np.ndarray, off: np.ndarray) -> float:
    return float(np.median(on) + np.median(off)) / 2
