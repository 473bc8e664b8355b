"""`xai-tf predict`: predict files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from xai_tf.bundles.predictions import predict_files
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import Reading
from xai_tf.cli.answers import Answer, Failure, prints_answer
from xai_tf.cli.app import EXPLAIN, app
from xai_tf.cli.console import complain, progress_of
from xai_tf.cli.options import (
    Files,
    ModelFlags,
    tell_doubt,
    tell_warnings,
)
from xai_tf.cli.records import takes_records
from xai_tf.errors import InputError

FEW_CLASSES = 10  # up to which the table shows the first class alone
TOP = 5


@app.command("predict", rich_help_panel=EXPLAIN)
@prints_answer
@takes_records
def predict(files: Files, model: ModelFlags) -> Answer:
    """Predict the class of each of FILES."""
    classifier = model.load()
    with progress_of("predicting") as progress:
        table = predict_files(classifier, files, progress=progress, on_result=_tell)
    if len(table):
        tell_doubt(classifier)
    found = list(table.described.values())
    return Answer(
        result=found,
        table=_table(classifier, found) if found else None,
        rows=table.to_rows(),
        failures=[Failure.of(path, error) for path, error in table.failures.items()],
    )


def _tell(path: Path, found: Reading | InputError) -> None:
    if isinstance(found, InputError):
        complain(found)
    else:
        tell_warnings(found)


def _table(classifier: Classifier, found: Sequence[Mapping[str, Any]]) -> Table:
    many = len(classifier.classes) > FEW_CLASSES and not classifier.head.multi_label
    next_best = ["next"] if many else []
    table = Table("file", "class", "probability", *next_best, "margin", "windows")
    for one in found:
        table.add_row(*table_row(one, many))
    return table


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
