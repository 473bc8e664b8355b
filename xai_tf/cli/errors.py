"""Study what a model gets wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.progress import Progress as ProgressBar
from rich.table import Table

from xai_tf.attribution.methods import METHODS
from xai_tf.cli.console import answer, complain, note, progress_bar
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
)
from xai_tf.errors import InputError, OutputError, pick
from xai_tf.progress import Progress

if TYPE_CHECKING:
    from xai_tf.evaluation.mistakes import Mistake
    from xai_tf.evaluation.results import EvaluationResults

PAGE, DATA = "errors.html", "errors.json"


@app.command("errors")
def study_errors(
    folder: Annotated[
        Path, typer.Argument(help="Labelled files: a folder a class, or a CSV file.")
    ],
    model: Model,
    method: Annotated[str, typer.Option("--method", help="See `methods`.")] = "grad_cam",
    top: Annotated[int, typer.Option(min=1, max=500, help="Mistakes to look at.")] = 12,
    train: Annotated[
        Path | None,
        typer.Option(help="What it was trained on, to find similar samples in: as FOLDER."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of FOLDER: train, validation or test; test if FOLDER says which."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page and the JSON.")] = Path("errors"),
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model gets wrong in FOLDER, the most confident mistakes first, and why.

    Writes one HTML page for a browser without a network, and the same as JSON: the confusion
    matrix, and of each mistake the maps of what it is called and of what it is, on one scale, why
    the one rather than the other, and with --train the training samples that are most similar to
    the network.
    """
    from xai_tf.evaluation.mistakes import study_mistakes
    from xai_tf.evaluation.nearest import build_feature_index
    from xai_tf.evaluation.predictions import find_labelled, predict_labelled, training_files
    from xai_tf.evaluation.results import EvaluationResults
    from xai_tf.reports.html import check_page, write_page
    from xai_tf.reports.mistakes import describe_study, mistakes_page

    pick(METHODS, method, "method")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is no folder. Give another --out.")
    check_page(out / PAGE)
    if (out / DATA).exists() and not (out / PAGE).exists():
        raise OutputError(f"{out / DATA} is there and is not ours. Give another --out.")
    classifier = load_classifier(model, task, classes, preprocessing)
    if METHODS[method].needs_layer:
        classifier.feature_layer(None)
    asked = (classifier.name, classifier.classes, classifier.task)
    found = find_labelled(folder, *asked, split or "")
    if split is None and any(entry.split == "test" for entry in found.entries):
        found = find_labelled(folder, *asked, "test")
        note(f"Of {folder}, the test files; for others give --split.")
    known = training_files(find_labelled(train, *asked)) if train else None
    with progress_bar() as bar:
        results = EvaluationResults(predict_labelled(classifier, found, _line(bar, "predicting")))
        index = (
            build_feature_index(classifier, known, _line(bar, "training samples"))
            if known
            else None
        )
        mistakes, lost = study_mistakes(
            classifier, results, method, top, index, _line(bar, "explaining")
        )
    skipped = results.predictions.skipped
    given = {entry.path for entry in found.entries}
    unread = [(path, why) for path, why in skipped if path in given] + lost
    for path, why in unread:
        complain(InputError(f"{path.parent}: {why}"))
    beside = [one for one in known.left_out if one not in skipped] if known else []
    left_out = [*lost, *beside, *(index.left_out if index else ())]
    for path, why in (*skipped, *beside):
        if path not in given:
            note(f"{path}: {why}", style="yellow")
    for _, why in index.left_out if index else ():
        note(f"Training sample left out: {why}", style="yellow")
    for mistake in mistakes:
        for text in mistake.warnings:
            note(f"{mistake.name}: {text}", style="yellow")
    study = describe_study(classifier, results, mistakes, left_out)
    write_page(out / PAGE, mistakes_page(classifier, results, mistakes, left_out))
    write_page(out / DATA, json.dumps(study, indent=1, allow_nan=False))
    tell_doubt(classifier)
    note(f"Look at {out / PAGE}")
    answer(as_json, study, Group(_confusion(results), _mistakes(mistakes, results)))
    raise typer.Exit(2 if unread else 0)


def _line(bar: ProgressBar, title: str) -> Progress:
    """A line of its own under a bar."""
    line = bar.add_task(title, total=1)

    def progress(done: int, total: int, what: str = "") -> None:
        bar.update(line, completed=done, total=total)

    return progress


def _confusion(results: EvaluationResults) -> Table:
    from xai_tf.evaluation.mistakes import THRESHOLD

    classes = results.predictions.classes
    table = Table(
        "truth",
        *(f"called {escape(name)}" for name in classes),
        title="Confusion matrix",
        caption="\n".join(f"{measure.name} {measure}" for measure in results.measures()),
    )
    for name, row in zip(classes, results.counts(THRESHOLD), strict=True):
        table.add_row(escape(name), *map(str, row))
    return table


def _mistakes(mistakes: Sequence[Mistake], results: EvaluationResults) -> Table:
    classes = results.predictions.classes
    table = Table(
        "file",
        "truth",
        "called",
        "probability",
        "against the truth",
        "most similar",
        title="The most confident mistakes" if mistakes else "No mistakes",
    )
    for mistake in mistakes:
        nearest = mistake.similar[0].sample if mistake.similar else None
        table.add_row(
            escape(mistake.name),
            escape(classes[mistake.truth]),
            escape(classes[mistake.predicted]),
            f"{mistake.probabilities[mistake.predicted]:.1%}",
            f"{mistake.wrong_class_margin:.2f}",
            escape(f"{classes[nearest.label]}: {nearest.path.name}") if nearest else "",
        )
    return table
