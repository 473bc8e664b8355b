"""Run a method: what `xai_tf.attribution.explanation` asks for, with TensorFlow."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from xai_tf.attribution.builders import build_explainer, start_pass_counter
from xai_tf.attribution.convergence import Convergence
from xai_tf.attribution.explanation import Explanation, Order, Preview, Progress
from xai_tf.attribution.methods import Cost
from xai_tf.attribution.previews import Previews, one_map
from xai_tf.attribution.question import SAMPLES
from xai_tf.attribution.run_diagnostics import diagnose_run
from xai_tf.attribution.sampling import sample
from xai_tf.attribution.setup import Run
from xai_tf.inputs.segments import segment

SATURATED = 1e-5  # distance of a probability from 0 or 1 below which its gradient is rounding


def run(
    order: Order, progress: Progress | None = None, preview: Preview | None = None
) -> list[Explanation]:
    """Run a method, once for each layer of the order; progress and preview as in `explain`."""
    method, classifier = order.method, order.classifier
    settings = order.question.given
    reporter = _PassReporter(progress, method.cost(settings, classifier.image_size).evaluations)
    start = time.perf_counter()
    pass_counter = start_pass_counter(method, classifier, reporter)
    features: list[Any] = [None] * len(order.layers)
    if len(order.layers) > 1:
        features = _features(order, pass_counter)
    segments = segment(order.sample, int(settings["num_segments"])) if method.segments else None
    previews = Previews(preview, method) if preview else None
    explanations = []
    for layer, layer_features in zip(order.layers, features, strict=True):
        setup = Run(
            classifier=classifier,
            settings=settings,
            seed=order.question.seed,
            layer=layer,
            segments=segments,
            features=layer_features,
            pass_counter=pass_counter,
            image=order.sample.image,
            preview=previews,
        )
        explainer = build_explainer(method, setup)
        values, convergence = _values(order, explainer, reporter)
        attribution = one_map(values, method)
        figures, weights = _figures(explainer)
        if convergence:
            settings = settings | {SAMPLES: explainer.taken}
            figures |= _sampled_figures(explainer.taken, convergence)
        explanation = Explanation(
            sample=order.sample,
            prediction=order.prediction,
            question=replace(order.question, layer=layer, settings=settings, until_stable=None),
            attribution=attribution,
            cost=pass_counter.cost,
            seconds=time.perf_counter() - start,
            segments=segments,
            segment_weights=weights,
            figures=figures,
            convergence=convergence,
        )
        warnings = (*(doubt.text for doubt in diagnose_run(explanation)), *_warnings(order))
        explanations.append(replace(explanation, warnings=warnings))
    if order.question.until_stable:
        reporter(reporter.total)  # it may have stopped before
    return [_with_earlier_cost(explanation, order.resume_from) for explanation in explanations]


class _PassReporter:
    """Reports how many of the passes to come are done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self.total = progress, total

    def __call__(self, done: int) -> None:
        if self._progress:
            self._progress(min(done, self.total), self.total)


def _features(order: Order, pass_counter: Any) -> list[Any]:
    """The maps of all layers and their gradients, in one pass."""
    feature_pass = order.classifier.feature_pass(tuple(filter(None, order.layers)))
    maps, gradients = feature_pass(order.sample.image[None], order.weights[None])
    pass_counter.count("gradient", 1)
    return list(zip(maps, gradients, strict=True))


def _values(
    order: Order, explainer: Any, reporter: _PassReporter
) -> tuple[Any, Convergence | None]:
    """The values of the explainer for the sample, and how they converged if it draws samples."""
    image, weights = order.sample.image, order.weights
    if not order.method.stochastic:
        return explainer(image[None], weights[None])[0], None
    if order.question.until_stable:
        low = int(order.method.options[SAMPLES].low)  # so that the result is a valid question
        explainer.nb_samples = max(explainer.at_most(explainer.nb_samples), low)
    begun = order.resume_from
    earlier = begun.convergence if begun else None
    explainer.begin(image, weights, earlier and earlier.state)
    reporter.total = explainer.nb_samples - explainer.taken  # it may have started over
    checked = earlier if begun and begun.method is order.method else None
    convergence = sample(explainer, order.method, order.question.until_stable, checked)
    values = explainer.value()
    # Where the network answers all samples alike, only rounding is left: it is no map.
    return np.zeros_like(values) if explainer.silent else values, convergence


def _with_earlier_cost(explanation: Explanation, resume_from: Explanation | None) -> Explanation:
    """The passes and seconds of both runs."""
    if resume_from is None:
        return explanation
    cost = Cost(
        resume_from.cost.forward + explanation.cost.forward,
        resume_from.cost.gradient + explanation.cost.gradient,
    )
    return replace(explanation, cost=cost, seconds=resume_from.seconds + explanation.seconds)


def _figures(explainer: Any) -> tuple[dict[str, float], np.ndarray | None]:
    """The figures that the method reports about itself, and the weights of the segments."""
    surrogate = getattr(explainer, "interpretable_model", None)
    if surrogate is None:
        return getattr(explainer, "figures", {}), None
    return surrogate.figures, surrogate.coef_.astype(np.float32)


def _sampled_figures(samples: int, convergence: Convergence) -> dict[str, float]:
    latest = convergence.latest
    return {"samples": float(samples)} | ({} if latest is None else {"stability": latest})


def _is_saturated(order: Order) -> bool:
    """Whether a probability in the explained score is so close to 0 or 1 that gradients vanish."""
    asked = [label for label in order.question.labels if label is not None]
    probabilities = order.prediction.probabilities[asked]
    return bool(probabilities.min() < SATURATED or probabilities.max() > 1 - SATURATED)


def _warnings(order: Order) -> tuple[str, ...]:
    """Warnings about a method that does not suit the model."""
    method, classifier = order.method, order.classifier
    warnings = []
    if method.relu_only and not classifier.has_relu:
        warnings.append(
            f"{classifier.name} has no ReLU that {method.title} can change (none, leaky ones, or "
            "layers of your own), so the map is the plain gradient."
        )
    if method.needs != "predictions" and classifier.head.recovered and _is_saturated(order):
        warnings.append(
            f"{classifier.name} ends in probabilities, and here they are so close to 0 or 1 that "
            "little is left of their gradients but rounding. Use a perturbation method, such as "
            "occlusion."
        )
    return tuple(warnings)
