"""Explain a prediction: from a sample and a classifier to a map of what decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xai_tf.classifier import Classifier
from xai_tf.errors import SettingError, pick
from xai_tf.methods import METHODS, Cost, Method
from xai_tf.prediction import Prediction
from xai_tf.sample import Sample

Progress = Callable[[int, int], None]
Partial = Callable[[np.ndarray], None]

ALL_LAYERS = "all"
MAX_GAP = 0.05  # of Integrated Gradients, as a share of the score's change
MIN_R2 = 0.3  # of LIME


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a classifier says what it says of one sample, by one method.

    Attributes:
        sample: what was explained.
        prediction: what the classifier says of it.
        method: an entry of `METHODS`.
        attribution: float32 array of shape (height, width): for a signed method what speaks for
            the class (positive) and against it (negative), else how much a place matters. In the
            method's own unit, never scaled.
        target: the index of the class explained.
        contrast: the index of the class it is held against, or None.
        settings: all settings of the method.
        seed: of its random draws; None for a method that draws none.
        layer: the feature layer it looked at, or None.
        cost: the passes it ran through the network.
        seconds: how long it took.
        segments: int32 array of shape (height, width), the number of each pixel's segment, or None.
        segment_weights: float32 array of shape (segments,), or None.
        figures: what the method says of itself. `completeness_gap` (Integrated Gradients, the
            share of the score's change that the map misses), `r2` (LIME), `score_all` and
            `score_none` (Kernel SHAP, whose weights add up to their difference) and
            `undetermined` (its weights that the samples say nothing of).
        warnings: what a person should know before trusting the map, a sentence each.
    """

    sample: Sample
    prediction: Prediction
    method: Method
    attribution: np.ndarray
    target: int
    contrast: int | None
    settings: Mapping[str, float]
    seed: int | None
    layer: str | None
    cost: Cost
    seconds: float
    segments: np.ndarray | None = None
    segment_weights: np.ndarray | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def target_name(self) -> str:
        """The class explained, and the one it is held against."""
        name = self.prediction.classes[self.target]
        if self.contrast is None:
            return name
        return f"{name} rather than {self.prediction.classes[self.contrast]}"


def explain(
    classifier: Classifier,
    sample: Sample,
    method: str = "grad_cam",
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    layer: str | None = None,
    seed: int = 0,
    settings: Mapping[str, float] | None = None,
    progress: Progress | None = None,
    partial: Partial | None = None,
) -> Explanation:
    """Explain a prediction.

    Args:
        classifier: what predicts.
        sample: read with `classifier.read`.
        method: a name in `METHODS`.
        target: the class to explain, by name or index; the predicted one if left out.
        contrast: a second class: "why the target and not this one"; where it is the predicted one
            and no target is given, the runner-up is explained.
        layer: the feature layer that Grad-CAM, Grad-CAM++ and FEM look at; the last if left out.
        seed: of a stochastic method; the same seed gives the same map.
        settings: those that differ from the method's defaults.
        progress: called with (passes done, passes in all); raise in it to stop the work.
        partial: called with the map so far, float32 (height, width) in the method's own unit, about
            once a second while a method that samples runs (see `xai_tf.partial`); raise in it to
            stop the work. The final map is the same with and without.

    Raises:
        UnknownNameError: no such method, class, layer or setting.
        SettingError: a setting out of its range, or a layer for a method that looks at none.
        ModelError: the network has no feature layer that the method needs.
        InputError: the sample has the wrong size.
    """
    entry = pick(METHODS, method, "method")
    layers = (classifier.feature_layer(layer),) if entry.needs_layer else (None,)
    if layer and not entry.needs_layer:
        raise SettingError(f"{entry.title} looks at no layer. Leave the layer out.")
    asked = _question(classifier, sample, target, contrast)
    return _run(classifier, sample, entry, asked, layers, seed, settings, progress, partial)[0]


def explain_layers(
    classifier: Classifier,
    sample: Sample,
    method: str = "grad_cam",
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    progress: Progress | None = None,
) -> list[Explanation]:
    """Grad-CAM or Grad-CAM++ through the depth of a network: one map a resolution, in one pass.

    Raises:
        SettingError: the method looks at no layer, or not by gradients.
    """
    entry = pick(METHODS, method, "method")
    if not (entry.needs_layer and entry.class_specific):
        raise SettingError(f"{entry.title} cannot be followed through the layers. Take grad_cam.")
    asked = _question(classifier, sample, target, contrast)
    return _run(classifier, sample, entry, asked, classifier.stages, 0, None, progress)


