"""`xai-tf compare`: compare methods on one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.agreement.agreement import NO_CONSENSUS, Agreement
from xai_tf.agreement.disagreement import DisagreementMap
from xai_tf.bundles.sources import check_kind
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import Reading
from xai_tf.cli.answers import Answer, prints_answer
from xai_tf.cli.app import EVALUATE, OUTPUT, app
from xai_tf.cli.console import note, progress_of, warn
from xai_tf.cli.explain import default_methods
from xai_tf.cli.options import (
    Contrast,
    Methods,
    Metrics,
    ModelFlags,
    Overwrite,
    Seed,
    Settings,
    Target,
    check_classes,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.records import takes_records
from xai_tf.cli.scores import parse_methods_and_metrics, tell_costs
from xai_tf.metrics.compare import Comparison
from xai_tf.metrics.score import Score

if TYPE_CHECKING:
    from xai_tf.bundles.comparison import ComparedFile

DEFAULT_METRICS = "deletion,insertion,mu_fidelity,average_drop,sparseness"

File = Annotated[
    Path, typer.Argument(help="File to explain; of a long recording, its decisive window.")
]
MapFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the maps, their scores and their agreement.", rich_help_panel=OUTPUT
    ),
]


@app.command("compare", rich_help_panel=EVALUATE)
@prints_answer
@takes_records
def compare_methods(
    file: File,
    model: ModelFlags,
    method: Methods = None,
    score: Metrics = DEFAULT_METRICS,
    target: Target = None,
    contrast: Contrast = None,
    settings: Settings = None,
    seed: Seed = 0,
    out: MapFolder = None,
    overwrite: Overwrite = False,
) -> Answer:
    """Explain FILE by several methods, score each, and show how far they agree.

    With --out, the result is stored as `explain` stores it, for viewing and for `report`.
    """
    from xai_tf.bundles import comparison

    methods, metrics, own = parse_methods_and_metrics(method or default_methods(), score, settings)
    classifier = model.load()
    request = comparison.ComparisonSettings(
        methods=tuple(methods if method else default_methods(classifier.access)),
        metrics=tuple(metric.name for metric in metrics),
        target=target,
        contrast=contrast,
        settings=own,
        seed=seed,
    )
    check_classes(classifier, target, contrast)
    check_kind(file, classifier)
    folder = comparison.comparison_folder(out, file, overwrite) if out else None
    tell_costs(classifier, request.methods, metrics, own)
    with progress_of(f"{file.name}: {len(request.methods)} methods") as progress:
        compared = comparison.compare_file(classifier, file, request, progress)
    found = comparison.describe_comparison(classifier, compared)
    found |= {"folder": folder, "input": found["input"] | {"file": str(file)}}
    if folder:
        note(f"Open {comparison.save_comparison(folder, classifier, compared)}")
    _tell_warnings(classifier, compared)
    return Answer(result=found, table=_tables(compared), rows=_rows(file, found))


def _rows(file: Path, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each score."""
    return [
        {
            "file": file,
            "method": method["method"],
            "target": method["target"],
            "metric": score["metric"],
            "value": score["value"],
            "better": score["better"],
            "rank": method["ranks"].get(score["metric"]),
            "better_than_random": score["random"] and score["random"]["win_rate"],
        }
        for method in found["methods"]
        for score in method["scores"]
    ]


def _tell_warnings(classifier: Classifier, compared: ComparedFile) -> None:
    tell_doubt(classifier)
    tell_warnings(compared.reading, explained=True)
    found = compared.comparison
    for explanation, row in zip(found.explanations, found.scores, strict=True):
        notes = [*explanation.warnings, *(score.note for score in row if score and score.note)]
        for text in dict.fromkeys(notes):
            warn(f"{explanation.method.title}: {text}")


def _tables(compared: ComparedFile) -> Group:
    tables = [_scores(compared.comparison, compared.reading)]
    tables.append(_agreement(compared.comparison.agreement))
    if compared.disagreements.disagreements:
        tables.append(_disagreements(compared.disagreements))
    return Group(*tables)


def _scores(found: Comparison, reading: Reading) -> Table:
    """Methods by metrics; the best of each column marked, and how many random maps it beats."""
    explained = found.explanations[0].target_name
    title = escape(f"{reading.source.name}: evidence for {explained}")
    table = Table("method", title=title)
    for metric in found.metrics:
        table.add_column(f"{metric.title}\n({metric.direction} is better)")
    ranks = found.ranks
    for explanation, row, places in zip(found.explanations, found.scores, ranks, strict=True):
        cells = [_cell(score, place) for score, place in zip(row, places, strict=True)]
        table.add_row(explanation.method.title, *cells)
    table.caption = "* best of its column; percentages: share of random maps that score worse"
    return table


def _cell(score: Score | None, place: int) -> str:
    if score is None:
        return "-"
    if np.isnan(score.value):
        return "no value"
    random = score.random if score.metric.has_baseline else None
    beats = f"\nbeats {random.win_rate:.0%}" if random else ""
    return f"{score.value:.3f}{' *' if place == 1 else ''}{beats}"


def _agreement(found: Agreement) -> Table:
    """Methods by methods: rank correlation, overlap of the strongest tenth, and same signs."""
    title = "Agreement: rank correlation / overlap of the top tenth / same sign there"
    table = Table("", *found.names, title=title)
    rows = zip(found.names, found.correlations, found.overlaps, found.signs, strict=True)
    for name, *measures in rows:
        table.add_row(
            name, *(" / ".join(map(_number, pair)) for pair in zip(*measures, strict=True))
        )
    if found.left_out:
        table.caption = f"without a signal: {', '.join(found.left_out)}"
    elif not found.beyond_chance and len(found.names) > 1:
        table.caption = NO_CONSENSUS
    return table


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _disagreements(found: DisagreementMap) -> Table:
    """Where the methods disagree most, and what each says."""
    table = Table("where", "what they say", title="The strongest disagreements")
    for disagreement in found.disagreements:
        table.add_row(disagreement.place, disagreement.text)
    return table
