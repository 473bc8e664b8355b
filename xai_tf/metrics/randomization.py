"""Metrics that run the method again: on noisy pictures, with other seeds, on a network undone.

Xplique 2.0.2 has AverageStability and ModelRandomizationMetric. The formulas are its own, but:

| metric | Xplique 2.0.2 | here |
|---|---|---|
| AverageStability | noise from 0 to the radius: a brighter picture | noise to both sides, within 0 to 1 |
| AverageStability | distance in the unit of the method: no two methods compare | as a share of the map |
| ModelRandomization | weights from 0 to 1, none negative: a deep network saturates, and every gradient is zero | kernels around zero, as wide as they were |
| ModelRandomization | a map turned into its opposite (-1) passes better than an unlike one (0) | how far it follows, whatever the sign |
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
    "The map is the same everywhere, with what was learnt or without, so that nothing says whether "
    "it would stay. Try another class, layer or method, or another share of the layers."
)


def average_stability(case: Case) -> Measurement:
    """The mean distance of the map to those of noisy pictures, by its own length."""
    count, radius = int(case.settings["num_samples"]), case.settings["radius"]
    maps, cost = attributions(
        case.classifier,
        case.explanation,
        noisy(case.image, count, radius, case.seed),
        case.explanation.seed,
        case.progress,
    )
    own = case.maps()
    apart = [np.linalg.norm(maps - one, axis=(1, 2)).mean() for one in own]
    return Measurement(np.array(apart) / np.linalg.norm(own[0]), cost)


def repeat_correlation(case: Case) -> Measurement:
    """The mean rank correlation of the map to those of other seeds, cell by cell."""
    explanation, costs, maps = case.explanation, [Cost()], []
    for number in range(int(case.settings["num_repeats"])):
        found, cost = attributions(
            case.classifier,
            explanation,
            case.image[None],
            explanation.seed + 1 + number,
            _after(costs, case.progress),
        )
        maps.append(replace(explanation, attribution=found[0]))
        costs.append(cost)
    values = [
        np.mean([rank_correlation(replace(explanation, attribution=one), m) for m in maps])
        for one in case.maps()
    ]
    return Measurement(np.array(values), _sum(costs))


def randomisation(case: Case) -> Measurement:
    """How far the map follows that of a network undone: |rank correlation|, by pixels.

    A map turned into its opposite tells as much of what the network has not learnt as one that
    stays, so the sign is dropped; Xplique keeps it.
    """
    from scipy.stats import rankdata

    undone = randomised(case.classifier, float(case.settings["share"]), case.seed)
    maps, cost = attributions(
        undone, case.explanation, case.image[None], case.explanation.seed, case.progress
    )
    if not (has_signal(case.explanation.attribution) and has_signal(maps[0])):
        return Measurement(np.array([np.nan]), cost, SILENT)
    both = np.stack([maps[0], *case.maps()]).reshape(2 + int(case.settings["num_random"]), -1)
    ranks = rankdata(both, axis=1) - (both.shape[1] + 1) / 2
    ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
    return Measurement(np.abs(ranks[1:] @ ranks[0]), cost)


def noisy(image: np.ndarray, count: int, radius: float, seed: int) -> np.ndarray:
    """Pictures that nobody tells from one: float32 (count, height, width, 3) in [0, 1]."""
    noise = np.random.default_rng(seed).uniform(-radius, radius, (count, *image.shape))
    return np.clip(image + noise, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)  # several methods are judged on the same one, and compiling takes seconds
def randomised(classifier: Classifier, share: float, seed: int) -> Classifier:
    """A classifier that has forgotten what it learnt: its kernels are drawn anew.

    From a normal distribution around zero, as wide as the kernel was, much as a network begins.
    Biases and normalisations stay, so that values keep about the range the network is made for.

    Args:
        classifier: stays as it is.
        share: of the layers that have weights, counted from the last, above 0 to 1.
        seed: the same seed gives the same classifier.
    """
    import keras

    model = keras.models.clone_model(classifier.model)
    model.set_weights(classifier.model.get_weights())
    layers = [x for x in model.layers if x.weights and x.name != PREPROCESSING]
    rng = np.random.default_rng(seed)
    for layer in layers[len(layers) - max(1, round(share * len(layers))) :]:
        layer.set_weights([_anew(values, rng) for values in layer.get_weights()])
    return Classifier(
        model,
        classifier.classes,
        name=f"{classifier.name}, randomised",
        task=classifier.task,
        card=classifier.card,
        preprocessing="unit",  # what it wants is a layer of the model
    )


def attributions(
    classifier: Classifier,
    explanation: Explanation,
    images: np.ndarray,
    seed: int | None,
    progress: Callable[[int], None],
) -> tuple[np.ndarray, Cost]:
    """Explain pictures as a sample was explained: same method, settings, layer and question.

    Args:
        classifier: has the layers of the one that was explained.
        explanation: how it was done.
        images: float32 array of shape (batch, height, width, 3).
        seed: of the method's draws; None for a method that draws none.
        progress: called with the passes done; may raise.

    Returns:
        Float32 array of shape (batch, height, width), and the passes it took.
    """
    method, settings = explanation.method, dict(explanation.settings)
    target = classifier.target(explanation.target, explanation.contrast)
    pass_counter = start_pass_counter(method, classifier, progress)
    alone = method.cost(settings, classifier.image_size).evaluations > 1
    size = 1 if alone else GRADIENT_BATCH  # methods of many passes fill the batches themselves
    maps = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        parts = None
        if method.segments:
            sample = replace(explanation.sample, image=part[0])
            parts = segment(sample, int(settings["num_segments"]))
        run = Run(
            classifier,
            settings,
            seed or 0,
            explanation.layer,
            parts,
            None,
            pass_counter,
            part[0],
            None,
        )
        explainer = build_explainer(method, run)
        found = explainer(part, np.repeat(target[None], len(part), axis=0))
        maps += [one_map(one, method) for one in found]
    return np.stack(maps), pass_counter.cost


def _anew(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, values.std(), values.shape) if values.ndim > 1 else values


def _after(costs: list[Cost], progress: Callable[[int], None]) -> Callable[[int], None]:
    before = _sum(costs).evaluations
    return lambda done: progress(before + done)


def _sum(costs: list[Cost]) -> Cost:
    return Cost(sum(c.forward for c in costs), sum(c.gradient for c in costs))
