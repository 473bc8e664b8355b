"""`xai-tf predict`: predict files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from xai_tf.bundles.sources import find_inputs
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.cli.answers import Answer, Failure, prints_answer, reported
from xai_tf.cli.app import EXPLAIN, app
from xai_tf.cli.console import with_progress
from xai_tf.cli.options import (
    Files,
    ModelFlags,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.records import takes_records

FEW_CLASSES = 10  # up to which the table shows the first class alone
TOP = 5


@app.command("predict", rich_help_panel=EXPLAIN)
@prints_answer
@takes_records
def predict_files(files: Files, model: ModelFlags) -> Answer:
    """Predict the class of each of FILES."""
    from xai_tf.bundles.write import describe_reading

    classifier = model.load()
    found: list[dict[str, Any]] = []
    failures: list[Failure] = []
    many = len(classifier.classes) > FEW_CLASSES and not classifier.head.multi_label
    next_best = ["next"] if many else []
    table = Table("file", "class", "probability", *next_best, "margin", "windows")
    for file in with_progress(find_inputs(files, classifier), "predicting"):
        with reported(file, failures):
            reading = read_and_predict(classifier, file)
            found.append(describe_reading(reading) | {"file": str(file)})
            table.add_row(*table_row(found[-1], many))
            tell_warnings(reading)
    if found:
        tell_doubt(classifier)
    rows = [prediction_row(one) for one in found]
    return Answer(result=found, table=table if found else None, rows=rows, failures=failures)


def table_row(reading: Mapping[str, Any], with_next: bool = False) -> list[str]:
    """A row of a table, from `describe_reading`; with the four classes that come next, if asked."""
    prediction = reading["prediction"]
    ranked = sorted(prediction["probabilities"].items(), key=lambda item: -item[1])
    following = escape(", ".join(f"{name} {value:.1%}" for name, value in ranked[1:TOP]))
    return [
        escape(Path(reading["file"]).name),
        escape(prediction["class"]),
        _probabilities(prediction),
        *([following] if with_next else []),
        f"{prediction['margin']:.2f}",
        str(len(reading.get("windows", [1]))),
    ]


def _probabilities(prediction: Mapping[str, Any]) -> str:
    """The probability of the class, or of each finding."""
    by_class = prediction["probabilities"]
    found = prediction.get("findings")
    return ", ".join(f"{by_class[name]:.1%}" for name in found or []) or (
        f"{max(by_class.values()):.1%}"
    )


def prediction_row(reading: Mapping[str, Any]) -> dict[str, Any]:
    """A row for a spreadsheet, from `describe_reading`."""
    prediction, checked = reading["prediction"], reading["ood_score"]
    return {
        "file": reading["file"],
        "class": prediction["class"],
        "probability": max(prediction["probabilities"].values()),
        "margin": prediction["margin"],
        "windows": len(reading.get("windows", [1])),
        "out_of_distribution": checked and checked["out_of_distribution"],
        **{f"probability {name}": value for name, value in prediction["probabilities"].items()},
    }
