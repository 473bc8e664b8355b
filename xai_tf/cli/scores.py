"""Scores on the command line: metrics by name, costs before the work, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.methods import METHODS, Cost, Method, Settings, Value
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
) -> tuple[list[str], list[Metric], dict[str, dict[str, Value]]]:
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
        least, most = method.costs(own, classifier.image_size)
        nothing = Cost()
        rows = [(method.title, nothing if method.name in limits else least, most)]
        for planned in plans[method.name]:
            again = planned.metric.family == "rerun" and rows[0][1] != most
            rows.append(
                (
                    f"{method.title}, {planned.metric.name}",
                    nothing if again else planned.cost,
                    planned.cost,
                )
            )
        for title, low, high in rows:
            took = [seconds(cost, pass_seconds) for cost in (low, high)]
            total.add(amount.maps(method), low, high, took[1])
            if high.evaluations:
                passes = _passes(low.evaluations, high.evaluations)
                note(f"{title}: {passes} per map, about {_range(*took)} s")
    if sum(map(amount.maps, entries)) > 1 or not amount.windows:
        passes = _passes(0 if total.at_most or amount.windows > 1 else total.passes, total.passes)
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
    at_most: bool = False

    def add(self, maps: int, least: Cost, most: Cost, took: float) -> None:
        self.passes += maps * most.evaluations
        self.seconds += maps * took
        self.at_most = self.at_most or least != most


def _passes(least: int, most: int) -> str:
    """Passes in words: "1 pass", "64 to 512 passes", or "up to 512 passes" where least is 0."""
    number = f"{most}" if least == most else f"{least} to {most}" if least else f"up to {most}"
    return f"{number} pass{'es' * (most > 1)}"


def _range(least: float, most: float) -> str:
    """Seconds in words; only the most where the least is the same or unknown (0)."""
    return f"{least:.1f} to {most:.1f}" if 0 < least < most else f"{most:.1f}"


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
