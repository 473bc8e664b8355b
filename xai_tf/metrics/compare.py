"""Several methods on one input: their scores side by side, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_tf.agreement.agreement import Agreement, agreement
from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation, Progress
from xai_tf.attribution.methods import METHODS, Settings
from xai_tf.classifiers.classifier import Classifier
from xai_tf.errors import pick
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.metric import Metric, select_metrics
from xai_tf.metrics.score import Score, partial_progress, plan, score


@dataclass(frozen=True, eq=False)
class Comparison:
    """What several methods say of one input, and how they stand.

    Attributes:
        explanations: one a method, in the order asked for.
        metrics: what they were judged by.
        scores: a row a method, an entry a metric; None where the metric is not for the method.
        agreement: how far the maps agree, each with each.
    """

    explanations: tuple[Explanation, ...]
    metrics: tuple[Metric, ...]
    scores: tuple[tuple[Score | None, ...], ...]
    agreement: Agreement

    @property
    def ranks(self) -> np.ndarray:
        """Places by metric, as `ranks` gives them."""
        return ranks(self.scores, self.metrics)


def ranks(scores: Sequence[Sequence[Score | None]], metrics: Sequence[Metric]) -> np.ndarray:
    """Who is best by each metric: int array of shape (methods, metrics).

    Args:
        scores: a row a method, an entry a metric; None where there is none.
        metrics: of the entries.

    Returns:
        1 for the best; even ones share a place; 0 where there is no value, or none but chance's.
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
    sample: Sample,
    methods: Sequence[str],
    metrics: Sequence[str] | None = None,
    *,
    target: str | int | None = None,
    contrast: str | int | None = None,
    settings: Mapping[str, Settings] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Explain one input by several methods, and judge each.

    Args:
        classifier: what predicts.
        sample: read with `classifier.read`.
        methods: names in `METHODS`.
        metrics: as for `score`; each is asked about the methods it is for.
        target, contrast: as for `explain`.
        settings: by the name of the method or metric, those that differ from the defaults.
        seed: of the methods and the metrics.
        progress: called with (passes done, passes in all); raise in it to stop the work.

    Raises:
        XaiTfError: as `explain` and `score`.
    """
    given = settings or {}
    entries = [pick(METHODS, name, "method") for name in dict.fromkeys(methods)]
    complete = [(m, m.settings(given.get(m.name, {}), classifier.baseline)) for m in entries]
    of_metrics = {name: values for name, values in given.items() if name not in methods}
    plans = plan(classifier, complete, metrics, of_metrics)
    costs = [method.cost(own, classifier.image_size).evaluations for method, own in complete]
    total = sum(costs) + sum(p.cost.evaluations for row in plans.values() for p in row)
    explanations, rows, before = [], [], 0
    for (method, own), cost in zip(complete, costs, strict=True):
        explanation = explain(
            classifier,
            sample,
            method.name,
            target=target,
            contrast=contrast,
            settings=own,
            seed=seed,
            progress=partial_progress(progress, before, total),
        )
        before += cost
        asked = {planned.metric.name: planned.settings for planned in plans[method.name]}
        scores = score(
            classifier,
            explanation,
            list(asked),
            settings=asked,
            seed=seed,
            progress=partial_progress(progress, before, total),
        )
        before += sum(planned.cost.evaluations for planned in plans[method.name])
        explanations.append(explanation)
        rows.append({found.metric.name: found for found in scores})
    chosen = select_metrics(metrics, entries)
    return Comparison(
        tuple(explanations),
        tuple(chosen),
        tuple(tuple(row.get(metric.name) for metric in chosen) for row in rows),
        agreement(explanations),
    )
