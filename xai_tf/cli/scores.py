"""The options that say how explanations are judged, and what is told of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS, Method, Settings
from xai_tf.attribution.question import sample_limit
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.console import note, progress_bar
from xai_tf.metrics.metric import Metric, select_metrics
from xai_tf.metrics.score import Planned, Score, plan, score, seconds, seconds_per_pass
from xai_tf.metrics.tables import SCORE_COLUMNS, score_cells

Metrics = Annotated[
    str | None,
    typer.Option("--score", help="Metrics (see `metrics`) with commas between, or 'all'."),
]


@dataclass(frozen=True)
class Amount:
    """How much is explained.

    Attributes:
        files: how many.
        windows: of each, at most; 0 for all, which nobody knows before they are read.
        layers: that Grad-CAM and its like look at.
    """

    files: int = 1
    windows: int = 1
    layers: int = 1

    def maps(self, method: Method) -> int:
        """How many maps of a method there will be, at most; of one window where all are asked."""
        deep = method.needs_layer and method.class_specific
        return self.files * (self.windows or 1) * (self.layers if deep else 1)

    @property
    def text(self) -> str:
        """The same in words."""
        files = f"{self.files} file{'s' * (self.files > 1)}"
        if self.windows == 1:
            return files
        several = f" of up to {self.windows} windows" if self.windows else ""
        return files + (several or ", times the windows of each")


def asked_metrics(given: str, methods: Sequence[str]) -> list[Metric]:
    """The metrics that `--score` names.

    Raises:
        UnknownNameError: there is no such metric.
        SettingError: one says nothing of any of the methods.
    """
    names = [name.strip() for name in given.split(",") if name.strip()]
    return select_metrics(names, [METHODS[name] for name in methods])


def tell_costs(
    classifier: Classifier,
    methods: Sequence[str],
    metrics: Sequence[Metric],
    settings: Mapping[str, Settings],
    until_stable: float | None = None,
    amount: Amount | None = None,
) -> dict[str, list[Planned]]:
    """Plan the scores of each method, and say what each map and score costs before it is run.

    A run again takes as many samples as the map did: of one until stable, up to its limit.

    Args:
        classifier, methods, metrics, settings: as for `compare`.
        until_stable: as for `explain`.
        amount: what is explained; one file of one window if left out.
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
    amount = amount or Amount()
    a_pass, total = seconds_per_pass(classifier), [0, 0.0]
    for method, own in complete:
        costs = [(method.title, method.cost(own, classifier.image_size), method.name in limits)]
        for planned in plans[method.name]:
            most = method.name in limits and planned.metric.family == "rerun"
            costs.append((f"{method.title}, {planned.metric.name}", planned.cost, most))
        for name, cost, most in costs:
            passes, took = cost.evaluations, seconds(cost, a_pass)
            maps = amount.maps(method)
            total = [total[0] + maps * passes, total[1] + maps * took]
            if passes:
                note(f"{name}: {_passes(passes, most)} a map, about {took:.1f} s")
    if sum(map(amount.maps, entries)) > 1 or not amount.windows:
        passes = _passes(total[0], bool(limits) or amount.windows > 1)
        note(
            f"In all: {passes}, about {total[1]:.0f} s, for {len(entries)} "
            f"method{'s' * (len(entries) > 1)} on {amount.text}"
        )
    return plans


def _passes(count: int, most: bool) -> str:
    return f"{'up to ' * most}{count} pass{'es' * (count > 1)}"


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
    table = Table("file", "method", *SCORE_COLUMNS[:-1], title="Scores")
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
            "name": metric.name,
            "title": metric.title,
            "family": metric.family,
            "better": metric.direction,
            "low": metric.low,
            "high": metric.high,
            "only": metric.only,
            "meaning": dict(metric.meaning),
            "paper": metric.paper,
            "settings": {name: vars(option) for name, option in metric.options.items()},
        }
        for metric in metrics
    ]
