"""`xai-tf errors`: study what a model gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.cli import completion
from xai_tf.cli.answers import Answer, Failure, prints_answer
from xai_tf.cli.app import DATA, EVALUATE, OUTPUT, QUESTION, app
from xai_tf.cli.console import complain, note, progress_of, warn
from xai_tf.cli.data_options import GroupRule
from xai_tf.cli.marks import MarkFile
from xai_tf.cli.options import (
    Method,
    ModelFlags,
    Overwrite,
    tell_doubt,
)
from xai_tf.cli.records import takes_records
from xai_tf.errors import InputError

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier
    from xai_tf.evaluation.by_group import GroupResults
    from xai_tf.evaluation.labels import LabelResults
    from xai_tf.evaluation.mistakes import ClassMistake, LabelMistake, Mistake
    from xai_tf.evaluation.results import EvaluationResults
    from xai_tf.evaluation.robustness import CorruptionResults
    from xai_tf.reports.errors import ErrorReport

LabeledSource = Annotated[
    Path, typer.Argument(help="Labeled files: one folder per class, or a CSV file.")
]
Top = Annotated[
    int,
    typer.Option(
        min=0,
        max=500,
        help="Number of mistakes to explain, at most; 0 explains none and is quick.",
        rich_help_panel=QUESTION,
    ),
]
TrainingData = Annotated[
    Path | None,
    typer.Option(
        help="Training data of the model, in the same form as FOLDER: similar samples are shown "
        "beside each mistake.",
        rich_help_panel=DATA,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="Split of FOLDER to use: train, validation or test.",
        rich_help_panel=DATA,
        autocompletion=completion.splits,
        show_default="test, if there is one",
    ),
]
ReportFolder = Annotated[
    Path, typer.Option(help="Folder for the HTML page and the JSON file.", rich_help_panel=OUTPUT)
]


@dataclass(frozen=True)
class EstimateFlags:
    """What else is measured, as options of a command; see `records.takes_records`."""

    groups: GroupRule = None
    corrupt: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Also measure how far the answers hold under corruptions: crop, darker, brighter, "
            "blur, noise, jpeg; of sounds telephone, hiss; separated by commas, or 'all'.",
            rich_help_panel=QUESTION,
        ),
    ] = None
    turned: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Share of answers that may turn before a level of a corruption counts as too "
            "much.",
            rich_help_panel=QUESTION,
        ),
    ] = 0.05

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of `ErrorSettings`."""
        names = (name.strip() for name in (self.corrupt or "").split(","))
        return {
            "groups": self.groups,
            "corrupt": tuple(filter(None, names)),
            "most_turned": self.turned,
        }


@app.command("errors", rich_help_panel=EVALUATE)
@prints_answer
@takes_records
def study_errors(
    folder: LabeledSource,
    model: ModelFlags,
    estimates: EstimateFlags,
    method: Method = DEFAULT_METHOD,
    top: Top = 12,
    train: TrainingData = None,
    split: Split = None,
    marks: MarkFile = None,
    out: ReportFolder = Path("errors"),
    overwrite: Overwrite = False,
) -> Answer:
    """Explain what a model gets wrong in FOLDER, the most confident mistakes first.

    Writes one self-contained HTML page and the same as JSON: the confusion matrix and, for each
    mistake, the maps of the predicted and of the true class on one scale, and why the one was
    predicted. For a model of several labels: how well each is found, and its map for each mistake.
    With --train also the most similar training samples, with --marks what people marked, with
    --groups the results on each patient or hospital, with --corrupt how far the answers hold.
    """
    from xai_tf.reports.errors import ErrorSettings, report_errors

    settings = ErrorSettings(
        source=folder,
        method=method,
        top=top,
        train=train,
        split=split,
        out=out,
        overwrite=overwrite,
        marks=marks,
        **estimates.settings,
    )
    settings.check()
    classifier = model.load()
    with progress_of("reading") as progress:
        report = report_errors(classifier, settings, progress, note)
    _tell(report, classifier)
    return _answer(report)


def _answer(report: ErrorReport) -> Answer:
    return Answer(
        result={**report.described, "page": report.page},
        table=_tables(report),
        rows=_rows(report.results),
        failures=[Failure(path, why) for path, why in report.unreadable],
    )


def _tell(report: ErrorReport, classifier: Classifier) -> None:
    for path, why in report.unreadable:
        complain(InputError(f"{path.parent}: {why}"))
    for text in report.warnings:
        warn(text)
    tell_doubt(classifier)
    note(f"Open {report.page}")


