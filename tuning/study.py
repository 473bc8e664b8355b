"""A search: asked, planned, run, reported, exported."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import schedule
from tuning.project import alone, check_space, disk_full_told, remember
from tuning.space import DEFAULTS, SEEDS, Space, Value, lint, num_configurations
from tuning.trials import Search, read_search
from xai_tf.errors import SettingError, nearest, pick
from xai_tf.listing import DataOptions
from xai_tf.models import BACKBONES
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    from tuning.material import Material
    from weights_keras import ModelCard

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
class Study:
    """What is asked of a search. The same study goes on where it was stopped.

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
        lowest = {"max_epochs": 1, "factor": 2, "iterations": 1, "seed": 1, "batch_size": 1,
                  "image_size": 32, "copies": 0}  # fmt: skip
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
        from tuning.space import choice

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

    def asked(self, material: Material) -> dict[str, Any]:
        """Every setting that decides the result; what `study.json` keeps."""
        names = ("task", "objective", "max_epochs", "factor", "iterations", "seed", "batch_size",
                 "image_size", "copies", "class_weights")  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "backbones": list(self.backbones),
            "weights": {b: material.digest(b) for b in self.backbones},
            "space": {name: str(p) for name, p in self.full_space.items()},
            "mode": self.mode[0],
            "files": material.files(),
        }

    def plan(self, report: Report = lambda *_: None) -> Plan:
        """Say what will be done and how long it will take, from one measured batch.

        Raises:
            XaiTfError: the data cannot be read, or there is no room.
        """
        from tuning.estimate import estimate_bytes, estimate_seconds

        material = self.material(report)
        brackets, (mode, why) = self.brackets, self.mode
        size = estimate_bytes(material, schedule.num_trials(brackets))
        check_space(self.folder, size)
        return Plan(
            mode=mode,
            why=why,
            brackets=brackets,
            trials=schedule.num_trials(brackets),
            epochs=schedule.num_epochs(brackets),
            started=schedule.num_started(brackets),
            possible=num_configurations(self.full_space),
            rows=(len(material.train), material.num_validation),
            seconds=estimate_seconds(material, schedule.num_epochs(brackets)),
            bytes=size,
        )

    def material(self, report: Report = lambda *_: None) -> Material:
        """The data, read once."""
        from tuning.material import Material

        if "_material" not in self.__dict__:
            self.__dict__["_material"] = Material(self, report)
        return self.__dict__["_material"]

    def run(
        self, report: Report = lambda *_: None, workers: int = 1, strategy: Any = None
    ) -> Search:
        """Search, or go on with a search that was stopped.

        Args:
            report: called with (what is being done, steps done, steps in all).
            workers: processes that train trials, where they are trained one by one.
            strategy: of `tf.distribute`, such as `MirroredStrategy()`: spreads each network over
                several GPUs, where trials are trained one by one.

        Raises:
            SettingError: the folder holds a search that was asked otherwise.
            OutputError: another process works on it, or the disk is full.
            ModelError: too many trials failed in a row.
        """
        from tuning.running import search

        with alone(self.folder), disk_full_told(self.folder):
            material = self.material(report)
            remember(self.folder, self.describe(material))
            search(self, material, report, workers, strategy)
            return read_search(self.folder)

    def describe(self, material: Material) -> dict[str, Any]:
        """What `study.json` holds."""
        from datetime import UTC, datetime

        from tuning.material import versions

        possible = num_configurations(self.full_space)
        return {
            "name": self.name,
            "task": self.task,
            "classes": list(material.splits.train.classes),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "asked": self.asked(material),
            "plan": {
                "trials": schedule.num_trials(self.brackets),
                "epochs": schedule.num_epochs(self.brackets),
                "brackets": [asdict(bracket) for bracket in self.brackets],
            },
            "possible": None if math.isinf(possible) else possible,
            "rows": {"train": len(material.train), "validation": material.num_validation},
            "versions": versions(),
        }

    def report(self) -> Path:
        """Write `report.html` and `trials.csv` into the folder."""
        from tuning.reporting import write_report

        return write_report(self.folder)

    def export(self, out: Path, **card: Any) -> ModelCard:
        """Make the winner a model with a card; see `tuning.export.export`."""
        from tuning.export import export

        return export(self, out, **card)
