"""Judge an explanation by metrics, and hold each value against random maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.diagnostics import diagnose, has_signal
from xai_tf.attribution.explanation import Explanation, Progress
from xai_tf.attribution.methods import Cost, Method, Settings
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import SettingError
from xai_tf.metrics.metric import METRICS, Metric, select_metrics

if TYPE_CHECKING:
    from xai_tf.metrics.case import Case, Measurement

NO_NUMBERS = "The network or the method gave no numbers (NaN) here. Check the model's weights."
CONSTANT = "The map is the same everywhere: its order is chance, and so is this."
NOTHING = "The map is the same everywhere, so that there is nothing to be right or wrong about."
CHANCE = 0.5  # of random maps beaten by one that is as good as they are
GRADIENT_PASSES = 2  # forward passes that take as long as one forward and backward


@dataclass(frozen=True)
class RandomBaseline:
    """Where random maps stand: the map itself, put elsewhere (`xai_tf.metrics.baselines`).

    Attributes:
        mean: of their values.
        low, high: the 5th and the 95th percentile.
        count: how many there are.
        win_rate: the share of them that the map beats, 0 to 1; even ones count half. Half for a map
            that is the same everywhere, whatever a draw says: it is not decided.
    """

    mean: float
    low: float
    high: float
    count: int
    win_rate: float


@dataclass(frozen=True)
class Score:
    """What a metric says of an explanation.

    Attributes:
        metric: an entry of `METRICS`.
        value: in the metric's range; NaN where the map cannot be judged, see `note`.
        quantity: what is measured, in words: whose probability, say.
        settings: all settings of the metric.
        seed: of its random draws.
        cost: the passes it took.
        seconds: how long it took.
        random: where random maps stand; None where the place makes no difference.
        note: why there is no value, or why it is chance (the same everywhere); else empty.
    """

    metric: Metric
    value: float
    quantity: str
    settings: Mapping[str, float]
    seed: int
    cost: Cost
    seconds: float
    random: RandomBaseline | None = None
    note: str = ""

    @property
    def better_than_random(self) -> float | None:
        """The share of random maps it beats, 0 to 1; 0.5 is chance."""
        return self.random and self.random.win_rate


@dataclass(frozen=True)
class Planned:
    """A metric that will be asked, its settings, and what it will cost at most."""

    metric: Metric
    settings: Mapping[str, float]
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
    """Judge an explanation.

    Probabilities are those of the class explained, and with a contrast those of the class where
    there are only these two. The baseline is that of the task unless a setting says otherwise.

    Args:
        classifier: what was explained.
        explanation: what is judged.
        metrics: names in `METRICS`, or "all"; all that need no second run of the method if left
            out.
        settings: by the name of the metric, those that differ from its defaults.
        seed: of noise, hidden cells, random maps and weights; the same seed gives the same scores.
        progress: called with (passes done, passes in all); raise in it to stop the work.

    Returns:
        One score a metric, in the order asked for. A map that cannot be judged (zero everywhere, or
        NaN) has scores of NaN with a note; one that is the same everywhere stands where chance
        does, and what its method measured of itself is no score of it.

    Raises:
        UnknownNameError: no such metric or setting.
        SettingError: a setting out of its range, or a metric that says nothing of the method.
    """
    method = explanation.method
    chosen = plan(classifier, [(method, explanation.settings)], metrics, settings)[method.name]
    total = sum(planned.cost.evaluations for planned in chosen)
    scores, before = [], 0
    for planned in chosen:
        report = partial_progress(progress, before, total)
        scores.append(_score(classifier, explanation, planned, seed, report))
        before += planned.cost.evaluations
    return scores


def plan(
    classifier: Classifier,
    methods: Sequence[tuple[Method, Settings]],
    metrics: Sequence[str] | None = None,
    settings: Mapping[str, Settings] | None = None,
) -> dict[str, list[Planned]]:
    """What scores cost, before anything is done: by method, the metrics that say something of it.

    Args:
        classifier, metrics, settings: as for `score`.
        methods: what is judged, each with all its settings.

    Raises:
        UnknownNameError, SettingError: as `score`.
    """
    chosen, given = select_metrics(metrics, [method for method, _ in methods]), settings or {}
    for name in given:
        if name not in [metric.name for metric in chosen]:
            raise SettingError(f"{name!r} is no metric asked for. Leave its settings out.")
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
    """A progress for one part of the work: called with the passes of that part alone."""

    def report(done: int, _total: int = 0) -> None:
        if progress:
            progress(min(before + done, total), total)

    return report


def seconds_per_pass(classifier: Classifier) -> float:
    """How long one forward pass takes in a batch, timed once after a warm-up."""
    images = np.zeros((8, *classifier.image_size, 3), np.float32)
    classifier.passes.logits(images)
    start = time.perf_counter()
    classifier.passes.logits(images).numpy()
    return (time.perf_counter() - start) / len(images)


def seconds(cost: Cost, a_pass: float) -> float:
    """About how long passes take, from that of a forward one."""
    return a_pass * (cost.forward + GRADIENT_PASSES * cost.gradient)


def _score(
    classifier: Classifier,
    explanation: Explanation,
    planned: Planned,
    seed: int,
    progress: Callable[[int], None],
) -> Score:
    from xai_tf.metrics.case import Case

    metric, start = planned.metric, time.perf_counter()
    note, quantity = _unfit(explanation, metric), _quantity(explanation, metric)
    if note:
        nothing = float("nan"), quantity, planned.settings, seed, Cost(), 0.0
        return Score(metric, *nothing, note=note)
    case = Case(classifier, explanation, planned.settings, seed, progress)
    found = _measure(metric.name)(case)
    value, random = float(found.values[0]), found.values[1:]
    baseline = _random_baseline(value, random, metric.direction) if len(random) else None
    note = found.note or ("" if np.isfinite(value) else NO_NUMBERS)
    if baseline and not has_signal(explanation.attribution):
        baseline, note = replace(baseline, win_rate=CHANCE), CONSTANT
    took = time.perf_counter() - start
    return Score(metric, value, quantity, planned.settings, seed, found.cost, took, baseline, note)


def _measure(name: str) -> Callable[[Case], Measurement]:
    """The function that measures a metric; those that need TensorFlow come with it."""
    from xai_tf.metrics import complexity, fidelity, randomization

    place = {"fidelity": fidelity, "rerun": randomization}.get(METRICS[name].family, complexity)
    return getattr(place, name)


def _unfit(explanation: Explanation, metric: Metric) -> str:
    """Why a map cannot be judged by a metric, or nothing."""
    if not np.isfinite(explanation.attribution).all():
        return diagnose(explanation.attribution)[0].text
    if not explanation.attribution.any():
        return (
            "The map is zero everywhere, so there is nothing to judge. Explain another class, or "
            "take another layer or method."
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
    return f"probability of {names[0]} where there are only {names[0]} and {names[1]}"


def _random_baseline(value: float, random: np.ndarray, direction: str) -> RandomBaseline:
    sign = 1 if direction == "higher" else -1
    ahead = sign * (value - random)
    near = np.abs(ahead) <= 1e-9  # the same but for rounding
    win_rate = float(((ahead > 0) & ~near).mean() + near.mean() / 2)
    low, high = np.percentile(random, [5, 95])
    return RandomBaseline(float(random.mean()), float(low), float(high), len(random), win_rate)
