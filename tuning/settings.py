"""What a search is given, as pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tuning import schedule
from tuning.space import SEEDS, Parameter, Space, Value, choice, lint
from weights_keras import home
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.groups import check_rule
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import SettingError, nearest, pick
from xai_tf.tasks import find_task

OBJECTIVES = ("val_loss", "val_ce", "val_accuracy")
CALIBRATIONS = ("temperature", "platt")
CACHE = "features"  # the folder of cached features, beside the folders of the searches
# The lowest valid value of each number.
LOWEST = {
    "max_epochs": 1,
    "factor": 2,
    "iterations": 1,
    "seed": 1,
    "batch_size": 1,
    "image_size": 32,
    "augmentations": 0,
}
# Names in `study.json`, `worker.json` and model cards, where they differ from ours: files that
# earlier versions wrote must stay readable.
STORED_NAMES = {"augmentations": "copies"}


def own_searches() -> Path:
    """The user's folder of searches, where those are stored that name no other."""
    return home() / "searches"


class Mode(StrEnum):
    """How trials are trained. The values are what `study.json` stores, the names what we say."""

    BATCHED_HEADS = "waves"
    UPPER_LAYERS = "cut"
    FULL_NETWORK = "whole"

    @property
    def label(self) -> str:
        """The mode in words: "batched heads"."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search will do.

    Attributes:
        mode: how trials are trained.
        why: the reason for the mode, as a sentence without its full stop.
        brackets: Hyperband's schedule.
        trials: the number of trials, continued ones included.
        epochs: the number of epochs of all trials.
        configurations: how many configurations are tried.
        possible: how many configurations the space has; infinity where it has a range.
        rows: training rows, validation rows.
        seconds: for extracting features, for the search; estimated from one measured batch.
        bytes: disk space needed, at most.
    """

    mode: Mode
    why: str
    brackets: tuple[schedule.Bracket, ...]
    trials: int
    epochs: int
    configurations: int
    possible: float
    rows: tuple[int, int]
    seconds: tuple[float, float]
    bytes: int


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """The settings of a search, and what follows from them without reading any data.

    Attributes:
        data: a folder with one subfolder per class, or another layout (`DataOptions`).
        task: a name in `TASKS`, or a TOML file that defines a task.
        name: the name of the search and of the model it produces.
        backbones: names in `BACKBONES`; several are searched together.
        weights: "imagenet", "none", or a file with the weights of the backbone without its top; a
            dict by backbone where they differ.
        space: the search space.
        objective: "val_loss" (with the penalties), "val_ce" or "val_accuracy".
        max_epochs: Hyperband's largest number of epochs for one configuration.
        factor: Hyperband's reduction factor: one in so many configurations is promoted.
        iterations: how often Hyperband is run.
        seed: the random seed, from 1.
        batch_size: rows per step.
        image_size: side of the image, in pixels.
        augmentations: versions of each training image, the first one unaltered; 0 draws new ones
            in every epoch.
        class_weights: whether every class has the same weight, however many rows it has; without
            effect on files of several labels.
        options: how the data is read and split.
        root: the folder with the searches and the cached features; by default the user's own.

    Raises:
        SettingError: a setting is invalid.
        UnknownNameError: a task, backbone, or parameter of the space does not exist.
    """

    data: Path
    task: str
    name: str
    backbones: tuple[str, ...] = ("mobilenet_v2",)
    weights: str | dict[str, str] = "imagenet"
    space: Space = field(default_factory=lambda: dict(SEEDS))
    objective: str = "val_loss"
    max_epochs: int = 10
    factor: int = 3
    iterations: int = 1
    seed: int = 1
    batch_size: int = 32
    image_size: int = 224
    augmentations: int = 3
    class_weights: bool = True
    options: DataOptions = field(default_factory=DataOptions)
    root: Path = field(default_factory=lambda: own_searches())

    def __post_init__(self) -> None:
        """Reject invalid settings before anything is read."""
        object.__setattr__(self, "data", Path(self.data))
        # A definition in place of its file, so that the search can be resumed without it.
        object.__setattr__(self, "task", find_task(self.task).key)
        for backbone in self.backbones:
            pick(BACKBONES, backbone, "backbone")
        if self.objective not in OBJECTIVES:
            hint = nearest(self.objective, list(OBJECTIVES))
            raise SettingError(f"There is no objective {self.objective!r}. {hint}")
        reserved = self.name in ("", ".", "..", CACHE)
        if reserved or Path(self.name).name != self.name:
            raise SettingError(
                f"Invalid value for the name of a search: {self.name!r}. Expected a plain folder "
                f"name other than {CACHE!r}."
            )
        for name, low in LOWEST.items():
            if getattr(self, name) < low:
                raise SettingError(
                    f"Invalid value for {name}: {getattr(self, name)}. Expected at least {low}."
                )
        self._check_weights()
        lint(self.full_space)
        searched = self.full_space.get("backbone")
        if searched and set(searched.values) != set(self.backbones):
            raise SettingError(
                f"The space lists the backbones {searched}, the study {', '.join(self.backbones)}. "
                "List them once, as backbones of the study."
            )

    def _check_weights(self) -> None:
        for backbone in self.backbones:
            weights = self._given_weights(backbone)
            trained_here = BACKBONES[backbone].application is None
            if trained_here and weights not in (None, "none", "imagenet"):
                raise SettingError(
                    f"Cannot load {weights} into {backbone!r}, which has no pretrained weights. "
                    "Omit its weights."
                )

    @property
    def folder(self) -> Path:
        """The folder of the search."""
        return Path(self.root) / self.name

    @property
    def cache(self) -> Path:
        """The folder of cached features, which all searches below `root` share."""
        return Path(self.root) / CACHE

    @cached_property
    def full_space(self) -> Space:
        """The search space, with the backbone as a parameter where there are several."""
        space = dict(self.space)
        if len(self.backbones) > 1 and "backbone" not in space:
            space["backbone"] = choice(*self.backbones)
        return space

    @cached_property
    def fixed(self) -> dict[str, Value]:
        """Backbone and unfrozen layers where they are not searched.

        All layers (-1) are trained where the network has no pretrained weights.
        """
        from_scratch = any(self.weights_of(backbone) is None for backbone in self.backbones)
        return {"backbone": self.backbones[0], "unfreeze": -1 if from_scratch else 0}

    @property
    def unfreeze(self) -> tuple[int, ...]:
        """Every number of unfrozen last layers that a trial may have; -1 stands for all layers."""
        if "unfreeze" in self.full_space:
            return tuple(int(v) for v in self.full_space["unfreeze"].values)
        return (int(self.fixed["unfreeze"]),)

    @property
    def mode(self) -> Mode:
        """How trials are trained: by how much of the network is the same in every trial."""
        if self.augmentations == 0 or -1 in self.unfreeze:
            return Mode.FULL_NETWORK
        return Mode.UPPER_LAYERS if any(self.unfreeze) else Mode.BATCHED_HEADS

    @property
    def mode_reason(self) -> str:
        """The reason for `mode`, as a sentence without its full stop."""
        if self.augmentations == 0:
            return "images are augmented again in every epoch, so no features can be cached"
        if self.mode == Mode.FULL_NETWORK:
            untrained = [b for b in self.backbones if self.weights_of(b) is None]
            cause = f"{' and '.join(untrained)} has no pretrained weights: " if untrained else ""
            return f"{cause}all layers are trained, so no features can be cached"
        if self.mode == Mode.UPPER_LAYERS:
            return (
                f"the features below the last {max(self.unfreeze)} layers are computed once; batch "
                "normalization keeps its pretrained state"
            )
        return (
            "the backbone is frozen: its features are computed once, and many heads are trained "
            "at a time"
        )

    @property
    def brackets(self) -> tuple[schedule.Bracket, ...]:
        """Hyperband's schedule."""
        return schedule.schedule(self.max_epochs, self.factor, self.iterations)

    def weights_of(self, backbone: str) -> str | None:
        """The weights a backbone starts from: "imagenet", a file, or None for random ones."""
        weights = self._given_weights(backbone)
        none = weights in (None, "none") or BACKBONES[backbone].application is None
        return None if none else str(weights)

    def _given_weights(self, backbone: str) -> str | None:
        if isinstance(self.weights, dict):
            return self.weights.get(backbone, "imagenet")
        return self.weights

    def to_dict(self) -> dict[str, Any]:
        """All settings by their stored names, with paths that hold in every working directory."""
        values = asdict(self) | {"data": Path(self.data).absolute()}
        if isinstance(self.weights, dict):
            values["weights"] = {b: _absolute(w) for b, w in self.weights.items()}
        else:
            values["weights"] = _absolute(self.weights)
        return {STORED_NAMES.get(name, name): value for name, value in values.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` made, before or after it was JSON."""
        names = {stored_name: name for name, stored_name in STORED_NAMES.items()}
        values = {names.get(name, name): value for name, value in stored.items()}
        options = dict(values["options"])
        earlier = [options.pop("finding", None)]  # a search had one at most
        options["findings"] = tuple(options.get("findings", filter(None, earlier)))
        options["allow_leak"] = tuple(options["allow_leak"])
        return cls(
            **values
            | {
                "data": Path(values["data"]),
                "backbones": tuple(values["backbones"]),
                "space": {name: _parameter(value) for name, value in values["space"].items()},
                "options": DataOptions(**options),
                "root": Path(values["root"]),
            }
        )


def readable_settings(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a `study.json` by the names, and with the mode, that people read."""
    names = {stored_name: name for name, stored_name in STORED_NAMES.items()}
    settings = {names.get(name, name): value for name, value in stored.items()}
    if settings.get("mode") in list(Mode):
        settings["mode"] = Mode(settings["mode"]).label
    return settings


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """How the winner of a search is turned into a model.

    Attributes:
        calibration: "temperature" or, for two classes, "platt"; fitted on the validation split.
        repeats: how often the winner is trained again with other seeds, to show the spread.
        float16: store the weights as float16, if that changes no predicted label.
        command: the command that makes the model again, for the card.
        datasets: the data sets with their terms, for the card.
        license_: the license of the weights, for the card.
        groups: how the group of a file is found, as for `find_groups`, to estimate how well files
            of unknown groups are predicted; None leaves that out.

    Raises:
        SettingError: a setting is invalid.
        InputError: there is no file of groups.
    """

    calibration: str = "temperature"
    repeats: int = 0
    float16: bool = False
    command: str = ""
    datasets: tuple[str, ...] = ()
    license_: str = "other"
    groups: str | None = None

    def __post_init__(self) -> None:
        """Reject invalid settings before hours are spent on a search."""
        if self.calibration not in CALIBRATIONS:
            raise SettingError(
                f"Invalid value for calibration: {self.calibration!r}. Expected "
                f"{' or '.join(CALIBRATIONS)}."
            )
        if self.repeats < 0:
            raise SettingError(f"Invalid value for repeats: {self.repeats}. Expected at least 0.")
        if self.groups is not None:
            check_rule(self.groups)

    def check_classes(self, classes: tuple[str, ...], multi_label: bool = False) -> None:
        """Make sure that the calibration is defined for these classes.

        Raises:
            SettingError: it is Platt scaling, and there are more than two classes or several
                labels.
        """
        if self.calibration == "platt" and (len(classes) > 2 or multi_label):
            kind = "labels" if multi_label else "classes"
            raise SettingError(
                f"Platt scaling calibrates two classes, and there are {len(classes)} {kind}. Use "
                "temperature scaling (--calibration temperature)."
            )


def _absolute(weights: str) -> str:
    return str(Path(weights).absolute()) if Path(weights).is_file() else weights


def _parameter(stored: Mapping[str, Any]) -> Parameter:
    return Parameter(**{**stored, "values": tuple(stored["values"])})
