"""Scores on the command line: metrics by name, costs before the work, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.methods import METHODS, Method, Settings
from xai_tf.attribution.question import sample_limit
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.console import note
from xai_tf.cli.settings import parse_settings, picked_methods
from xai_tf.metrics.metric import Metric, select_metrics
from xai_tf.metrics.score import Planned, plan, seconds, seconds_per_pass
from xai_tf.metrics.tables import SCORE_COLUMNS, score_cells


@dataclass(frozen=True)
class Amount:
    """How much is explained.

    Attributes:
        files: number of files.
        windows: windows of each file, at most; 0 for all, whose number is unknown before reading.
        layers: layers that Grad-CAM and Grad-CAM++ explain.
    """

    files: int = 1
    windows: int = 1
    layers: int = 1

    def maps(self, method: Method) -> int:
        """Number of maps of a method, at most; for one window per file where all are explained."""
        deep = method.needs_layer and method.class_specific
        return self.files * (self.windows or 1) * (self.layers if deep else 1)

    @property
    def text(self) -> str:
        """The amount in words."""
        files = f"{self.files} file{'s' * (self.files > 1)}"
        if self.windows == 1:
            return files
        several = f" of up to {self.windows} windows" if self.windows else ""
        return files + (several or ", times the windows of each")


def asked_metrics(given: str, methods: Sequence[str]) -> list[Metric]:
    """The metrics that `--score` names.

    Args:
        given: names, separated by commas.
        methods: names of the methods that are scored.

    Raises:
        UnknownNameError: there is no such metric.
        SettingError: a metric applies to none of the methods.
    """
    names = [name.strip() for name in given.split(",") if name.strip()]
    return select_metrics(names, [METHODS[name] for name in methods])


def parse_methods_and_metrics(
    methods: Sequence[str], score: str | None, settings: Sequence[str] | None
) -> tuple[list[str], list[Metric], dict[str, dict[str, float]]]:
    """What `--method`, `--score` and `--set` say: methods, metrics, and settings of either by name.

    Raises:
        UnknownNameError: there is no such method, metric or setting.
        SettingError: a metric applies to none of the methods, or a setting is out of its range.
    """
    names = picked_methods(methods)
    metrics = asked_metrics(score, names) if score else []
    return names, metrics, parse_settings(settings or (), names, metrics)


def tell_costs(
    classifier: Classifier,
    methods: Sequence[str],
    metrics: Sequence[Metric],
    settings: Mapping[str, Settings],
    until_stable: float | None = None,
    amount: Amount | None = None,
) -> dict[str, list[Planned]]:
    """Plan the scores of each method, and print what each map and score costs.

    A metric that runs the method again takes as many samples as the map did; for a map that is
    sampled until it is stable, the upper limit is printed.

    Args:
        classifier: the model.
        methods: names in `METHODS`.
        metrics: entries of `METRICS`.
        settings: as for `compare`.
        until_stable: as for `explain`.
        amount: what is explained; one file of one window if left out.
    """
    entries = [METHODS[name] for name in methods]
    limited = [m for m in entries if until_stable is not None and m.stochastic]
    limits = {m.name: {"num_samples": sample_limit(m, until_stable or 0)} for m in limited}
    complete = [
        (m, m.settings({**limits.get(m.name, {}), **settings.get(m.name, {})}, classifier.baseline))
        for m in entries
    ]
    names = [metric.name for metric in metrics]
    of_metrics = {name: values for name, values in settings.items() if name in names}
    plans = plan(classifier, complete, names, of_metrics)
    amount = amount or Amount()
    pass_seconds, total = seconds_per_pass(classifier), _Total()
    for method, own in complete:
        upper = method.name in limits
        rows = [(method.title, method.cost(own, classifier.image_size), upper)]
        for planned in plans[method.name]:
            again = upper and planned.metric.family == "rerun"
            rows.append((f"{method.title}, {planned.metric.name}", planned.cost, again))
        for title, cost, at_most in rows:
            took = seconds(cost, pass_seconds)
            total.add(amount.maps(method), cost.evaluations, took)
            if cost.evaluations:
                note(f"{title}: {_passes(cost.evaluations, at_most)} per map, about {took:.1f} s")
    if sum(map(amount.maps, entries)) > 1 or not amount.windows:
        passes = _passes(total.passes, bool(limits) or amount.windows > 1)
        note(
            f"In total: {passes}, about {total.seconds:.0f} s, for {len(entries)} "
            f"method{'s' * (len(entries) > 1)} on {amount.text}"
        )
    return plans


@dataclass
class _Total:
    """What all maps and scores cost together."""

    passes: int = 0
    seconds: float = 0.0

    def add(self, maps: int, passes: int, took: float) -> None:
        self.passes += maps * passes
        self.seconds += maps * took


def _passes(count: int, at_most: bool) -> str:
    return f"{'up to ' * at_most}{count} pass{'es' * (count > 1)}"


def score_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """The scores in manifests of bundles, one row per score."""
    table = Table("file", "method", *SCORE_COLUMNS[:-1], title="Scores")
    for manifest in manifests.values():
        for entry in manifest["explanations"]:
            for described in entry["scores"]:
                *cells, _meaning = score_cells(described)
                method = METHODS[entry["method"]].title
                table.add_row(escape(manifest["input"]["file"]), method, *cells)
    return table
