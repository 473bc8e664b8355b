"""`xai-tf predict`: predict files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.app import EXPLAIN, app
from xai_tf.cli.console import answer, reported, with_progress
from xai_tf.cli.files import files_of
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Files,
    Model,
    Preprocessing,
    TaskName,
    load_classifier,
    tell_doubt,
    tell_warnings,
)


@app.command("predict", rich_help_panel=EXPLAIN)
def predict_files(
    files: Files,
    model: Model,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Predict the class of each of FILES."""
    from xai_tf.bundles.write import describe_reading

    classifier = load_classifier(model, task, classes, preprocessing)
    rows: list[dict[str, Any]] = []
    table, failed = Table("file", "class", "probability", "margin", "windows"), 0
    paths = files_of(files, classifier)
    for file in with_progress(paths, "predicting"):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, file)
            rows.append(describe_reading(reading))
            table.add_row(*table_row(rows[-1]))
            tell_warnings(reading)
        failed += outcome.failed
    if rows:
        tell_doubt(classifier)
    answer(as_json, rows, table)
    raise typer.Exit(2 if failed else 0)


def table_row(reading: Mapping[str, Any]) -> list[str]:
    """A row of a table, from `describe_reading`."""
    prediction = reading["prediction"]
    return [
        escape(reading["file"]),
        escape(prediction["class"]),
        f"{max(prediction['probabilities'].values()):.1%}",
        f"{prediction['margin']:.2f}",
        str(len(reading.get("windows", [1]))),
    ]
