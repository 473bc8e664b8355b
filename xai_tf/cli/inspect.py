"""`xai-tf inspect`: what a model is, and which preprocessing it expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

import weights_keras
from xai_tf.classifiers.cards import card_of
from xai_tf.classifiers.returns import LOGITS
from xai_tf.cli.answers import Answer, prints_answer
from xai_tf.cli.app import DATA, MODELS_AND_DATA, OUTPUT, app
from xai_tf.cli.console import note, progress_of, warn
from xai_tf.cli.options import (
    Classes,
    HeldInputs,
    ModelArgument,
    ModelFlags,
    OutputName,
    Overwrite,
    Preprocessing,
    Resize,
    Returns,
    Size,
    TaskName,
    tell_doubt,
)
from xai_tf.errors import OutputError, SettingError
from xai_tf.files import earlier_result

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier
    from xai_tf.evaluation.preprocessing_trials import PreprocessingTrials

RECORDED = ("task", "classes", "image_size", "scaling", "resize")  # by `--save`, in the card
FEW = 6  # files up to which the table shows the prediction for each

TryPreprocessing = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help="Predict these files with every preprocessing and compare. With one folder per class, "
        "the accuracy settles which is right. Repeat the option for several.",
        rich_help_panel=DATA,
    ),
]
Save = Annotated[
    bool,
    typer.Option(
        "--save",
        help="Write preprocessing, class names, input size, --resize, --output, --input and "
        "--returns to a card beside the model file, so that they are known from then on.",
        rich_help_panel=OUTPUT,
    ),
]


@app.command("inspect", rich_help_panel=MODELS_AND_DATA)
@prints_answer
def inspect_model(
    model: ModelArgument,
    task: TaskName = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    size: Size = None,
    returns: Returns = None,
    resize: Resize = None,
    output: OutputName = None,
    held: HeldInputs = None,
    try_preprocessing: TryPreprocessing = None,
    save: Save = False,
    overwrite: Overwrite = False,
) -> Answer:
    """Show a model's head, preprocessing and layers, and what each method uses of it."""
    names, trials = None, None
    flags = ModelFlags(
        model, task, classes, preprocessing, size, returns, resize, output=output, held=held
    )
    if try_preprocessing:
        unscaled, trials = _try(try_preprocessing, flags)
        if save and not (preprocessing or trials.winner):
            raise SettingError(f"Cannot save a preprocessing. {trials.reason}")
        preprocessing, names = preprocessing or trials.winner or None, unscaled.classes
        if trials.winner and unscaled.outputs_guessed:
            flags = replace(flags, returns=LOGITS)  # the labels it predicts are one for each file
    flags = replace(flags, preprocessing=preprocessing)
    classifier = flags.load(names)
    tell_doubt(classifier)
    if save:
        note(f"Wrote {_save(classifier, flags, overwrite)}")
    return _trials_answer(classifier, trials) if trials else _described(classifier)


def _trials_answer(classifier: Classifier, trials: PreprocessingTrials) -> Answer:
    """The preprocessings that were tried, and which of them is right."""
    (note if trials.winner else warn)(trials.reason)
    rows = [
        {"preprocessing": one.name, "title": one.title}
        | {k: getattr(one.accuracy, k) for k in ("value", "low", "high", "count")}
        for one in trials.trials
    ]
    found = trials.to_dict() | {"warnings": list(classifier.warnings)}
    return Answer(result=found, table=_trials_table(trials), rows=rows)


def _described(classifier: Classifier) -> Answer:
    from xai_tf.bundles.inspection import inspect_classifier

    found = inspect_classifier(classifier)
    parts = {"methods", "resolution_layers", "layers", "warnings"}
    table = Table("property", "value", title=escape(classifier.name))
    for name, value in found.items():
        if name not in parts:
            table.add_row(name, escape(str(value)))
    table.add_row("resolutions (--layer all)", ", ".join(found["resolution_layers"]))
    table.add_row("parameters", f"{classifier.model.count_params():,}")
    for name, use in found["methods"].items():
        table.add_row(f"method {name}", use)
    for layer in found["layers"]:
        mark = " (feature map)" if layer["feature_map"] else ""
        table.add_row(f"layer {layer['name']}", f"{layer['kind']} {layer['shape'][1:]}{mark}")
    rows = [one | {"shape": "x".join(map(str, one["shape"][1:]))} for one in found["layers"]]
    return Answer(result=found, table=table, rows=rows)


