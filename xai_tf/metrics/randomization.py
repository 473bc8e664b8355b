"""Metrics that run the method again: on noisy images, with other seeds, on randomized weights.

They follow AverageStability and ModelRandomizationMetric of Xplique 2.0.2, except:

| metric | Xplique 2.0.2 | here |
|---|---|---|
| AverageStability | noise from 0 to the radius, which brightens the image | symmetric noise, clipped to 0 to 1 |
| AverageStability | distance in the unit of the method, so methods cannot be compared | relative to the norm of the map |
| ModelRandomization | weights from 0 to 1, never negative: a deep network saturates and every gradient is zero | kernels around zero with their original standard deviation |
| ModelRandomization | an inverted map (-1) passes better than an unrelated one (0) | the absolute correlation |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from xai_tf.agreement.agreement import rank_correlation
from xai_tf.attribution.builders import build_explainer, start_pass_counter
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Cost
from xai_tf.attribution.pass_counter import GRADIENT_BATCH
from xai_tf.attribution.previews import one_map
from xai_tf.attribution.setup import Run
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.preprocessing import PREPROCESSING
from xai_tf.inputs.segments import segment
from xai_tf.metrics.case import Case, Measurement

SILENT = (
    "The map has no signal, with the trained or the randomized weights, so the two cannot be "
    "compared. Try another class, layer or method, or another share of the layers."
)


def average_stability(case: Case) -> Measurement:
    """The mean distance of the map to those of noisy images, relative to its norm."""
    count, radius = int(case.settings["num_samples"]), float(case.settings["radius"])
    maps, cost = attributions(
        case.classifier,
        case.explanation,
        noisy(case.image, count, radius, case.seed),
        case.explanation.seed,
        case.progress,
    )
    own = case.maps()
    distances = [np.linalg.norm(maps - one, axis=(1, 2)).mean() for one in own]
    return Measurement(np.array(distances) / np.linalg.norm(own[0]), cost)


def repeat_correlation(case: Case) -> Measurement:
    """The mean rank correlation of the map with those of other seeds, cell by cell."""
    explanation, costs, maps = case.explanation, [Cost()], []
    assert explanation.seed is not None, "this metric needs a stochastic method"
    for number in range(int(case.settings["num_repeats"])):
        repeated, cost = attributions(
            case.classifier,
            explanation,
            case.image[None],
            explanation.seed + 1 + number,
            _after(costs, case.progress),
        )
        maps.append(replace(explanation, attribution=repeated[0]))
        costs.append(cost)
    values = [
        np.mean([rank_correlation(replace(explanation, attribution=one), m) for m in maps])
        for one in case.maps()
    ]
    return Measurement(np.array(values), _sum(costs))


def randomisation(case: Case) -> Measurement:
    """The absolute rank correlation with the map of a randomized network, by pixels.

    An inverted map depends as little on the trained weights as an unchanged one, so the sign is
    dropped; Xplique keeps it.
    """
    from scipy.stats import rankdata

    randomised = randomised_classifier(case.classifier, float(case.settings["share"]), case.seed)
    maps, cost = attributions(
        randomised, case.explanation, case.image[None], case.explanation.seed, case.progress
    )
    if not (has_signal(case.explanation.attribution) and has_signal(maps[0])):
        return Measurement(np.array([np.nan]), cost, SILENT)
    both = np.stack([maps[0], *case.maps()]).reshape(2 + int(case.settings["num_random"]), -1)
    ranks = rankdata(both, axis=1) - (both.shape[1] + 1) / 2
    ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
    return Measurement(np.abs(ranks[1:] @ ranks[0]), cost)


def noisy(image: np.ndarray, count: int, radius: float, seed: int) -> np.ndarray:
    """Copies of an image with uniform noise: float32 (count, height, width, 3) in [0, 1]."""
    noise = np.random.default_rng(seed).uniform(-radius, radius, (count, *image.shape))
    return np.clip(image + noise, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)  # shared by the methods that are compared, because compiling takes seconds
def randomised_classifier(classifier: Classifier, share: float, seed: int) -> Classifier:
    """A copy of a classifier with randomized kernels, as at initialization.

    Kernels are drawn from a normal distribution around zero with their original standard
    deviation. Biases and normalization stay, so that activations keep about their range.

    Args:
        classifier: is not changed.
        share: share of the layers with weights to randomize, from the last, above 0 to 1.
        seed: the same seed gives the same classifier.
    """
    import keras

    model = keras.models.clone_model(classifier.model)
    model.set_weights(classifier.model.get_weights())
    layers = [x for x in model.layers if x.weights and x.name != PREPROCESSING]
    rng = np.random.default_rng(seed)
    for layer in layers[len(layers) - max(1, round(share * len(layers))) :]:
        layer.set_weights([_randomised(values, rng) for values in layer.get_weights()])
    return Classifier(
        model,
        classifier.classes,
        name=f"{classifier.name}, randomised",
        task=classifier.task,
        card=classifier.card,
        preprocessing="unit",  # the model contains its preprocessing as a layer
    )


def attributions(
    classifier: Classifier,
    explanation: Explanation,
    images: np.ndarray,
    seed: int | None,
    progress: Callable[[int], None],
) -> tuple[np.ndarray, Cost]:
    """Explain images as a sample was explained: same method, settings, layer and target.

    Args:
        classifier: has the layers of the one that was explained.
        explanation: the explanation to repeat.
        images: float32 array of shape (batch, height, width, 3).
        seed: random seed of the method; None for a method that draws no random numbers.
        progress: called with the passes done; may raise.

    Returns:
        Float32 array of shape (batch, height, width), and the passes it took.
    """
    method, settings = explanation.method, dict(explanation.settings)
    target = classifier.target(explanation.target, explanation.contrast)
    pass_counter = start_pass_counter(method, classifier, progress)
    many_passes = method.cost(settings, classifier.image_size).evaluations > 1
    size = 1 if many_passes else GRADIENT_BATCH  # the former fill the batches themselves
    maps = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        segments = None
        if method.segments:
            sample = replace(explanation.sample, image=batch[0])
            segments = segment(sample, int(settings["num_segments"]))
        run = Run(
            classifier=classifier,
            settings=settings,
            image=batch[0],
            pass_counter=pass_counter,
            seed=seed or 0,
            layer=explanation.layer,
            segments=segments,
        )
        explainer = build_explainer(method, run)
        outputs = explainer(batch, np.repeat(target[None], len(batch), axis=0))
        maps += [one_map(output, method) for output in outputs]
    return np.stack(maps), pass_counter.cost


def _randomised(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, values.std(), values.shape) if values.ndim > 1 else values


def _after(costs: list[Cost], progress: Callable[[int], None]) -> Callable[[int], None]:
    before = _sum(costs).evaluations
    return lambda done: progress(before + done)


def _sum(costs: list[Cost]) -> Cost:
    return Cost(sum(c.forward for c in costs), sum(c.gradient for c in costs))
