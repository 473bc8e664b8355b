"""The options that say how explanations are judged, and what is told of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.classifier import Classifier
from xai_tf.console import note, progress_bar
from xai_tf.explanation import Explanation, sample_limit
from xai_tf.methods import METHODS, Settings
from xai_tf.scoring.metric import Metric, choose
from xai_tf.scoring.scores import Planned, Score, plan, score, seconds, seconds_a_pass
from xai_tf.scoring.told import score_cells

Metrics = Annotated[
    str | None,
    typer.Option("--score", help="Metrics (see `metrics`) with commas between, or 'all'."),
]


def asked_metrics(given: str, methods: Sequence[str]) -> list[Metric]:
    """The metrics that `--score` names.

    Raises:
        UnknownNameError: there is no such metric.
        SettingError: one says nothing of any of the methods.
    """
    names = [name.strip() for name in given.split(",") if name.strip()]
    return choose(names, [METHODS[name] for name in methods])


def tell_costs(
    classifier: Classifier,
    methods: Sequence[str],
    metrics: Sequence[Metric],
    settings: Mapping[str, Settings],
    until_stable: float | None = None,
) -> dict[str, list[Planned]]:
    """Plan the scores of each method, and say what each costs before it is run.

    A run again takes as many samples as the map did: of one until stable, up to its limit.
    """
    names = [metric.name for metric in metrics]
    entries = [METHODS[name] for name in methods]
    limits = {
        m.name: {"num_samples": sample_limit(m, until_stable)}
        for m in entries
        if until_stable is not None and m.stochastic
    }
    complete = [
        (m, m.settings({**limits.get(m.name, {}), **settings.get(m.name, {})}, classifier.baseline))
        for m in entries
    ]
    given = {name: values for name, values in settings.items() if name in names}
    plans = plan(classifier, complete, names, given)
    a_pass = seconds_a_pass(classifier)
    for method in entries:
        for planned in plans[method.name]:
            passes, took = planned.cost.evaluations, seconds(planned.cost, a_pass)
            name = f"{method.title}, {planned.metric.name}"
            if passes:
                most = "up to " * (method.name in limits and planned.metric.family == "rerun")
                note(f"{name}: {most}{passes} passes a map, about {took:.1f} s")
    return plans


def score_with_bar(
    classifier: Classifier, explanation: Explanation, plan: Sequence[Planned], seed: int
) -> list[Score]:
    """Judge an explanation by what was planned, under a bar."""
    settings = {planned.metric.name: planned.settings for planned in plan}
    with progress_bar() as bar:
        name = f"{explanation.sample.source.name}: scores of {explanation.method.title}"
        line = bar.add_task(name, total=1)

        def report(done: int, total: int) -> None:
            bar.update(line, completed=done, total=total)

        return score(
            classifier, explanation, list(settings), settings=settings, seed=seed, progress=report
        )


def score_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """The scores in manifests of bundles, a row each."""
    table = Table(
        "file", "method", "metric", "value", "range", "random maps, 5 to 95 %", "beats",
        title="Scores",
    )  # fmt: skip
    for manifest in manifests.values():
        for entry in manifest["explanations"]:
            for described in entry["scores"]:
                *cells, _meaning = score_cells(described)
                method = METHODS[entry["method"]].title
                table.add_row(escape(manifest["input"]["file"]), method, *cells)
    return table


def metric_rows(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Metrics as plain data."""
    return [
        {
            "name": metric.name, "title": metric.title, "family": metric.family,
            "better": metric.direction, "low": metric.low, "high": metric.high,
            "only": metric.only, "meaning": dict(metric.meaning), "paper": metric.paper,
            "settings": {name: vars(option) for name, option in metric.options.items()},
        }
        for metric in metrics
    ]  # fmt: skip
