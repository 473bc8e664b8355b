"""Make the gate of a model: what tells whether a file is one for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

import weights_keras
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.loading import card_beside, model_path
from xai_tf.cli.console import answer, note, progress_bar, with_progress
from xai_tf.cli.data_options import (
    AllowLeak,
    Finding,
    FrontalOnly,
    Group,
    Layout,
    SkipBad,
    Source,
    Test,
    Uncertain,
    Validation,
    data_options,
)
from xai_tf.cli.options import AsJson, Preprocessing, TaskName, app, load_classifier
from xai_tf.datasets.layouts import readable_files
from xai_tf.errors import InputError, OutputError, SettingError

if TYPE_CHECKING:
    from weights_keras import Measure
    from xai_tf.classifiers.ood_detector import OODDetector


@app.command("gate", hidden=True)  # what the first edition called it
@app.command("fit-ood")
def fit_ood_file(
    model: Annotated[str, typer.Argument(help="A name (see `models`) or a file.")],
    folder: Source,
    other: Annotated[
        list[str] | None,
        typer.Option(help="Files that are not for the model, to be measured on, as NAME=FOLDER."),
    ] = None,
    layout: Layout = "auto",
    finding: Finding = None,
    uncertain: Uncertain = "ignore",
    frontal_only: FrontalOnly = False,
    group: Group = None,
    validation: Validation = 0.15,
    test: Test = 0.15,
    skip_bad: SkipBad = False,
    allow_leak: AllowLeak = None,
    seed: Annotated[int, typer.Option(min=0, help="That of the training; a search has 1.")] = 0,
    task: TaskName = None,
    preprocessing: Preprocessing = None,
    as_json: AsJson = False,
) -> None:
    """Make the file that tells whether an input is one for MODEL, from its own training data.

    Give the options that say how the data is parted as they were given to `train`: what the model
    was trained on, and what chose it, must be what they were. The file lies beside the model;
    training writes it by itself.
    """
    from xai_tf.classifiers.ood import fit_ood_detector, measure_ood_detector
    from xai_tf.datasets.reading import read_splits
    from xai_tf.training.publish import with_ood_detector

    options = data_options(
        layout=layout,
        finding=finding,
        uncertain=uncertain,
        frontal_only=frontal_only,
        group=group,
        validation=validation,
        test=test,
        skip_bad=skip_bad,
        allow_leak=allow_leak,
    )
    others = _folders(other or [])
    classifier = load_classifier(model, task, None, preprocessing)
    if classifier.task is None:
        raise SettingError(f"How files are read for {classifier.name!r} is not known. Give --task.")
    files = {name: _files(place, classifier) for name, place in others.items()}
    with progress_bar() as bar:
        line = bar.add_task("reading", total=None)

        def progress(done: int, total: int, what: str = "") -> None:
            bar.update(line, description=what, completed=done, total=total)

        splits = read_splits(
            folder,
            classifier.task,
            classifier.image_size,
            seed,
            progress,
            options,
        )
        if classifier.card and splits.train.classes != classifier.classes:
            raise InputError(
                f"{folder} has the classes {', '.join(splits.train.classes)}, {classifier.name!r} "
                f"has {', '.join(classifier.classes)}. Give what it was trained on."
            )
        ood_detector = fit_ood_detector(classifier, splits.train, splits.validation, progress)
        measured = [measure_ood_detector(classifier, ood_detector, splits.test, "test")]
    further = [_measured(classifier, ood_detector, name, paths) for name, paths in files.items()]
    measured += [measure for measure in further if measure]
    path = model_path(model)
    card = card_beside(path, classifier.sha256)
    if card:
        known = [m for m in card.metrics if m.name != measured[0].name]
        card = with_ood_detector(replace(card, metrics=(*known, *measured)), ood_detector)
    try:
        weights_keras.save_ood_detector(ood_detector.arrays(), path, card)
    except OSError as error:
        raise OutputError(
            f"{weights_keras.ood_file(path)} cannot be written ({error.strerror or error}). Free "
            "some space, or copy the model to where you may write."
        ) from error
    note(f"Written to {weights_keras.ood_file(path)}")
    table = Table("files", "unfamiliar, with its 95% interval", "of")
    for measure in measured:
        table.add_row(measure.split, str(measure), str(measure.count))
    described = {
        "layer": ood_detector.layer,
        "threshold": ood_detector.threshold,
        "trained": ood_detector.trained,
        "validated": ood_detector.validated,
        "measures": [vars(m) for m in measured],
    }
    answer(as_json, {"ood_detector": str(weights_keras.ood_file(path)), **described}, table)


def _folders(given: list[str]) -> dict[str, Path]:
    """The folders of `--other NAME=FOLDER`."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, place = text.partition("=")
        if not name or not place or name in ("test", *found):
            raise SettingError(f"--other {text!r} names no set of its own. Write NAME=FOLDER.")
        if not Path(place).is_dir():
            raise InputError(f"There is no folder {place}. Give --other {name} a folder of files.")
        found[name] = Path(place)
    return found


def _files(folder: Path, classifier: Classifier) -> list[Path]:
    """The files of a folder of `--other`; found before the work, which is not to end in vain."""
    paths = readable_files(folder, classifier.task.suffixes)
    if not paths:
        raise InputError(f"{folder} holds no file that {classifier.name!r} reads. Give another.")
    return paths


def _measured(
    classifier: Classifier, ood_detector: OODDetector, name: str, paths: list[Path]
) -> Measure | None:
    """The share of files that the gate warns of; None where none of them can be read."""
    from xai_tf.classifiers.ood import ood_share

    distances = []
    for path in with_progress(paths, name):
        try:
            samples = classifier.windows(path)
        except InputError as error:
            note(f"Left out of {name}: {error}", style="yellow")
            continue
        means = classifier.predict_with_means(samples, ood_detector.layer)[1]
        distances.append(np.median(ood_detector.distances(means)))
    if not distances:
        note(f"No file of {name} can be read: it is not measured.", style="yellow")
        return None
    return ood_share(np.array(distances), ood_detector, name)
