"""What a visitor orders trained: its settings, its plan, and the labeled sets there are."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dashboards.language import mark, t
from dashboards.service.labeled import find_sets
from tuning import schedule
from tuning.settings import own_searches
from weights_keras import own_folder
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.datasets.layouts import SPLIT_FOLDERS, find_listing
from xai_tf.datasets.listing import DataOptions
from xai_tf.errors import XaiTfError
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    from tuning.study import Study
    from xai_tf.training.run import TrainingSettings

TRAIN, TUNE = "train", "tune"
GENERAL = ("photo", "sound")  # tasks that read any classes
SEARCH_EPOCHS = (4, 10, 27)  # the sizes of a search that are offered, as `max_epochs`
# Of a backbone without pretrained weights, all layers are trained; see the card of xray_alexnet.
FROM_SCRATCH = {"weights": None, "unfreeze": -1, "head_epochs": 1, "copies": 0, "rate": 5e-4}


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """What is trained on what: a model, or a search for the best one.

    Attributes:
        kind: "train" or "tune".
        data: the labeled files, a folder or a CSV file.
        task: how files are read, a name in `TASKS`.
        name: the name of the model, and of the search.
        backbones: names in `BACKBONES`; a training has one.
        epochs: of fine-tuning; in a search the largest number for one configuration.
        image_size: side of the square input, in pixels.
        searches: the folder of searches.
        models: the folder for the model.
        private: whether a visitor brought the files, which are deleted when they leave.
    """

    kind: str
    data: Path
    task: str
    name: str
    backbones: tuple[str, ...]
    epochs: int
    image_size: int
    searches: Path
    models: Path
    private: bool = False

    @property
    def search_folder(self) -> Path | None:
        """The folder of the search; None for a training."""
        return self.searches / self.name if self.kind == TUNE else None

    @property
    def command(self) -> str:
        """The command that does the same, with the data by name."""
        words = ["xai-tf", self.kind, self.data.name, "--task", self.task]
        words += ["--name", self.name, "--image-size", str(self.image_size)]
        for backbone in self.backbones:
            words += ["--backbone", backbone]
        if self.kind == TUNE:
            return shlex.join([*words, "--max-epochs", str(self.epochs)])
        words += ["--epochs", str(self.epochs)]
        if BACKBONES[self.backbones[0]].application is None:
            words += ["--weights", "none", "--unfreeze", "-1", "--head-epochs", "1"]
            words += ["--augmentations", "0", "--rate", "5e-4"]
        return shlex.join(words)

    def study(self) -> Study:
        """The search that is ordered.

        Raises:
            SettingError: a setting is invalid.
        """
        from tuning.study import Study

        return Study(
            data=self.data,
            task=self.task,
            name=self.name,
            backbones=self.backbones,
            max_epochs=self.epochs,
            image_size=self.image_size,
            root=self.searches,
        )

    def training(self) -> TrainingSettings:
        """The training that is ordered."""
        from xai_tf.training.run import TrainingSettings
        from xai_tf.training.train import Recipe

        (backbone,) = self.backbones
        scratch = FROM_SCRATCH if BACKBONES[backbone].application is None else {}
        return TrainingSettings(
            source=self.data,
            task=self.task,
            name=self.name,
            recipe=Recipe(backbone=backbone, epochs=self.epochs, **scratch),
            image_size=self.image_size,
            out=self.models,
            command=self.command,
        )

    def without_places(self, text: str) -> str:
        """A text without the paths of this server's folders."""
        for folder in (self.data.parent, self.searches, self.models):
            text = text.replace(f"{folder}/", "").replace(str(folder), folder.name)
        return text

    def to_json(self) -> str:
        """The order as JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote."""
        values = json.loads(text)
        paths = {name: Path(values[name]) for name in ("data", "searches", "models")}
        return cls(**values | paths | {"backbones": tuple(values["backbones"])})


def order(
    kind: str,
    *,
    data: Path,
    task: str,
    name: str,
    backbones: Sequence[str],
    epochs: int,
    image_size: int,
    private: bool = False,
) -> TrainingOrder:
    """An order whose search and model go to the user's own folders, where the page finds them."""
    return TrainingOrder(
        kind=kind,
        data=data,
        task=task,
        name=name,
        backbones=tuple(backbones),
        epochs=epochs,
        image_size=image_size,
        searches=own_searches(),
        models=own_folder(),
        private=private,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What an order will do, and what it costs.

    Attributes:
        classes: the classes of the files.
        files: numbers of training, validation and test files.
        trials, configurations: of a search; 0 for a training.
        epochs: epochs in all.
        seconds: estimated seconds of preparation (features of a frozen backbone) and of the rest.
        bytes: disk space for the search, at most; 0 for a training.
        notes: what a person should know about the data, one sentence each.
        reason: how the networks are trained, and why.
    """

    classes: tuple[str, ...]
    files: tuple[int, int, int]
    trials: int = 0
    configurations: int = 0
    epochs: int
    seconds: tuple[float, float]
    bytes: int = 0
    notes: tuple[str, ...] = ()
    reason: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `asdict` made, after it was JSON."""
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values | lists)


def training_sets(roots: Sequence[Path]) -> dict[str, Path]:
    """The labeled sets that a model can be trained on, by title.

    A set in folders such as `train` and `test` is one set.
    """
    sets: dict[str, Path] = {}
    allowed = [root.resolve() for root in roots]
    for title, path in find_sets(roots).items():
        whole, named = path, title
        if _is_split(path) and any(path.parent.is_relative_to(root) for root in allowed):
            whole, named = path.parent, title.rpartition("/")[0] or path.parent.name
        if whole == path or (title.rpartition("/")[2].lower() in SPLIT_FOLDERS["train"]):
            sets[named] = whole
    return sets


def task_of(source: Path) -> str:
    """The task that reads a labeled set: the one that names its classes, or a general one."""
    general = next((name for name in GENERAL if _num_classes(source, name)), GENERAL[0])
    count = _num_classes(source, general)
    named = [name for name, task in TASKS.items() if task.classes]
    return next((name for name in named if count and _num_classes(source, name) == count), general)


def search_sizes() -> dict[str, int]:
    """The sizes of a search that are offered: `max_epochs` by a text."""
    sizes = {}
    for epochs in SEARCH_EPOCHS:
        brackets = schedule.schedule(epochs, 3)
        trials, tried = schedule.num_trials(brackets), schedule.num_configurations(brackets)
        text = mark("{trials} trials of {tried} configurations, up to {epochs} epochs each")
        sizes[t(text, trials=trials, tried=tried, epochs=epochs)] = epochs
    return sizes


def _num_classes(source: Path, task: str) -> int:
    """The number of classes of the files that a task finds; 0 where it finds none."""
    try:
        return len(find_listing(source, TASKS[task], DataOptions()).classes)
    except XaiTfError:
        return 0


def _is_split(path: Path) -> bool:
    return any(path.name.lower() in names for names in SPLIT_FOLDERS.values())