def question(
    classifier: Classifier,
    prediction: Prediction,
    target: str | int | None = None,
    contrast: str | int | None = None,
) -> tuple[int, int | None]:
    """The indices of the class to explain and of the one it is held against.

    Without a target it is the predicted class; where that is the contrast, the runner-up.

    Raises:
        UnknownNameError: there is no such class.
        SettingError: a class is held against itself.
    """
    other = None if contrast is None else classifier.label(contrast)
    if target is None:
        ranked = np.argsort(-prediction.probabilities, kind="stable")
        return int(next(label for label in ranked if label != other)), other
    label = classifier.label(target)
    check_contrast(classifier, label, other)
    return label, other


def check_contrast(classifier: Classifier, label: int, other: int | None) -> None:
    """Raise a SettingError where a class is held against itself."""
    if other == label:
        raise SettingError(
            f"{classifier.classes[label]!r} cannot be held against itself. "
            "Give another class as contrast."
        )


@dataclass(frozen=True, eq=False)
class _Question:
    prediction: Prediction
    target: int
    contrast: int | None
    weights: np.ndarray


def _question(
    classifier: Classifier,
    sample: Sample,
    target: str | int | None,
    contrast: str | int | None,
) -> _Question:
    prediction = classifier.predict([sample])[0]
    label, other = question(classifier, prediction, target, contrast)
    return _Question(prediction, label, other, classifier.target(label, other))


def _run(
    classifier: Classifier,
    sample: Sample,
    method: Method,
    asked: _Question,
    layers: tuple[str | None, ...],
    seed: int,
    settings: Mapping[str, float] | None,
    progress: Progress | None,
    partial: Partial | None = None,
) -> list[Explanation]:
    from xai_tf.explainers import Run, build_explainer, start_meter
    from xai_tf.partial import Offers, one_map
    from xai_tf.segmentation import segment

    chosen = method.settings(settings or {}, classifier.baseline)
    total = method.cost(chosen, classifier.image_size).evaluations
    start = time.perf_counter()
    meter = start_meter(
        method, classifier, progress and (lambda done: progress(min(done, total), total))
    )
    images, targets = sample.image[None], asked.weights[None]
    features: list[Any] = [None] * len(layers)
    if len(layers) > 1:
        maps, gradients = classifier.feature_pass(layers)(images, targets)
        meter.count("gradient", 1)
        features = list(zip(maps, gradients, strict=True))
    segments = segment(sample, int(chosen["num_segments"])) if method.segments else None
    offer = Offers(partial, method) if partial else None
    explanations = []
    for layer, known in zip(layers, features, strict=True):
        run = Run(classifier, chosen, seed, layer, segments, known, meter, sample.image, offer)
        explainer = build_explainer(method, run)
        attribution = one_map(explainer(images, targets)[0], method)
        figures, weights = _figures(method, explainer, attribution, sample, asked, chosen, meter)
        explanations.append(
            Explanation(
                sample, asked.prediction, method, attribution, asked.target,
                asked.contrast, chosen, seed if method.stochastic else None, layer,
                meter.cost, time.perf_counter() - start, segments, weights, figures,
                _warnings(classifier, method, figures),
            )
        )  # fmt: skip
    return explanations


def _figures(
    method: Method,
    explainer: Any,
    attribution: np.ndarray,
    sample: Sample,
    asked: _Question,
    settings: Mapping[str, float],
    meter: Any,
) -> tuple[dict[str, float], np.ndarray | None]:
    """What a method says of itself, and the weights of the segments."""
    if method.complete:
        ends = np.stack([sample.image, np.full_like(sample.image, settings["baseline"])])
        score, nothing = meter.scores(None, ends, np.stack([asked.weights] * 2)).numpy()
        change = float(score - nothing)
        gap = abs(float(attribution.sum()) - change) / max(abs(change), 1e-6)
        return {
            "completeness_gap": gap,
            "score": float(score),
            "score_baseline": float(nothing),
        }, None
    surrogate = getattr(explainer, "interpretable_model", None)
    if surrogate is None:
        return {}, None
    return surrogate.figures, surrogate.coef_.astype(np.float32)


def _warnings(
    classifier: Classifier, method: Method, figures: Mapping[str, float]
) -> tuple[str, ...]:
    found = []
    if method.relu_only and not classifier.has_relu:
        found.append(
            f"{classifier.name} has no ReLU that {method.title} can change (none, or leaking "
            "ones), so it is nothing but the plain gradient."
        )
    if figures.get("completeness_gap", 0) > MAX_GAP:
        found.append(
            f"The shares miss {figures['completeness_gap']:.0%} of the change in the score. "
            "Take more steps."
        )
    if figures.get("undetermined", 0):
        found.append(
            f"The samples are too few for so many segments: {figures['undetermined']:.0f} weights "
            "are undetermined. Take at least twice as many samples as segments, better ten times."
        )
    if figures.get("r2", 1) < MIN_R2:
        found.append(
            f"LIME's linear model fits badly here (R2 {figures['r2']:.2f}). Take more samples, or "
            "Kernel SHAP."
        )
    return tuple(found)