def _try(given: list[Path], flags: ModelFlags) -> tuple[Classifier, PreprocessingTrials]:
    """Compare the scalings; the names of folders are the class names where there are no others."""
    from xai_tf.bundles.sources import find_inputs, labels_in_paths
    from xai_tf.classifiers.class_names import class_folders
    from xai_tf.evaluation.preprocessing_trials import try_preprocessing

    unscaled = replace(flags, preprocessing="unit").load()
    if not unscaled.classes_source:
        folders = class_folders(given, len(unscaled.classes))
        if folders:
            note(f"Classes in alphabetical order, as Keras reads folders: {', '.join(folders)}")
            unscaled = replace(flags, preprocessing="unit").load(folders)
    paths = find_inputs(given, unscaled)
    labels = labels_in_paths(given, paths, unscaled.classes)
    with progress_of("predicting") as progress:
        own = flags.preprocessing
        return unscaled, try_preprocessing(unscaled, paths, labels, own=own, progress=progress)


def _trials_table(trials: PreprocessingTrials) -> Table:
    """The accuracy by scaling, or the prediction for each of a few files."""
    files = trials.paths if len(trials.paths) <= FEW else ()
    accuracy = ["accuracy", "95% interval"] if trials.labels else []
    table = Table("preprocessing", *accuracy, *(escape(path.name) for path in files), "title")
    for trial in trials.trials:
        found = trial.accuracy
        cells = [f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}"] if accuracy else []
        told = [f"{escape(p.name)} {p.probabilities.max():.1%}" for p in trial.predictions]
        mark = "bold" if trial.name == trials.winner else None
        table.add_row(trial.name, *cells, *(told if files else []), trial.title, style=mark)
    return table


def _save(classifier: Classifier, flags: ModelFlags, overwrite: bool) -> Path:
    """Write what is known of a model to the card beside its file.

    What a model returns is written where it was given: else its last layer shows it.
    """
    from xai_tf.classifiers.loading import model_path

    path = model_path(flags.model)
    if path.parent == weights_keras.FOLDER:
        raise OutputError(
            f"{classifier.name!r} comes with the package, and its card is complete. Nothing was "
            "written."
        )
    if not classifier.preprocessing_certain:
        raise SettingError(
            "Cannot save a preprocessing that is a guess. Give --preprocessing, or "
            "--try-preprocessing with a folder of labeled files."
        )
    if not classifier.size_certain:
        raise SettingError("Cannot save an input size that is a guess. Give --size.")
    if classifier.card is None and weights_keras.is_card(path.with_suffix(".md")):
        raise OutputError(
            f"Cannot write the card {path.with_suffix('.md')}: the one there describes another "
            "file. Move it."
        )
    if classifier.outputs_guessed:
        raise SettingError(
            "Cannot save outputs whose meaning is a guess. Give --returns logits (one class per "
            "picture) or --returns label_logits (several labels)."
        )
    text = "Written by `xai-tf inspect --save`. Describe here how the model was trained."
    card = card_of(classifier, path.stem, text, flags.returns or "")
    changed = [name for name in RECORDED if getattr(classifier.card, name, None)]
    changed = [name for name in changed if getattr(classifier.card, name) != getattr(card, name)]
    if changed and not overwrite:
        raise earlier_result(
            f"{path.with_suffix('.md')} records other {', '.join(changed)}", "keep the card"
        )
    try:
        return weights_keras.save_card(card, path)
    except weights_keras.ModelFileError as error:
        raise OutputError(str(error)) from error
