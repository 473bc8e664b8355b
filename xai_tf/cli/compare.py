"""Judge explanations: the metrics there are, and methods side by side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.agreement.agreement import Agreement
from xai_tf.agreement.disagreement import DisagreementMap, disagreement_map
from xai_tf.attribution.methods import METHODS
from xai_tf.attribution.question import resolve_classes
from xai_tf.bundles.agreement import describe_agreement, describe_disagreements
from xai_tf.bundles.sources import check_kind
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.cli.console import answer, note, progress_bar
from xai_tf.cli.explain import DEFAULT_METHODS
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.scores import Metrics, asked_metrics, metric_rows, tell_costs
from xai_tf.cli.settings import parse_settings
from xai_tf.errors import pick
from xai_tf.files import check_place
from xai_tf.metrics.compare import Comparison, compare
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.tables import describe_scores

DEFAULT_METRICS = "deletion,insertion,mu_fidelity,average_drop,sparseness"


class Language(StrEnum):
    """Of what metrics mean."""

    en = "en"
    fr = "fr"


@app.command("metrics")
def list_metrics(
    language: Annotated[Language, typer.Option(help="Of what they say.")] = Language.en,
    as_json: AsJson = False,
) -> None:
    """List the metrics that explanations are judged by."""
    table = Table("name", "range", "what it says", "for", "settings")
    for metric in METRICS.values():
        defaults = metric.settings({}, baseline=0)
        table.add_row(
            metric.name,
            metric.better,
            metric.meaning[language],
            metric.only or "all methods",
            ", ".join(f"{k}={v:g}" for k, v in defaults.items()),
        )
    answer(as_json, metric_rows(list(METRICS.values())), table)


@app.command("compare")
def compare_methods(
    file: Annotated[Path, typer.Argument(help="A file; of a long recording, what decides most.")],
    model: Model,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="Once or several times (see `methods`).")
    ] = None,
    score: Metrics = DEFAULT_METRICS,
    target: Annotated[
        str | None, typer.Option(help="Class to explain; the predicted one if left out.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="A second class: why the target and not this one?")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as METHOD or METRIC.NAME=VALUE.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of methods and metrics.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the maps, their scores and how they agree.")
    ] = None,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Explain FILE by several methods, judge each, and say how far they agree.

    With --out it is written as `explain` writes it, for a look and for `report`.
    """
    from xai_tf.bundles.index import check_page, write_page
    from xai_tf.bundles.manifest import MANIFEST, bundle_names
    from xai_tf.bundles.write import describe_classifier, describe_reading, save_bundle

    methods = list(dict.fromkeys(method or DEFAULT_METHODS))
    for name in methods:
        pick(METHODS, name, "method")
    metrics = asked_metrics(score, methods)
    given = parse_settings(settings or [], methods, metrics)
    classifier = load_classifier(model, task, classes, preprocessing)
    for name in filter(None, (target, contrast)):
        classifier.label(name)
    check_kind(file, classifier)
    place = out and out / bundle_names([file])[0]
    if place:
        check_page(out)
        check_place(place, MANIFEST)
    reading = read_and_predict(classifier, file)
    label, other = resolve_classes(classifier, reading.prediction, target, contrast)
    number = reading.most_decisive(classifier.target(label, other), 1)[0]
    tell_costs(classifier, methods, metrics, given)
    with progress_bar() as bar:
        line = bar.add_task(f"{file.name}: {len(methods)} methods", total=1)

        def report(done: int, total: int) -> None:
            bar.update(line, completed=done, total=total)

        found = compare(
            classifier,
            reading.samples[number],
            methods,
            [metric.name for metric in metrics],
            target=label,
            contrast=other,
            settings=given,
            seed=seed,
            progress=report,
        )
    tell_doubt(classifier)
    tell_warnings(reading, explained=True)
    for explanation, row in zip(found.explanations, found.scores, strict=True):
        notes = [*explanation.warnings, *(one.note for one in row if one and one.note)]
        for text in dict.fromkeys(notes):
            note(f"{explanation.method.title}: {text}", style="yellow")
    apart = disagreement_map(found.explanations)
    data = {
        "model": describe_classifier(classifier),
        "input": describe_reading(reading, explained=True),
        "window": number,
        **_described(found, apart),
    }
    if place:
        scores = [[one for one in row if one] for row in found.scores]
        saved = save_bundle(place, classifier, reading, found.explanations, scores=scores)
        page = write_page(out, {place.name: saved}, f"Explanations by {classifier.name}")
        note(f"Look at {page}")
        data["folder"] = str(place)
    tables = [_scores(found, reading), _agreement(found.agreement)]
    answer(as_json, data, Group(*tables, *([_disputes(apart)] if apart.disagreements else [])))


def _scores(found: Comparison, reading: Reading) -> Table:
    """Methods by metrics; the best of each column marked, and how many random maps it beats."""
    explained = found.explanations[0].target_name
    title = escape(f"{reading.source.name}: what speaks for {explained}")
    table = Table("method", title=title)
    for metric in found.metrics:
        table.add_column(f"{metric.title}\n({metric.direction} is better)")
    ranks = found.ranks
    for explanation, row, places in zip(found.explanations, found.scores, ranks, strict=True):
        cells = [_cell(one, place) for one, place in zip(row, places, strict=True)]
        table.add_row(explanation.method.title, *cells)
    table.caption = "* best of its column; 'beats': the share of random maps that are worse"
    return table


def _cell(one: Any, place: int) -> str:
    if one is None:
        return "-"
    if np.isnan(one.value):
        return "no value"
    beats = f"\nbeats {one.random.win_rate:.0%}" if one.random and one.metric.has_baseline else ""
    return f"{one.value:.3f}{' *' if place == 1 else ''}{beats}"


def _agreement(found: Agreement) -> Table:
    """Methods by methods: rank correlation, overlap of the strongest tenth, and same signs."""
    title = "Agreement: rank correlation / overlap of the top tenth / same signs there"
    table = Table("", *found.names, title=title)
    rows = zip(found.names, found.correlations, found.overlaps, found.signs, strict=True)
    for name, *measures in rows:
        table.add_row(
            name, *(" / ".join(map(_number, pair)) for pair in zip(*measures, strict=True))
        )
    if found.left_out:
        table.caption = f"without a signal: {', '.join(found.left_out)}"
    return table


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _disputes(found: DisagreementMap) -> Table:
    """Where the methods conflict most, and who says what."""
    table = Table("where", "what they say", title="The gravest conflicts")
    for dispute in found.disagreements:
        table.add_row(dispute.place, dispute.text)
    return table


def _described(found: Comparison, apart: DisagreementMap) -> dict[str, Any]:
    """A comparison as plain data."""
    from xai_tf.bundles.write import describe_explanation

    scores = describe_scores(
        found.explanations, [[one for one in row if one] for row in found.scores]
    )
    methods = [
        describe_explanation(explanation)
        | {
            "scores": told,
            "ranks": {m.name: int(p) for m, p in zip(found.metrics, places, strict=True) if p},
        }
        for explanation, told, places in zip(found.explanations, scores, found.ranks, strict=True)
    ]
    return {
        "methods": methods,
        "metrics": metric_rows(found.metrics),
        "agreement": describe_agreement(found.agreement),
        "conflicts": describe_disagreements(apart.disagreements),
    }
