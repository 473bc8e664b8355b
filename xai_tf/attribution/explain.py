"""Explain a prediction: from a sample and a classifier to a map of what decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xai_tf.attribution.convergence import DEFAULT_STABILITY, LIMIT_FACTOR
from xai_tf.attribution.explanation import Explanation, Order, Partial, Progress
from xai_tf.attribution.methods import METHODS, Method
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import SettingError, pick
from xai_tf.inputs.sample import Sample


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
    until_stable: float | None = None,
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
        until_stable: for a method that samples, the stability (0 to 1, see
            `xai_tf.attribution.convergence`) at which it stops; `num_samples` is the limit then,
            and 8 times the default if left out. The map is that of a run of as many samples as it
            took, which its settings tell.
        progress: called with (passes done, passes at most); raise in it to stop the work.
        partial: called with the map so far, float32 (height, width) in the method's own unit, about
            once a second while a method that samples runs (see `xai_tf.attribution.previews`);
            raise in it to stop the work. The final map is the same with and without.

    Raises:
        UnknownNameError: no such method, class, layer or setting.
        SettingError: a setting out of its range, a layer for a method that looks at none, or
            until_stable for one that does not sample.
        ModelError: the network has no feature layer that the method needs.
        InputError: the sample has the wrong size.
    """
    entry = pick(METHODS, method, "method")
    layers = (classifier.feature_layer(layer),) if entry.needs_layer else (None,)
    if layer and not entry.needs_layer:
        raise SettingError(f"{entry.title} looks at no layer. Leave the layer out.")
    if until_stable is not None:
        settings = {"num_samples": sample_limit(entry, until_stable)} | dict(settings or {})
    order = _order(classifier, sample, entry, target, contrast)
    order = replace(
        order, layers=layers, seed=seed, settings=settings or {}, until_stable=until_stable
    )
    return _run(order, progress, partial)[0]


def continue_explaining(
    classifier: Classifier,
    explanation: Explanation,
    more: int,
    *,
    until_stable: float | None = None,
    progress: Progress | None = None,
    partial: Partial | None = None,
) -> Explanation:
    """Take more samples for a map, without starting over.

    The map is that of all samples in one run; equal to it but for rounding, and to the last bit
    where the samples so far fill their batches (32, or 16 gradients). What is stochastic is
    continued from its `convergence.state`; without it, and where Kernel SHAP takes all coalitions
    now, it starts over.

    Args:
        classifier: that was explained.
        explanation: by a method that samples.
        more: samples to add, or at most to add where it is to stop before.
        until_stable, progress, partial: as in `explain`; the passes are those to come.

    Raises:
        SettingError: the method does not sample, or so many samples are out of its range.
    """
    method = explanation.method
    sample_limit(method, DEFAULT_STABILITY if until_stable is None else until_stable)
    count = explanation.settings["num_samples"] + more
    order = _order(classifier, explanation.sample, method, explanation.target, explanation.contrast)
    order = replace(
        order,
        layers=(explanation.layer,),
        seed=explanation.seed,
        resume_from=explanation,
        settings={**explanation.settings, "num_samples": count},
        until_stable=until_stable,
    )
    return _run(order, progress, partial)[0]


def sample_limit(method: Method, until_stable: float) -> int:
    """How many samples a run until stable takes at most, unless told otherwise.

    Raises:
        SettingError: the method does not sample, or there is no such stability.
    """
    if not method.stochastic:
        able = ", ".join(name for name, one in METHODS.items() if one.stochastic)
        raise SettingError(
            f"{method.title} draws no samples, so it is as stable as it gets. Leave 'until stable' "
            f"out, or take one of {able}."
        )
    if not 0 < until_stable < 1:
        raise SettingError(
            f"A map cannot be stable to {until_stable:g}. Give a number between 0 and 1, such as "
            f"{DEFAULT_STABILITY:g}."
        )
    option = method.options["num_samples"]
    return int(min(option.high, LIMIT_FACTOR * option.default))


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
    order = _order(classifier, sample, entry, target, contrast)
    return _run(replace(order, layers=classifier.resolution_layers), progress)


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


def _order(
    classifier: Classifier,
    sample: Sample,
    method: Method,
    target: str | int | None,
    contrast: str | int | None,
) -> Order:
    prediction = classifier.predict([sample])[0]
    label, other = question(classifier, prediction, target, contrast)
    weights = classifier.target(label, other)
    return Order(classifier, sample, prediction, method, label, other, weights)


def _run(
    order: Order, progress: Progress | None = None, partial: Partial | None = None
) -> list[Explanation]:
    from xai_tf.attribution.run import run

    return run(order, progress, partial)
