"""Train a model on a folder."""

from __future__ import annotations

import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import weights_keras
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.cli.console import answer, note, progress_bar
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
    further_sets,
)
from xai_tf.cli.options import AsJson, app
from xai_tf.errors import SettingError, pick
from xai_tf.tasks import TASKS


@app.command("train")
def train_model(
    folder: Source,
    name: Annotated[str, typer.Option(help="Of the model.")],
    task: Annotated[str, typer.Option(help="How files are read (see `tasks`).")],
    backbone: Annotated[str, typer.Option(help=f"One of {', '.join(BACKBONES)}.")] = "mobilenet_v2",
    weights: Annotated[
        str, typer.Option(help="'imagenet', 'none', or a file of the backbone without its top.")
    ] = "imagenet",
    unfreeze: Annotated[int, typer.Option(help="Last layers to fine-tune; -1 for all.")] = 30,
    copies: Annotated[
        int, typer.Option(min=0, help="Augmented copies of the training set; 0: new every epoch.")
    ] = 6,
    epochs: Annotated[int, typer.Option(min=0, help="Of fine-tuning.")] = 12,
    head_epochs: Annotated[int, typer.Option(min=1, help="For the head alone.")] = 30,
    rate: Annotated[float, typer.Option(help="Highest learning rate of fine-tuning.")] = 1.5e-4,
    image_size: Annotated[int, typer.Option(min=32, help="Side of the image, in pixels.")] = 224,
    also_test: Annotated[
        list[str] | None, typer.Option(help="A further test set, as NAME=FOLDER.")
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
    data_license: Annotated[
        list[str] | None, typer.Option(help="A data set and its terms, for the card.")
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Of the weights.")] = "other",
    half: Annotated[bool, typer.Option("--half", help="Store the weights as float16.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = weights_keras.FOLDER,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on labelled files; write the model and its card."""
    from xai_tf.datasets.reading import read_splits
    from xai_tf.training.publish import check_folder, publish, training_story
    from xai_tf.training.train import Recipe, train

    entry = pick(TASKS, task, "task")
    pick(BACKBONES, backbone, "backbone")
    if Path(name).name != name or not name:
        raise SettingError(f"--name {name!r} is no file name. Give a plain one.")
    if not 0 < rate < 1:
        raise SettingError(f"--rate {rate} is no learning rate. Take one like 0.0001.")
    check_folder(out, name)
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
    recipe = Recipe(
        backbone=backbone,
        weights=None if weights == "none" else weights,
        unfreeze=unfreeze,
        copies=copies,
        head_epochs=head_epochs,
        epochs=epochs,
        rate=rate,
        seed=seed,
    )
    with progress_bar() as bar:
        line = bar.add_task("reading", total=None)

        def progress(done: int, total: int, what: str = "") -> None:
            bar.update(line, description=what, completed=done, total=total)

        size = (image_size, image_size)
        splits = read_splits(folder, entry, size, seed, progress, options)
        for text in splits.notes:
            note(text, style="yellow")
        further = further_sets(also_test, entry, size, splits.test.classes)
        trained = train(splits, recipe, entry.augment, progress)
        card = publish(
            trained.model,
            splits,
            entry,
            name=name,
            backbone=backbone,
            folder=out,
            story=training_story(trained, splits),
            further=further,
            command=typed_command(),
            datasets=tuple(data_license or ()),
            license_=license_,
            half=half,
        )
    table = Table("set", "measure", "value and 95% interval", "files")
    for measure in card.metrics:
        table.add_row(measure.split, measure.name, str(measure), str(measure.count))
    written = {"model": str(out / f"{name}.keras"), "sha256": card.sha256, "size": card.size}
    answer(as_json, written | {"metrics": [vars(m) for m in card.metrics]}, table)


def typed_command() -> str:
    """The command as it was typed, with files and folders by name, not by place."""
    places = {"--out", "--root"}
    words = [word for before, word in pairwise(sys.argv) if not places & {before, word}]
    return "xai-tf " + shlex.join(map(_without_place, words))


def _without_place(word: str) -> str:
    label, equals, place = word.rpartition("=")
    if "/" not in place or not Path(place).exists():
        return word
    parts = Path(place).parts
    return label + equals + "/".join(parts[-2:] if parts[-1] in ("train", "test") else parts[-1:])
