"""`xai-tf train`: train a model on labeled files."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

import weights_keras
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.cli import completion
from xai_tf.cli.answers import Answer, measure_rows, prints_answer
from xai_tf.cli.app import ADVANCED, OUTPUT, TRAIN_AND_TUNE, TRAINING, app
from xai_tf.cli.console import progress_of, warn
from xai_tf.cli.data_options import (
    AlsoTest,
    DataFlags,
    LeftOutGroups,
    Source,
    further_sources,
)
from xai_tf.cli.options import Overwrite, TaskToLearn
from xai_tf.cli.records import takes_records

if TYPE_CHECKING:
    from weights_keras import ModelCard
    from xai_tf.training.train import Recipe


@dataclass(frozen=True)
class RecipeFlags:
    """`Recipe` as options of a command."""

    backbone: Annotated[
        str,
        typer.Option(
            help=f"Pretrained network: {', '.join(BACKBONES)}.",
            rich_help_panel=TRAINING,
            autocompletion=completion.backbones,
        ),
    ] = "mobilenet_v2"
    weights: Annotated[
        str,
        typer.Option(
            help="Initial weights: 'imagenet', 'none' (random), or a weights file of the backbone "
            "without its classification head.",
            rich_help_panel=TRAINING,
        ),
    ] = "imagenet"
    unfreeze: Annotated[
        int,
        typer.Option(
            help="Number of upper backbone layers to fine-tune; -1 fine-tunes all.",
            rich_help_panel=TRAINING,
        ),
    ] = 30
    augmentations: Annotated[
        int,
        typer.Option(
            min=0,
            help="Augmented copies of each training image; 0 draws new ones for every epoch.",
            rich_help_panel=TRAINING,
        ),
    ] = 6
    epochs: Annotated[
        int, typer.Option(min=0, help="Epochs of fine-tuning.", rich_help_panel=TRAINING)
    ] = 12
    head_epochs: Annotated[
        int,
        typer.Option(
            min=1,
            help="Epochs for the new head alone, before fine-tuning.",
            rich_help_panel=TRAINING,
        ),
    ] = 30
    rate: Annotated[
        float, typer.Option(help="Peak learning rate of fine-tuning.", rich_help_panel=TRAINING)
    ] = 1.5e-4
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Random seed for splits, weights, shuffling and augmentation.",
            rich_help_panel=ADVANCED,
        ),
    ] = 0

    def recipe(self) -> Recipe:
        """The record that the library takes."""
        from xai_tf.training.train import Recipe

        return Recipe(
            backbone=self.backbone,
            weights=None if self.weights == "none" else self.weights,
            unfreeze=self.unfreeze,
            copies=self.augmentations,
            epochs=self.epochs,
            head_epochs=self.head_epochs,
            rate=self.rate,
            seed=self.seed,
        )


ModelName = Annotated[
    str, typer.Option(help="Name of the model and of its files.", rich_help_panel=OUTPUT)
]
ImageSize = Annotated[
    int,
    typer.Option(
        min=32, help="Side of the square input images, in pixels.", rich_help_panel=TRAINING
    ),
]
DataLicense = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Data set and its license, for the model card. Repeat the option for several.",
        rich_help_panel=OUTPUT,
    ),
]
License = Annotated[
    str,
    typer.Option(
        "--license", help="License of the weights, for the model card.", rich_help_panel=OUTPUT
    ),
]
Float16 = Annotated[
    bool,
    typer.Option("--float16", help="Store the weights as float16.", rich_help_panel=OUTPUT),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the model and its card. By default your own, where every command finds "
        "the model by its name.",
        rich_help_panel=OUTPUT,
    ),
]


@app.command("train", rich_help_panel=TRAIN_AND_TUNE)
@prints_answer
@takes_records
def train_model(
    folder: Source,
    name: ModelName,
    task: TaskToLearn,
    recipe: RecipeFlags,
    data: DataFlags,
    image_size: ImageSize = 224,
    groups: LeftOutGroups = None,
    also_test: AlsoTest = None,
    data_license: DataLicense = None,
    license_: License = "other",
    float16: Float16 = False,
    out: ModelFolder = None,
    overwrite: Overwrite = False,
) -> Answer:
    """Train a classifier on labeled files by transfer learning.

    Writes the model, its card with test metrics, and its OOD detector.
    """
    from xai_tf.training.run import TrainingSettings, train_on_files

    settings = TrainingSettings(
        source=folder,
        task=task,
        name=name,
        recipe=recipe.recipe(),
        image_size=image_size,
        data=data.options,
        further=further_sources(also_test),
        out=out or weights_keras.own_folder(),
        datasets=tuple(data_license or ()),
        license=license_,
        command=typed_command(),
        float16=float16,
        overwrite=overwrite,
        groups=groups,
    )
    with progress_of("reading") as progress:
        card = train_on_files(settings, progress, warn)
    return card_answer(card, settings.out / f"{name}.keras")


def card_answer(card: ModelCard, model: Path, **more: Any) -> Answer:
    """Where a model was written, and how good it is.

    Args:
        card: of the model.
        model: its file.
        more: what else is part of the result.
    """
    table = Table("set", "metric", "value and 95% interval", "files")
    for measure in card.metrics:
        table.add_row(measure.split, measure.name, str(measure), str(measure.count))
    return Answer(
        result={
            "model": model,
            "sha256": card.sha256,
            "bytes": card.size,
            "measures": [vars(measure) for measure in card.metrics],
            **more,
        },
        table=table,
        rows=measure_rows(card.metrics),
    )


def typed_command() -> str:
    """The command as it was typed, with files and folders by name, without where they are."""
    places = {"--out", "--root"}
    output = {"-v", "-vv", "--verbose", "-q", "--quiet", "--overwrite", "--anew"}
    words = [
        word
        for before, word in pairwise(sys.argv)
        if not places & {before, word} and word not in output
    ]
    return "xai-tf " + shlex.join(map(_without_place, words))


def _without_place(word: str) -> str:
    label, equals, place = word.rpartition("=")
    table, colon, column = place.rpartition(":")
    if colon and Path(table).is_file():  # of --groups FILE.csv:COLUMN
        return f"{_without_place(label + equals + table)}:{column}"
    if "/" not in place or not Path(place).exists():
        return word
    parts = Path(place).parts
    return label + equals + "/".join(parts[-2:] if parts[-1] in ("train", "test") else parts[-1:])