def _rows(results: EvaluationResults | LabelResults) -> list[dict[str, Any]]:
    """A row for each file, the worst mistakes first."""
    from xai_tf.evaluation.labels import LabelResults
    from xai_tf.evaluation.mistakes import THRESHOLD
    from xai_tf.evaluation.results import ALL

    if isinstance(results, LabelResults):
        return results.rows()
    found, predicted = results.predictions, results.predicted(THRESHOLD)
    margins = results.wrong_class_margin(THRESHOLD)
    return [
        {
            "file": found.files[number],
            "truth": found.classes[found.labels[number]],
            "predicted": found.classes[predicted[number]],
            "correct": bool(found.labels[number] == predicted[number]),
            "wrong_class_margin": float(margins[number]),
            "unwarned": bool(results.unwarned[number]),
            **{
                f"probability {name}": value
                for name, value in zip(found.classes, found.probabilities[number], strict=True)
            },
        }
        for number in results.ranked(THRESHOLD, ALL, None)
    ]


def _tables(report: ErrorReport) -> Group:
    from xai_tf.evaluation.labels import LabelResults

    results, mistakes = report.results, report.mistakes
    if isinstance(results, LabelResults):
        shown = [_labels(results), _label_mistakes(cast("Any", mistakes), results)]
    else:
        shown = [_confusion(results), _mistakes(cast("Any", mistakes), results)]
    if report.groups:
        shown.insert(1, _groups(report.groups))
    if report.corruptions:
        shown.insert(-1, _corruptions(report.corruptions))
    return Group(*shown)


def _labels(results: LabelResults) -> Table:
    from xai_tf.evaluation.labels import LABEL_COLUMNS

    measures = "\n".join(f"{one.name} {one}" for one in results.measures())
    table = Table(*LABEL_COLUMNS, title="Labels", caption=measures)
    for result in results.labels:
        table.add_row(*map(escape, result.cells))
    return table


def _label_mistakes(mistakes: Sequence[LabelMistake], results: LabelResults) -> Table:
    from xai_tf.reports.label_mistakes import kind_of_mistake

    title = _title_of(mistakes, results)
    columns = ("file", "label", "mistake", "probability", "threshold", "most similar")
    table = Table(*columns, title=title)
    for mistake in mistakes:
        table.add_row(
            escape(mistake.name),
            escape(results.predictions.classes[mistake.label]),
            kind_of_mistake(mistake),
            f"{mistake.probability:.1%}",
            f"{mistake.threshold:.1%}",
            _most_similar(mistake, results.predictions.classes),
        )
    return table


def _groups(groups: GroupResults) -> Table:
    from xai_tf.evaluation.by_group import GROUP_COLUMNS

    caption = f"mean accuracy of {len(groups.groups)} groups {groups.mean}"
    table = Table(*GROUP_COLUMNS, title="Groups, the worst first", caption=caption)
    for group in groups.groups:
        table.add_row(*map(escape, group.cells))
    return table


def _corruptions(results: CorruptionResults) -> Table:
    from xai_tf.evaluation.robustness import LEVEL_COLUMNS

    table = Table(*LEVEL_COLUMNS, title="Corruptions", caption=results.summary)
    for one in results.corruptions:
        for row in one.rows:
            table.add_row(*map(escape, row))
        table.add_section()
    return table


def _confusion(results: EvaluationResults) -> Table:
    from xai_tf.evaluation.mistakes import THRESHOLD

    classes = results.predictions.classes
    table = Table(
        "truth",
        *(f"predicted {escape(name)}" for name in classes),
        title="Confusion matrix",
        caption="\n".join(f"{measure.name} {measure}" for measure in results.measures()),
    )
    for name, row in zip(classes, results.counts(THRESHOLD), strict=True):
        table.add_row(escape(name), *map(str, row))
    return table


def _mistakes(mistakes: Sequence[ClassMistake], results: EvaluationResults) -> Table:
    classes = results.predictions.classes
    table = Table(
        "file",
        "truth",
        "predicted",
        "probability",
        "margin over the truth",
        "most similar",
        title=_title_of(mistakes, results),
    )
    for mistake in mistakes:
        table.add_row(
            escape(mistake.name),
            escape(classes[mistake.truth]),
            escape(classes[mistake.predicted]),
            f"{mistake.probabilities[mistake.predicted]:.1%}",
            f"{mistake.wrong_class_margin:.2f}",
            _most_similar(mistake, classes),
        )
    return table


def _title_of(mistakes: Sequence[Mistake], results: EvaluationResults | LabelResults) -> str:
    """The title of the table of mistakes, which is empty where none was to be explained."""
    if mistakes:
        return "The most confident mistakes"
    return "No mistakes" if results.correct.all() else "No mistake was explained"


def _most_similar(mistake: Mistake, classes: Sequence[str]) -> str:
    """The most similar training sample with its class or labels, where one was looked for."""
    if not mistake.similar:
        return ""
    sample = mistake.similar[0].sample
    names = ", ".join(classes[label] for label in sample.labels) or "no label"
    return escape(f"{names}: {sample.path.name}")
