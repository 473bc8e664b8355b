"""Explain a prediction: from a sample and a classifier to a map of what decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from xai_tf.attribution.convergence import DEFAULT_STABILITY
from xai_tf.attribution.explanation import Explanation, Order, Preview
from xai_tf.attribution.methods import DEFAULT_METHOD, Settings
from xai_tf.attribution.question import SAMPLES, Question, in_order_of_draws, sample_limit
from xai_tf.classifiers.classifier import Classifier, Input
from xai_tf.errors import SettingError
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress


@overload
def explain(
    classifier: Classifier,
    sample: Input,
    method: str | Question = ...,
    *,
    target: str | int | None = ...,
    contrast: str | int | None = ...,
    layer: str | None = ...,
    seed: int = ...,
    settings: Settings | None = ...,
    until_stable: float | None = ...,
    progress: Progress | None = ...,
    preview: Preview | None = ...,
    earlier: Sequence[Explanation] = ...,
) -> Explanation: ...


@overload
def explain(
    classifier: Classifier,
    sample: Input,
    method: list[str] | list[Question],
    *,
    target: str | int | None = ...,
    contrast: str | int | None = ...,
    layer: str | None = ...,
    seed: int = ...,
    settings: Settings | None = ...,
    until_stable: float | None = ...,
    progress: Progress | None = ...,
    preview: Preview | None = ...,
    earlier: Sequence[Explanation] = ...,
) -> list[Explanation]: ...


def explain(
    classifier: Classifier,
    sample: Input,
    method: str | Question | list[str] | list[Question] = DEFAULT_METHOD,
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    layer: str | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    until_stable: float | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
    earlier: Sequence[Explanation] = (),
) -> Explanation | list[Explanation]:
    """Explain a prediction, by one method or by several.

    SmoothGrad, SquareGrad and VarGrad are statistics of the same passes, which are run once for
    those that are asked for together (or come `earlier`).

    Examples:
        >>> import xai_tf
        >>> classifier = xai_tf.load("dogs_mobilenetv2")
        >>> explanation = explain(classifier, classifier.read("dog.jpg"))
        >>> explanation.prediction.name, explanation.attribution.shape
        ('Pembroke', (224, 224))

    Args:
        classifier: what predicts.
        sample: read with `classifier.read`, or what that takes: a path or an array.
        method: a name in `METHODS`, or a whole `Question`; then the arguments from `target` to
            `until_stable` are left out. Of a list of these, each is answered; all are checked
            before the first pass.
        target: the class to explain, by name or index; the predicted one if left out.
        contrast: a second class: "why the target and not this one?"; where it is the predicted one
            and no target is given, the runner-up is explained.
        layer: the feature layer that Grad-CAM, Grad-CAM++ and FEM look at; the last if left out.
        seed: random seed of a stochastic method; the same seed gives the same map.
        settings: those that differ from the method's defaults.
        until_stable: for a method that samples, the stability (0 to 1, see
            `xai_tf.attribution.convergence`) at which it stops; `num_samples` is then the limit, 8
            times the default if left out. The settings of the map say how many it took.
        progress: called with (passes done, passes at most); raise in it to stop the work.
        preview: called with the map so far, float32 (height, width) in the method's own unit, about
            once a second while a method that samples runs; raise in it to stop the work.
        earlier: maps of this sample by the same classifier; others are ignored. Samples that one of
            them took already are not taken again: those of the same question with fewer, or of
            another method with the same draws.

    Returns:
        The explanation; for a list of methods a list of explanations in the same order.

    Raises:
        UnknownNameError: no such method, class, layer or setting.
        SettingError: a setting out of its range, a layer for a method that looks at none, or
            until_stable for one that draws no samples.
        ModelError: the network has no feature layer, which the method needs.
        InputError: the sample has the wrong size.
    """
    parts = (target, contrast, layer, settings, until_stable)
    methods: list[str | Question] = [method] if isinstance(method, str | Question) else [*method]
    if any(isinstance(one, Question) for one in methods) and any(p is not None for p in parts):
        raise SettingError("Give either a question or its parts, such as `target`, not both.")
    questions = [
        one if isinstance(one, Question) else _question(one, seed, *parts) for one in methods
    ]
    for question in questions:
        question.validated(classifier)
    read = classifier.read(sample)
    found: dict[int, Explanation] = {}
    for place in in_order_of_draws(questions):
        order = _order(classifier, read, questions[place])
        begun = _begun(order, [*earlier, *found.values()])
        found[place] = _run(replace(order, resume_from=begun), progress, preview)[0]
    return found[0] if isinstance(method, str | Question) else [found[n] for n in sorted(found)]


def _begun(order: Order, earlier: Sequence[Explanation]) -> Explanation | None:
    """The map with most of the samples that an order asks for, or None."""
    usable = [
        one
        for one in earlier
        if one.convergence is not None
        and one.convergence.state is not None
        and order.question.goes_on_from(one.question)
        and np.array_equal(one.sample.image, order.sample.image)
        # Another model's map would be continued without a word.
        and np.allclose(one.prediction.logits, order.prediction.logits, rtol=1e-3, atol=1e-4)
    ]
    return max(usable, key=lambda one: one.settings[SAMPLES], default=None)


def _question(
    method: str,
    seed: int,
    target: str | int | None,
    contrast: str | int | None,
    layer: str | None,
    settings: Settings | None,
    until_stable: float | None,
) -> Question:
    return Question(
        method,
        target=target,
        contrast=contrast,
        layer=layer,
        seed=seed,
        settings=settings or (),
        until_stable=until_stable,
    )


def continue_explaining(
    classifier: Classifier,
    explanation: Explanation,
    more: int,
    *,
    until_stable: float | None = None,
    progress: Progress | None = None,
    preview: Preview | None = None,
) -> Explanation:
    """Take more samples for a map, without starting over.

    The map is that of all samples in one run; equal to it but for rounding, and to the last bit
    where the samples so far fill their batches (32, or 16 gradients). What is stochastic is
    continued from its `convergence.state`; without it, and where Kernel SHAP takes all coalitions
    now, it starts over.

    Args:
        classifier: the one that was explained.
        explanation: by a method that samples.
        more: samples to add, or at most to add where it is to stop before.
        until_stable: as in `explain`.
        progress: as in `explain`; the passes are those to come.
        preview: as in `explain`.

    Raises:
        SettingError: the method draws no samples, or so many samples are out of its range.
    """
    sample_limit(explanation.method, DEFAULT_STABILITY if until_stable is None else until_stable)
    count = int(explanation.settings[SAMPLES]) + more
    question = replace(
        explanation.question,
        settings=explanation.settings | {SAMPLES: count},
        until_stable=until_stable,
    )
    order = replace(_order(classifier, explanation.sample, question), resume_from=explanation)
    return _run(order, progress, preview)[0]


def explain_layers(
    classifier: Classifier,
    sample: Input,
    method: str | Question = "grad_cam",
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    progress: Progress | None = None,
) -> list[Explanation]:
    """Grad-CAM or Grad-CAM++ through the depth of a network: one map per resolution, in one pass.

    Raises:
        SettingError: the method looks at no layer, or not by gradients.
    """
    question = (
        method
        if isinstance(method, Question)
        else Question(method, target=target, contrast=contrast)
    )
    entry = question.entry
    if not (entry.needs_layer and entry.class_specific):
        raise SettingError(
            f"{entry.title} cannot be followed through the layers. Choose grad_cam or grad_cam_pp."
        )
    order = _order(classifier, classifier.read(sample), replace(question, layer=None))
    return _run(replace(order, layers=classifier.resolution_layers), progress)


def _order(classifier: Classifier, sample: Sample, question: Question) -> Order:
    question = question.validated(classifier)  # before a pass is spent
    prediction = classifier.predict([sample])[0]
    question = question.resolved(classifier, prediction)
    weights = classifier.target(*question.labels)
    return Order(
        classifier=classifier,
        sample=sample,
        prediction=prediction,
        question=question,
        weights=weights,
        layers=(question.layer,),
    )


def _run(
    order: Order, progress: Progress | None = None, preview: Preview | None = None
) -> list[Explanation]:
    from xai_tf.attribution.run import run

    return run(order, progress, preview)
