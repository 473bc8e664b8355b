"""The commands of `xai-tf`, and the options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xai_tf.classifiers.classifier import ASSUMED, Classifier
from xai_tf.classifiers.loading import load
from xai_tf.classifiers.reading import Reading
from xai_tf.cli.console import NOTES, note

app = typer.Typer(
    help="Explain what Keras image classifiers decide.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Files = Annotated[list[Path], typer.Argument(help="Files, or folders of files.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A name (see `models`) or a file.")]
TaskName = Annotated[str | None, typer.Option("--task", help="How files are read (see `tasks`).")]
Classes = Annotated[
    str | None, typer.Option("--classes", help="Names of the classes, with commas between.")
]
Preprocessing = Annotated[
    str | None,
    typer.Option("--preprocessing", help="What the network wants: unit, raw, tf, torch, caffe."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def load_classifier(
    model: str, task: str | None, classes: str | None, preprocessing: str | None
) -> Classifier:
    """Load what `--model` names, under the options that go with it."""
    names = [name.strip() for name in classes.split(",")] if classes else None
    with NOTES.status("loading the model"):
        return load(model, task=task, classes=names, preprocessing=preprocessing)


def tell_warnings(reading: Reading, explained: bool = False) -> None:
    """Say what a person should know of a file; with `explained`, beside explanations."""
    for text in reading.explanation_warnings if explained else reading.warnings:
        note(f"{reading.source.name}: {text}", style="yellow")


def tell_doubt(classifier: Classifier) -> None:
    """Say so where the preprocessing is a guess."""
    if classifier.preprocessing_reason.startswith(ASSUMED):
        note(
            f"{classifier.name}: RGB in [0, 1] goes in as it is, "
            f"{classifier.preprocessing_reason}. If it was trained otherwise, give "
            "--preprocessing.",
            style="yellow",
        )
