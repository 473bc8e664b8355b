"""Score an explanation by metrics, and compare each value with random maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.budget import GRADIENT_PASSES
from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation, Progress
from xai_tf.attribution.methods import Cost, Method, Settings
from xai_tf.classifiers.access import LACKS, gives
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import SettingError
from xai_tf.metrics.metric import METRICS, Metric, select_metrics

if TYPE_CHECKING:
    from xai_tf.metrics.case import Case, Measurement

NO_NUMBERS = "The network or the method returned NaN. Check the weights of the model."
CONSTANT = "The map is constant: the order of its pixels is random, and so is this value."
NOTHING = "The map is constant, so there is nothing to evaluate."
CHANCE = 0.5  # win rate of a map that is as good as random ones


@dataclass(frozen=True)
class RandomBaseline:
    """Values of random maps: the map itself, moved elsewhere (`xai_tf.attribution.random_maps`).

    Attributes:
        mean: the mean of their values.
        low, high: the 5th and the 95th percentile.
        count: the number of random maps.
        win_rate: the share of them that the map is better than, 0 to 1; ties count half. A constant
            map always has 0.5.
    """

    mean: float
    low: float
    high: float
    count: int
    win_rate: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """The value of a metric for an explanation.

    Attributes:
        metric: an entry of `METRICS`.
        value: in the range of the metric; NaN where the map cannot be evaluated, see `note`.
        quantity: what is measured, such as "probability of dog"; may be empty.
        settings: all settings of the metric.
        seed: random seed of the metric.
        cost: the passes it took.
        seconds: how long it took.
        random: values of random maps; None where the location makes no difference.
        note: why there is no value, or why it is due to chance; else empty.
    """

    metric: Metric
    value: float
    quantity: str
    settings: Settings
    seed: int
    cost: Cost
    seconds: float
    random: RandomBaseline | None = None
    note: str = ""

    @property
    def better_than_random(self) -> float | None:
        """The share of random maps the map is better than, 0 to 1; 0.5 is chance."""
        return self.random.win_rate if self.random else None


@dataclass(frozen=True)
class Planned:
    """A metric to compute, with its settings and its maximum cost."""

    metric: Metric
    settings: Settings
    cost: Cost


def score(
    classifier: Classifier,
    explanation: Explanation,
    metrics: Sequence[str] | None = None,
    *,
    settings: Mapping[str, Settings] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Score]:
    """Score an explanation by one or more metrics.

    Probabilities are those of the class explained; with a contrast, those among the two classes
    alone. The baseline is that of the task unless a setting says otherwise.

    Examples:
        >>> import xai_tf
        >>> classifier = xai_tf.load("dogs_mobilenetv2")
        >>> explanation = xai_tf.explain(classifier, classifier.read("dog.jpg"))
        >>> [sparseness] = score(classifier, explanation, ["sparseness"])
        >>> 0 <= sparseness.value <= 1, sparseness.metric.direction
        (True, 'higher')

    Args:
        classifier: the classifier that was explained.
        explanation: the explanation to evaluate.
        metrics: names in `METRICS`, or "all". If left out, all that do not run the method again.
        settings: settings that differ from the defaults, by the name of the metric.
        seed: random seed of noise, masks, random maps and weights; the same seed gives the same
            scores.
        progress: called with (passes done, passes in total); may raise to stop the work.

    Returns:
        One score per metric, in the order requested. A map that cannot be evaluated (zero
        everywhere, or NaN, or of a model that does not give what the metric needs) has scores of
        NaN with a note. A constant map has a win rate of 0.5,
        and NaN for figures that its method computed about itself.

    Raises:
        UnknownNameError: there is no such metric or setting.
        SettingError: a setting is out of range, or a metric does not apply to the method.
    """
    method = explanation.method
    chosen = plan(classifier, [(method, explanation.settings)], metrics, settings)[method.name]
    total = sum(planned.cost.evaluations for planned in chosen)
    scores, done = [], 0
    for planned in chosen:
        report = partial_progress(progress, done, total)
        scores.append(_score(classifier, explanation, planned, seed, report))
        done += planned.cost.evaluations
    return scores


def plan(
    classifier: Classifier,
    methods: Sequence[tuple[Method, Settings]],
    metrics: Sequence[str] | None = None,
    settings: Mapping[str, Settings] | None = None,
) -> dict[str, list[Planned]]:
    """Plan the scores of several methods, with their cost, without computing anything.

    Args:
        classifier: the classifier that is explained.
        methods: the methods to evaluate, each with all its settings.
        metrics: as for `score`.
        settings: as for `score`.

    Returns:
        By method, the metrics that apply to it.

    Raises:
        UnknownNameError: as `score`.
        SettingError: as `score`, or there are settings for a metric that was not requested.
    """
    chosen, given = select_metrics(metrics, [method for method, _ in methods]), settings or {}
    for name in given:
        if name not in [metric.name for metric in chosen]:
            raise SettingError(
                f"There are settings for {name!r}, which is not among the requested metrics. "
                "Omit them, or request the metric."
            )
    complete = {m.name: m.settings(given.get(m.name, {}), classifier.baseline) for m in chosen}
    size = classifier.image_size
    return {
        method.name: [
            Planned(m, complete[m.name], m.cost(complete[m.name], size, method.cost(own, size)))
            for m in chosen
            if m.applies(method)
        ]
        for method, own in methods
    }


def partial_progress(progress: Progress | None, before: int, total: int) -> Callable[..., None]:
    """A progress callback for one part of the work, called with the passes of that part alone.

    Args:
        progress: the callback of the whole work.
        before: passes of the earlier parts.
        total: passes of the whole work.
    """

    def report(done: int, _total: int = 0) -> None:
        if progress:
            progress(min(before + done, total), total)

    return report


def seconds_per_pass(classifier: Classifier) -> float:
    """The time of one forward pass in a batch, measured once after a warm-up."""
    images = np.zeros((8, *classifier.image_size, 3), np.float32)
    classifier.passes.logits(images)
    start = time.perf_counter()
    classifier.passes.logits(images).numpy()
    return (time.perf_counter() - start) / len(images)


def seconds(cost: Cost, per_pass: float) -> float:
    """The estimated time of passes, from the time of one forward pass."""
    return per_pass * (cost.forward + GRADIENT_PASSES * cost.gradient)


def _score(
    classifier: Classifier,
    explanation: Explanation,
    planned: Planned,
    seed: int,
    progress: Callable[[int], None],
) -> Score:
    from xai_tf.metrics.case import Case

    metric, start = planned.metric, time.perf_counter()
    quantity = _quantity(explanation, metric)
    result = Score(
        metric=metric,
        value=float("nan"),
        quantity=quantity,
        settings=planned.settings,
        seed=seed,
        cost=Cost(),
        seconds=0.0,
        note=_obstacle(classifier, explanation, metric),
    )
    if result.note:
        return result
    case = Case(classifier, explanation, planned.settings, seed, progress)
    measurement = _measure(metric.name)(case)
    value, random = float(measurement.values[0]), measurement.values[1:]
    baseline = _random_baseline(value, random, metric.direction) if len(random) else None
    note = measurement.note or ("" if np.isfinite(value) else NO_NUMBERS)
    if baseline and not has_signal(explanation.attribution):
        baseline, note = replace(baseline, win_rate=CHANCE), CONSTANT
    return replace(
        result,
        value=value,
        cost=measurement.cost,
        seconds=time.perf_counter() - start,
        random=baseline,
        note=note,
    )


def _measure(name: str) -> Callable[[Case], Measurement]:
    """The function that computes a metric; imported late, because some need TensorFlow."""
    from xai_tf.metrics import complexity, fidelity, randomization

    family = METRICS[name].family
    module = {"fidelity": fidelity, "rerun": randomization}.get(family, complexity)
    return getattr(module, name)


def _obstacle(classifier: Classifier, explanation: Explanation, metric: Metric) -> str:
    """Why a map cannot be evaluated by a metric; empty if it can."""
    if not gives(classifier.access, metric.needs):
        lacks = LACKS[metric.needs]
        return f"{metric.title} needs {metric.needs}, but {classifier.name!r} {lacks}."
    if not np.isfinite(explanation.attribution).all():
        return diagnose(explanation.attribution)[0].text
    if not explanation.attribution.any():
        return (
            "The map is zero everywhere, so there is nothing to evaluate. Explain another class, "
            "or use another layer or method."
        )
    if metric.family == "figure" and not has_signal(explanation.attribution):
        return NOTHING
    return ""


def _quantity(explanation: Explanation, metric: Metric) -> str:
    classes = explanation.prediction.classes
    if metric.family != "fidelity":
        return ""
    if explanation.contrast is None:
        return f"probability of {classes[explanation.target]}"
    names = classes[explanation.target], classes[explanation.contrast]
    return f"probability of {names[0]} among {names[0]} and {names[1]} alone"


def _random_baseline(value: float, random: np.ndarray, direction: str) -> RandomBaseline:
    sign = 1 if direction == "higher" else -1
    ahead = sign * (value - random)
    ties = np.abs(ahead) <= 1e-9  # equal up to rounding
    win_rate = float(((ahead > 0) & ~ties).mean() + ties.mean() / 2)
    low, high = np.percentile(random, [5, 95])
    return RandomBaseline(float(random.mean()), float(low), float(high), len(random), win_rate)
