"""Compare several methods on one input: their scores side by side, and how well they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.agreement.agreement import Agreement, agreement
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation, Progress
from xai_tf.attribution.methods import METHODS, Settings
from xai_tf.attribution.question import Question, check_access, in_order_of_draws
from xai_tf.classifiers.classifier import Classifier, Input
from xai_tf.errors import pick
from xai_tf.metrics.metric import Metric, select_metrics
from xai_tf.metrics.score import Score, partial_progress, plan, score


@dataclass(frozen=True, eq=False)
class Comparison:
    """Explanations of one input by several methods, with their scores.

    Attributes:
        explanations: one per method, in the order requested.
        metrics: the metrics they were evaluated with.
        scores: one row per method, one entry per metric; None where the metric does not apply to
            the method.
        agreement: pairwise agreement of the maps.
    """

    explanations: tuple[Explanation, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[tuple[Score | None, ...], ...]
    agreement: Agreement

    @property
    def ranks(self) -> np.ndarray:
        """Ranks of the methods by metric, see `ranks`."""
        return ranks(self.scores, self.metrics)


def ranks(scores: Sequence[Sequence[Score | None]], metrics: Sequence[Metric]) -> np.ndarray:
    """Rank methods by each metric.

    Args:
        scores: one row per method, one entry per metric; None where there is none.
        metrics: the metrics of the entries.

    Returns:
        Int array of shape (methods, metrics): 1 for the best, ties share a rank, and 0 where there
        is no value or the map has no signal.
    """
    values = np.array(
        [[s.value if s and not s.note else np.nan for s in row] for row in scores], float
    )
    signs = np.array([1 if metric.direction == "higher" else -1 for metric in metrics])
    goodness = values * signs
    ahead = (goodness[None] > goodness[:, None]).sum(axis=1)
    return np.where(np.isnan(values), 0, 1 + ahead)


def compare(
    classifier: Classifier,
    sample: Input,
    methods: Sequence[str],
    metrics: Sequence[str] | None = None,
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    settings: Mapping[str, Settings] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Explain one input by several methods, and score each explanation.

    Args:
        classifier: the classifier to explain.
        sample: read with `classifier.read`, or what that takes: a path or an array.
        methods: names in `METHODS`.
        metrics: as for `score`; each is computed for the methods it applies to.
        target: the class to explain, as for `explain`.
        contrast: the class to contrast it with, as for `explain`.
        settings: those that differ from the defaults, by the name of the method or metric.
        seed: random seed.
        progress: called with (passes done, passes in total); may raise to stop the work.

    Raises:
        XaiTfError: as `explain` and `score`.
    """
    given, sample = settings or {}, classifier.read(sample)
    entries = [pick(METHODS, name, "method") for name in dict.fromkeys(methods)]
    for entry in entries:
        check_access(entry, classifier)
    complete = [(m, m.settings(given.get(m.name, {}), classifier.baseline)) for m in entries]
    metric_settings = {name: values for name, values in given.items() if name not in methods}
    plans = plan(classifier, complete, metrics, metric_settings)
    costs = [method.cost(own, classifier.image_size).evaluations for method, own in complete]
    scoring = {name: sum(p.cost.evaluations for p in row) for name, row in plans.items()}
    total, done = sum(costs) + sum(scoring.values()), 0
    questions = [
        Question(method.name, target=target, contrast=contrast, seed=seed, settings=own)
        for method, own in complete
    ]
    found: dict[int, Explanation] = {}
    rows: dict[int, dict[str, Score]] = {}
    for place in in_order_of_draws(questions):
        method, _ = complete[place]
        found[place] = explain(
            classifier,
            sample,
            questions[place],
            progress=partial_progress(progress, done, total),
            earlier=list(found.values()),
        )
        done += costs[place]
        planned_settings = {planned.metric.name: planned.settings for planned in plans[method.name]}
        scores = score(
            classifier,
            found[place],
            list(planned_settings),
            settings=planned_settings,
            seed=seed,
            progress=partial_progress(progress, done, total),
        )
        done += scoring[method.name]
        rows[place] = {one.metric.name: one for one in scores}
    explanations = [found[place] for place in sorted(found)]
    chosen = tuple(select_metrics(metrics, entries))
    table = tuple(
        tuple(rows[place].get(metric.name) for metric in chosen) for place in sorted(rows)
    )
    return Comparison(tuple(explanations), chosen, table, agreement(explanations))
