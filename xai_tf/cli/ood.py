"""`xai-tf fit-ood`: fit the out-of-distribution detector of a model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from xai_tf.classifiers.loading import model_path
from xai_tf.cli.answers import Answer, measure_rows, prints_answer
from xai_tf.cli.app import ADVANCED, DATA, TRAIN_AND_TUNE, app
from xai_tf.cli.console import note, progress_of, warn
from xai_tf.cli.data_options import DataFlags, Source, named_folders
from xai_tf.cli.options import (
    ModelArgument,
    Overwrite,
    Preprocessing,
    TaskName,
    load_classifier,
)
from xai_tf.cli.records import takes_records

Others = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FOLDER",
        help="Out-of-distribution files to measure the detector on. Repeat the option for several.",
        rich_help_panel=DATA,
    ),
]
SplitSeed = Annotated[
    int,
    typer.Option(
        min=0,
        help="Random seed of the training (`tune` uses 1 by default), so that the splits are the "
        "same.",
        rich_help_panel=ADVANCED,
    ),
]


@app.command("fit-ood", rich_help_panel=TRAIN_AND_TUNE)
@prints_answer
@takes_records
def fit_ood_file(
    model: ModelArgument,
    folder: Source,
    data: DataFlags,
    other: Others = None,
    seed: SplitSeed = 0,
    task: TaskName = None,
    preprocessing: Preprocessing = None,
    overwrite: Overwrite = False,
) -> Answer:
    """Fit the detector that warns about inputs unlike the training data of MODEL.

    Give the model's own training data, with the data options of its training, so that the splits
    are the same. The detector is stored beside the model. `train` and `tune` fit one automatically.
    """
    from xai_tf.training.ood import OODSettings, fit_and_store

    settings = OODSettings(
        source=folder,
        data=data.options,
        seed=seed,
        others=named_folders(other, "--other", taken=("test",)),
        overwrite=overwrite,
    )
    classifier = load_classifier(model, task, None, preprocessing)
    with progress_of("reading") as progress:
        stored = fit_and_store(classifier, model_path(model), settings, progress, warn)
    note(f"Written to {stored.file}")
    table = Table("files", "out of distribution, with 95% interval", "count")
    for measure in stored.measures:
        table.add_row(measure.split, str(measure), str(measure.count))
    return Answer(result=stored.to_dict(), table=table, rows=measure_rows(stored.measures))
