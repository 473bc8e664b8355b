"""A training from labeled files to a published model: what `xai-tf train` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weights_keras import ModelCard, own_folder
from xai_tf.classifiers.backbones import BACKBONES, build_model
from xai_tf.datasets.dataset import Splits
from xai_tf.datasets.groups import check_rule, find_groups
from xai_tf.datasets.listing import DataOptions
from xai_tf.datasets.reading import read_splits, read_test_set
from xai_tf.errors import SettingError, pick
from xai_tf.inputs.task import Task
from xai_tf.progress import Progress, silent
from xai_tf.tasks import find_task
from xai_tf.training.group_out import (
    GroupOut,
    check_frozen_features,
    estimate_group_out,
    files_of,
)
from xai_tf.training.publish import check_folder, publish, training_story
from xai_tf.training.train import Recipe, divide, features, train, with_sigmoids


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What a model is trained on, how, and where it is written.

    Attributes:
        source: the labeled files: a folder or a CSV file.
        task: says how files are read: a name in `TASKS`, or a TOML file that defines a task.
        name: of the model, and of its files.
        recipe: the settings of the training itself.
        image_size: side of the square input, in pixels.
        data: how the source is found, split and read.
        further: additional test sets, by name: folders or CSV files.
        out: folder for the model, its card and its OOD detector; by default the user's own.
        datasets: the data sets and their terms, for the card.
        license: of the weights, for the card.
        command: what trains the model again, for the card.
        float16: store the weights as float16.
        overwrite: whether an earlier model of this name may be replaced.
        groups: how the group of a file is found, as for `find_groups`, to estimate how well files
            of unknown groups are predicted; None leaves that out.
    """

    source: Path
    task: str
    name: str
    recipe: Recipe = field(default_factory=Recipe)
    image_size: int = 224
    data: DataOptions = field(default_factory=DataOptions)
    further: Mapping[str, Path] = field(default_factory=dict)
    out: Path = field(default_factory=own_folder)
    datasets: tuple[str, ...] = ()
    license: str = "other"
    command: str = ""
    float16: bool = False
    overwrite: bool = False
    groups: str | None = None

    def __post_init__(self) -> None:
        # In a notebook people type paths as text.
        for name in ("source", "out"):
            object.__setattr__(self, name, Path(getattr(self, name)))

    def check(self) -> None:
        """Check what can be checked before any file is read.

        Raises:
            UnknownNameError: there is no such task or backbone.
            SettingError: the name is not a plain file name, the learning rate is out of range, or
                groups cannot be found or left out so.
            InputError: there is no file of groups.
            OutputError: the folder has a model of this name, or cannot be written to, or the card
                there cannot be read.
        """
        find_task(self.task)
        pick(BACKBONES, self.recipe.backbone, "backbone")
        if Path(self.name).name != self.name or not self.name:
            raise SettingError(
                f"Invalid value for --name: {self.name!r}. Expected a file name without a folder."
            )
        if not 0 < self.recipe.rate < 1:
            raise SettingError(
                f"Invalid value for --rate: {self.recipe.rate}. Expected a learning rate between 0 "
                "and 1, such as 0.0001."
            )
        if self.groups is not None:
            check_rule(self.groups)
            check_frozen_features(self.recipe.backbone, self.recipe.weights)
        check_folder(self.out, self.name, self.overwrite)


def train_on_files(
    settings: TrainingSettings,
    progress: Progress = silent,
    notify: Callable[[str], None] = lambda text: None,
) -> ModelCard:
    """Read labeled files, train a classifier on them, measure it, and write it with its card.

    Args:
        settings: what is trained on what.
        progress: called with (steps done, steps in all, what runs now) of each stage.
        notify: called with each remark on the data, such as a skipped file, before the training.

    Returns:
        The card of the model, with the metrics of all test sets.

    Raises:
        XaiTfError: as `TrainingSettings.check`, `read_splits`, `train` and `publish`.
    """
    settings.check()
    task, size = find_task(settings.task), (settings.image_size, settings.image_size)
    splits = read_splits(settings.source, task, size, settings.recipe.seed, progress, settings.data)
    for text in splits.notes:
        notify(text)
    further = {
        name: read_test_set(
            source, task, size, splits.test, settings.data, progress=progress, notify=notify
        )
        for name, source in settings.further.items()
    }
    group_out = _group_out(settings, task, splits, progress)
    for text in group_out.notes if group_out else ():
        notify(text)
    trained = train(splits, settings.recipe, task.augment, progress)
    model = with_sigmoids(trained.model) if splits.train.multi_label else trained.model
    return publish(
        model,
        splits,
        task,
        name=settings.name,
        backbone=settings.recipe.backbone,
        folder=settings.out,
        story=training_story(trained, splits),
        further=further,
        command=settings.command,
        datasets=settings.datasets,
        license_=settings.license,
        half=settings.float16,
        group_out=group_out,
    )


def _group_out(
    settings: TrainingSettings, task: Task, splits: Splits, progress: Progress
) -> GroupOut | None:
    """What leaving groups out shows, before hours are spent on a training."""
    if settings.groups is None:
        return None
    classes, recipe = splits.train.classes, settings.recipe
    groups = find_groups(files_of(splits), settings.source, classes, settings.groups)
    model = build_model(recipe.backbone, 1, splits.train.images.shape[1:3], recipe.weights)
    frozen, _ = divide(model, [])
    assert frozen is not None  # `check_frozen_features` has seen to that
    return estimate_group_out(
        splits, groups, lambda data: features(frozen, data.images), recipe.seed, progress
    )
