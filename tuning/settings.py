"""What is asked of a search, as pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tuning import schedule
from tuning.space import DEFAULTS, SEEDS, Space, Value, choice, lint
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import SettingError, nearest, pick
from xai_tf.tasks import TASKS

Report = Callable[[str, int, int], None]
OBJECTIVES = ("val_loss", "val_ce", "val_accuracy")
ROOT = Path("searches")
CACHE = "features"  # the folder of stored features, beside those of the searches


@dataclass(frozen=True)
class Plan:
    """What a search will do.

    Attributes:
        mode: "waves", "cut" or "whole", see `Study.mode`.
        why: the mode in words.
        brackets: Hyperband's schedule.
        trials, epochs, started: in all; `started` counts new configurations.
        possible: how many configurations the space has.
        rows: training rows, validation rows.
        seconds: estimated from one measured batch: (features, search).
        bytes: room on the disk, at most.
    """

    mode: str
    why: str
    brackets: tuple[schedule.Bracket, ...]
    trials: int
    epochs: int
    started: int
    possible: float
    rows: tuple[int, int]
    seconds: tuple[float, float]
    bytes: int


@dataclass(frozen=True)
class StudySettings:
    """What is asked of a search, and what follows from it without reading anything.

    Attributes:
        data: a folder of class folders, or another layout (`DataOptions`).
        task: a name in `TASKS`.
        name: of the search and of the model that comes of it.
        backbones: names in `BACKBONES`; several are searched together.
        weights: "imagenet", "none", or a file of the backbone without its top; by backbone where
            they differ.
        space: what is searched.
        objective: "val_loss" (with the penalties), "val_ce" or "val_accuracy".
        max_epochs, factor, iterations: of Hyperband.
        seed: of everything, from 1.
        batch_size: rows a step.
        image_size: side of the image, in pixels.
        copies: of each training image, the first unchanged; 0 draws new changes in every epoch.
        class_weights: whether each class counts the same, however many rows it has.
        options: how the data is read and parted.
        root: folder of the searches.
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
    copies: int = 3
    class_weights: bool = True
    options: DataOptions = field(default_factory=DataOptions)
    root: Path = ROOT

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, before anything is read."""
        pick(TASKS, self.task, "task")
        for backbone in self.backbones:
            pick(BACKBONES, backbone, "backbone")
        if self.objective not in OBJECTIVES:
            hint = nearest(self.objective, list(OBJECTIVES))
            raise SettingError(f"There is no objective {self.objective!r}. {hint}")
        taken = self.name in ("", ".", "..", CACHE)
        if taken or Path(self.name).name != self.name:
            raise SettingError(f"{self.name!r} cannot be the name of a search. Give another one.")
        lowest = {
            "max_epochs": 1,
            "factor": 2,
            "iterations": 1,
            "seed": 1,
            "batch_size": 1,
            "image_size": 32,
            "copies": 0,
        }
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise SettingError(f"{name} is {getattr(self, name)}. Give at least {low}.")
        self._check_weights()
        lint(self.full_space)
        searched = self.full_space.get("backbone")
        if searched and set(searched.values) != set(self.backbones):
            raise SettingError(
                f"The space has the backbones {searched}, the study {', '.join(self.backbones)}. "
                "Name them once, as backbones."
            )

    def _check_weights(self) -> None:
        given = self.weights if isinstance(self.weights, dict) else {}
        for backbone in self.backbones:
            weights = given.get(backbone, "imagenet") if given else self.weights
            own = BACKBONES[backbone].application is not None
            if not own and weights not in (None, "none", "imagenet"):
                raise SettingError(f"{backbone!r} cannot load {weights}. Leave its weights out.")

    @property
    def folder(self) -> Path:
        return Path(self.root) / self.name

    @cached_property
    def full_space(self) -> Space:
        """The space with what follows from the backbones."""
        space = dict(self.space)
        if len(self.backbones) > 1 and "backbone" not in space:
            space["backbone"] = choice(*self.backbones)
        return space

    @cached_property
    def fixed(self) -> dict[str, Value]:
        """What is not searched: a network without pretrained weights is trained whole."""
        scratch = any(self.weights_of(backbone) is None for backbone in self.backbones)
        fixed = dict(DEFAULTS) | {"backbone": self.backbones[0], "unfreeze": -1 if scratch else 0}
        return {n: v for n, v in fixed.items() if n in ("backbone", "unfreeze")}

    @property
    def unfreeze(self) -> tuple[int, ...]:
        """How many of the last layers are trained: every value."""
        if "unfreeze" in self.full_space:
            return tuple(int(v) for v in self.full_space["unfreeze"].values)
        return (int(self.fixed["unfreeze"]),)

    @property
    def mode(self) -> tuple[str, str]:
        """How trials are trained, and why."""
        if self.copies == 0:
            return "whole", "images are changed anew in every epoch, so nothing can be kept"
        if -1 in self.unfreeze:
            random = [b for b in self.backbones if self.weights_of(b) is None]
            cause = f"{' and '.join(random)} has no pretrained weights: " if random else ""
            return "whole", f"{cause}all layers are trained, so there is nothing to keep"
        if any(self.unfreeze):
            return "cut", (
                f"what lies below the last {max(self.unfreeze)} layers is computed once; batch "
                "normalisation stays as it was pretrained"
            )
        return "waves", "the backbone is frozen: its features are computed once, heads in waves"

    @property
    def brackets(self) -> tuple[schedule.Bracket, ...]:
        return schedule.schedule(self.max_epochs, self.factor, self.iterations)

    def weights_of(self, backbone: str) -> str | None:
        """What a backbone starts from: "imagenet", a file, or None."""
        given = self.weights
        if isinstance(given, dict):
            given = given.get(backbone, "imagenet")
        none = given in (None, "none") or BACKBONES[backbone].application is None
        return None if none else str(given)
