"""The options of `xai-tf tune` as records: one field per option, and the settings they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import weights_keras
from tuning.settings import CALIBRATIONS, OBJECTIVES, ExportSettings, own_searches
from tuning.space import SEEDS, Parameter, parse_setting, read_space
from tuning.study import Study
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.cli.app import OUTPUT, SEARCH, TRAINING
from xai_tf.cli.data_options import LeftOutGroups
from xai_tf.cli.options import Overwrite
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import SettingError


def _option(*names: str, panel: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options that make the settings of a search; see `StudySettings`."""

    task: Annotated[
        str,
        _option(
            panel=SEARCH, text="How files are read: a name (see `xai-tf tasks`) or a .toml file."
        ),
    ]
    name: Annotated[str, _option(panel=SEARCH, text="Name of the search and of the model.")]
    backbone: Annotated[
        list[str] | None,
        _option(
            panel=SEARCH,
            text=f"One or several of {', '.join(BACKBONES)}.",
            show_default="mobilenet_v2",
        ),
    ] = None
    weights: Annotated[
        list[str] | None,
        _option(
            panel=SEARCH,
            text="Initial weights: 'imagenet', 'none', or a file without the top. Write "
            "BACKBONE=WEIGHTS to set them for one backbone.",
            show_default="imagenet",
        ),
    ] = None
    space: Annotated[
        Path | None, _option(panel=SEARCH, text="YAML file with the search space.")
    ] = None
    set_: Annotated[
        list[str] | None,
        _option(
            "--set",
            panel=SEARCH,
            text="Set a parameter of the space, such as units_1=64,128 or dropout=0..0.5.",
        ),
    ] = None
    objective: Annotated[
        str,
        _option(panel=SEARCH, text=f"Metric that ranks trials: {', '.join(OBJECTIVES)}."),
    ] = "val_loss"
    max_epochs: Annotated[
        int, _option(panel=SEARCH, text="Largest number of epochs per configuration.")
    ] = 10
    factor: Annotated[
        int, _option(panel=SEARCH, text="Hyperband promotes one configuration in so many.")
    ] = 3
    iterations: Annotated[int, _option(panel=SEARCH, text="How often Hyperband is run.")] = 1
    root: Annotated[
        Path | None,
        _option(
            panel=SEARCH,
            text="Folder of searches and of cached features. By default one in your data folder.",
        ),
    ] = None
    seed: Annotated[int, _option(panel=TRAINING, text="Random seed.")] = 1
    batch_size: Annotated[int, _option(panel=TRAINING, text="Batch size (rows per step).")] = 32
    image_size: Annotated[int, _option(panel=TRAINING, text="Side of the image, in pixels.")] = 224
    augmentations: Annotated[
        int,
        _option(
            panel=TRAINING,
            text="Versions of each training image, the first one unaltered; 0 draws new ones in "
            "every epoch.",
        ),
    ] = 3
    class_weights: Annotated[
        bool, _option(panel=TRAINING, text="Give every class the same total weight.")
    ] = True
    workers: Annotated[
        int,
        _option(panel=TRAINING, text="Processes, if networks are trained one by one.", min=1),
    ] = 1

    def study(self, data: Path, options: DataOptions) -> Study:
        """The search that these options describe.

        Raises:
            XaiTfError: an option is invalid.
        """
        return Study(
            data=data,
            task=self.task,
            name=self.name,
            backbones=tuple(self.backbone or ["mobilenet_v2"]),
            weights=_weights(self.weights or []),
            space=_space(self.space, self.set_ or []),
            objective=self.objective,
            max_epochs=self.max_epochs,
            factor=self.factor,
            iterations=self.iterations,
            seed=self.seed,
            batch_size=self.batch_size,
            image_size=self.image_size,
            augmentations=self.augmentations,
            class_weights=self.class_weights,
            options=options,
            root=self.root or own_searches(),
        )


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options that make the settings of an export; see `ExportSettings`."""

    out: Annotated[
        Path | None,
        _option(
            panel=OUTPUT,
            text="Folder for the model. By default your own, where every command finds it by name.",
        ),
    ] = None
    calibration: Annotated[
        str, _option(panel=OUTPUT, text=f"Calibration: {' or '.join(CALIBRATIONS)}.")
    ] = "temperature"
    repeats: Annotated[
        int, _option(panel=OUTPUT, text="Train the winner again with so many seeds.", min=0)
    ] = 0
    float16: Annotated[
        bool, _option("--float16", panel=OUTPUT, text="Store the weights as float16.")
    ] = False
    overwrite: Overwrite = False
    also_test: Annotated[
        list[str] | None,
        _option(
            panel=OUTPUT,
            text="A further test set, a folder or a CSV file.",
            metavar="NAME=FOLDER|FILE",
        ),
    ] = None
    data_license: Annotated[
        list[str] | None, _option(panel=OUTPUT, text="A data set with its terms, for the card.")
    ] = None
    license_: Annotated[str, _option("--license", panel=OUTPUT, text="License of the weights.")] = (
        "other"
    )
    groups: LeftOutGroups = None
    tensorboard: Annotated[bool, _option(panel=OUTPUT, text="Write logs for TensorBoard.")] = False
    dry_run: Annotated[
        bool, _option("--dry-run", panel=OUTPUT, text="Show what would be done, and stop.")
    ] = False

    @property
    def folder(self) -> Path:
        """The folder for the model."""
        return self.out or weights_keras.own_folder()

    def settings(self, command: str) -> ExportSettings:
        """The settings of the export.

        Args:
            command: the command as it was typed, for the card.

        Raises:
            SettingError: an option is invalid.
        """
        return ExportSettings(
            calibration=self.calibration,
            repeats=self.repeats,
            float16=self.float16,
            command=command,
            datasets=tuple(self.data_license or ()),
            license_=self.license_,
            groups=self.groups,
        )


def _weights(given: list[str]) -> str | dict[str, str]:
    """The weights for all backbones, or a dict by backbone (`vgg16=file`)."""
    by_backbone = dict(text.split("=", 1) for text in given if text.split("=", 1)[0] in BACKBONES)
    for_all = [text for text in given if text.split("=", 1)[0] not in BACKBONES]
    if len(for_all) > 1:
        raise SettingError(
            f"--weights is given {len(for_all)} times for all backbones. Write "
            "--weights BACKBONE=WEIGHTS for each."
        )
    if not by_backbone:
        return for_all[0] if for_all else "imagenet"
    return dict.fromkeys(BACKBONES, for_all[0] if for_all else "imagenet") | by_backbone


def _space(path: Path | None, settings: list[str]) -> dict[str, Parameter]:
    """The space of a file, or the default one, with the changes of `--set`."""
    space, changed = read_space(path) if path else dict(SEEDS), set()
    for text in settings:
        name, parameter = parse_setting(text)
        if name in changed:
            raise SettingError(f"--set names the parameter {name!r} twice. Set it once.")
        changed.add(name)
        space[name] = parameter
    return space if path else _without_unused(space, changed)


def _without_unused(space: dict[str, Parameter], changed: set[str]) -> dict[str, Parameter]:
    """Drop default parameters of layers that no configuration has."""
    layers = space["dense_layers"].values if "dense_layers" in space else (2,)
    deepest = max((n for n in layers if isinstance(n, int)), default=2)
    return {
        name: parameter
        for name, parameter in space.items()
        if name in changed or not name[-1].isdigit() or int(name.rsplit("_")[-1]) <= deepest
    }
