"""`xai-tf predict`: predict files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from xai_tf.bundles.sources import find_inputs
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.app import EXPLAIN, app
from xai_tf.cli.console import answer, reported, with_progress
from xai_tf.cli.options import (
    AsJson,
    Files,
    ModelFlags,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.records import takes_records

FEW_CLASSES = 10  # up to which the table shows the first class alone
TOP = 5


@app.command("predict", rich_help_panel=EXPLAIN)
@takes_records
def predict_files(
    files: Files,
    model: ModelFlags,
    as_json: AsJson = False,
) -> None:
    """Predict the class of each of FILES."""
    from xai_tf.bundles.write import describe_reading

    classifier = model.load()
    rows: list[dict[str, Any]] = []
    many = len(classifier.classes) > FEW_CLASSES
    next_best = ["next"] if many else []
    table, failed = Table("file", "class", "probability", *next_best, "margin", "windows"), 0
    paths = find_inputs(files, classifier)
    for file in with_progress(paths, "predicting"):
        with reported(len(paths)) as outcome:
            reading = read_and_predict(classifier, file)
            rows.append(describe_reading(reading))
            table.add_row(*table_row(rows[-1], many))
            tell_warnings(reading)
        failed += outcome.failed
    if rows:
        tell_doubt(classifier)
    answer(as_json, rows, table)
    raise typer.Exit(2 if failed else 0)


def table_row(reading: Mapping[str, Any], with_next: bool = False) -> list[str]:
    """A row of a table, from `describe_reading`; with the four classes that come next, if asked."""
    prediction = reading["prediction"]
    ranked = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])
    following = escape(", ".join(f"{name} {value:.1%}" for name, value in ranked[1:TOP]))
    return [
        escape(reading["file"]),
        escape(prediction["class"]),
        f"{ranked[0][1]:.1%}",
        *([following] if with_next else []),
        f"{prediction['margin']:.2f}",
        str(len(reading.get("windows", [1]))),
    ]
