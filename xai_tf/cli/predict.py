"""Predict files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.bundles.sources import find_inputs
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.console import answer, reported, with_progress
from xai_tf.cli.options import (
    AsJson,
    Classes,
    Files,
    Model,
    Preprocessing,
    TaskName,
    app,
    load_classifier,
    tell_doubt,
    tell_warnings,
)


@app.command("predict")
def predict_files(
    files: Files,
    model: Model,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Say what a model makes of each of FILES."""
    from xai_tf.bundles.write import describe_reading

    classifier = load_classifier(model, task, classes, preprocessing)
    found, failed, table = [], 0, Table("file", "class", "probability", "margin", "windows")
    paths = find_inputs(files, classifier)
    for file in with_progress(paths, "predicting"):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, file)
            found.append(describe_reading(reading))
            table.add_row(*table_row(found[-1]))
            tell_warnings(reading)
        failed += outcome.failed
    if found:
        tell_doubt(classifier)
    answer(as_json, found, table)
    raise typer.Exit(2 if failed else 0)


def table_row(read: Mapping[str, Any]) -> list[str]:
    """A row of a table, from `describe_reading`."""
    said = read["prediction"]
    return [
        escape(read["file"]),
        escape(said["class"]),
        f"{max(said['probabilities'].values()):.1%}",
        f"{said['margin']:.2f}",
        str(len(read.get("windows", [1]))),
    ]
