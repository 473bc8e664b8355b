"""What a visitor has trained on the server: the order, its plan, and how the trainings stand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import param

from dashboards.language import t
from dashboards.service.searches import DAMAGE
from dashboards.service.trainer import DONE
from dashboards.service.training_orders import (
    TRAIN,
    TUNE,
    TrainingOrder,
    TrainingPlan,
    order,
    task_of,
    training_sets,
)
from dashboards.service.trainings import ACTIVE, RUNNING, STOPPING, Trainings, TrainingStatus
from dashboards.state.own_sets import OwnLabeled, own_title
from tuning.settings import CACHE
from tuning.trials import read_search
from xai_tf.classifiers.backbones import BACKBONES
from xai_tf.errors import SettingError, XaiTfError
from xai_tf.tasks import TASKS

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
IMAGE_SIZES = (32, 64, 96, 128, 160, 224)  # MobileNetV2 has weights from 96 on
CHOICES = (
    "kind",
    "chosen",
    "task",
    "backbones",
    "epochs",
    "max_epochs",
    "image_size",
    "model_name",
)


class TrainingDesk(param.Parameterized):
    """Orders trainings and searches, and follows them; those of all visitors are seen by all.

    Attributes:
        sets: the labeled sets of the server, by title; None before they are looked for.
        own: the sets that the visitor brought; None where they cannot bring any.
        own_sets: these by title; a model trained on one is still seen by all visitors.
        kind: "train" for one model, "tune" for a search.
        chosen: the title of the chosen set; "" for none.
        task: how its files are read, a name in `TASKS`.
        backbones: names in `BACKBONES`; a training takes the first.
        epochs: epochs of fine-tuning of a training.
        max_epochs: the largest number of epochs for one configuration of a search, which also
            decides the number of trials.
        image_size: side of the square input, in pixels.
        model_name: the name of the model, and of the search.
        planning: whether a plan is being made.
        plan: the plan of `planned`; None before it is made.
        planned: what was planned; a changed choice discards it.
        problem: why the order cannot be planned or started.
        trainings: the trainings and searches, the newest first.
        finishable: names of searches that ended early, but with a trial that can be a model.
        running_search: the folder of the search that runs now; None while none does.
        model: the name of the model that the visitor wants to use.
        open_model: they want to use it now.
    """

    sets = param.Dict(default=None, allow_None=True)
    own_sets = param.Dict(default={})
    kind: param.Selector[str] = param.Selector(default=TRAIN, objects=[TRAIN, TUNE])
    chosen = param.String()
    task: param.Selector[str] = param.Selector(default="photo", objects=list(TASKS))
    backbones = param.List(default=["mobilenet_v2"], item_type=str)
    epochs = param.Integer(default=12, bounds=(1, 100))
    max_epochs = param.Integer(default=10, bounds=(2, 100))
    image_size = param.Integer(default=224, bounds=(32, 512))
    model_name = param.String()
    planning = param.Boolean()
    plan = param.ClassSelector(class_=TrainingPlan)
    planned = param.ClassSelector(class_=TrainingOrder)
    problem = param.String()
    trainings = param.ClassSelector(class_=tuple, default=())
    finishable = param.List(default=[], item_type=str)
    running_search = param.ClassSelector(class_=Path)
    model = param.String()
    open_model = param.Event()

    def __init__(
        self,
        trainings: Trainings,
        roots: Sequence[Path],
        *,
        own: OwnLabeled | None = None,
        **params: Any,
    ) -> None:
        """Start without an order.

        Args:
            trainings: of the server.
            roots: the folders of labeled files that visitors may use.
            own: the sets that the visitor brought.
            params: initial values of the attributes.
        """
        self._service, self._roots, self.own = trainings, tuple(roots), own
        self._made: tuple[TrainingOrder, asyncio.Future[TrainingPlan]] | None = None
        self._suggested = ""  # the name that the page gave
        self._plans = 0  # a later plan, or a changed choice, gives the earlier ones up
        super().__init__(**params)
        if own is not None:
            own.param.watch(self._on_own, "sets")
            self._on_own()

    def _on_own(self, *_: Any) -> None:
        """List the visitor's sets; one that was deleted is chosen no longer."""
        self.own_sets = {own_title(name): one.path for name, one in self.own.sets.items()}
        if self._source() is None:
            self.chosen = ""

    async def find_sets(self) -> None:
        """Find the labeled sets that can be chosen."""
        self.sets = await asyncio.to_thread(training_sets, self._roots)

    async def choose_set(self, title: str) -> None:
        """Choose a set, with the task that reads it and a name for the model."""
        self.chosen = title
        source = self._source()
        if source is None:
            return
        task = await asyncio.to_thread(task_of, source)
        if self.chosen == title:
            self.task = task

    def begin_plan(self) -> None:
        """Plan the order: what it will do, how long it takes, whether it can be done.

        It takes about a minute; `refresh` sets the plan once it is made.
        """
        self.give_up_plan()
        number = self._plans
        try:
            ordered = self._order()
        except SettingError as error:
            self.problem = str(error)
            return
        plan = asyncio.get_running_loop().run_in_executor(
            None, self._service.plan, ordered, lambda: self._plans != number
        )
        self._made, self.planning = (ordered, plan), True

    def _take_plan(self) -> None:
        """Show the plan, or why there is none, if it is made by now."""
        if self._made is None or not self._made[1].done():
            return
        (ordered, made), self._made = self._made, None
        self.planning = False
        try:
            self.param.update(planned=ordered, plan=made.result())
        except XaiTfError as error:
            self.problem = str(error)

    def give_up_plan(self) -> None:
        """Discard the plan, and make it no longer."""
        self._plans += 1
        if self._made is not None:
            self._made[1].add_done_callback(lambda made: made.exception())  # nobody asks for it
        self._made = None
        self.param.update(planning=False, plan=None, planned=None, problem="")

    async def start(self) -> None:
        """Start what was planned, or let it wait for its turn."""
        ordered, plan = self.planned, self.plan
        if ordered is None or plan is None:
            return
        self.give_up_plan()
        try:
            await asyncio.to_thread(self._service.start, ordered, plan)
        except XaiTfError as error:
            self.problem = str(error)
        await self.refresh()

    async def stop(self, name: str) -> None:
        """Stop a training; what a search has finished is kept."""
        await self._do(self._service.stop, name)

    async def resume(self, name: str, export: bool = False) -> None:
        """Start again what was stopped or failed, or make a model of the best trial so far."""
        await self._do(self._service.resume, name, export)

    async def forget(self, name: str) -> None:
        """Remove an ended training from the list."""
        await self._do(self._service.forget, name)

    async def refresh(self) -> None:
        """Read how the trainings stand, and show a plan that is made."""
        self._take_plan()
        self._apply(*await asyncio.to_thread(self._read))

    def read_now(self) -> None:
        """Read how the trainings stand at once, for the first view of a page."""
        self._apply(*self._read())

    def _apply(self, now: tuple[TrainingStatus, ...], finishable: list[str]) -> None:
        if (now, finishable) != (self.trainings, self.finishable):
            self.param.update(trainings=now, finishable=finishable)
        running = [status for status in now if status.state in (RUNNING, STOPPING)]
        self.running_search = running[0].order.search_folder if running else None

    def use(self, name: str) -> None:
        """Ask the page to explain with a model."""
        self.model = name
        self.param.trigger("open_model")

    @property
    def is_own(self) -> bool:
        """Whether the chosen set is one that the visitor brought."""
        return self.chosen in self.own_sets

    @property
    def has_no_sets(self) -> bool:
        """Whether nothing can be ordered, because there are no labeled sets."""
        return self.sets == {} and not self.own_sets

    @param.depends(*CHOICES, watch=True)
    def _on_change(self) -> None:
        self.give_up_plan()
        if self.model_name == self._suggested and self.chosen:  # the visitor chose no other
            self._suggested = self.model_name = self._free_name()

    def _read(self) -> tuple[tuple[TrainingStatus, ...], list[str]]:
        now = self._service.all()
        return now, [status.order.name for status in now if _has_finished_trials(status)]

    async def _do(self, act: Any, *arguments: Any) -> None:
        await asyncio.to_thread(act, *arguments)
        await self.refresh()

    def _source(self) -> Path | None:
        source: Path | None = {**(self.sets or {}), **self.own_sets}.get(self.chosen)
        return source

    def _order(self) -> TrainingOrder:
        """The order as it is chosen.

        Raises:
            SettingError: something is missing, or the name is no name for a file.
        """
        source = self._source()
        if source is None:
            raise SettingError(t("Choose a labeled set first."))
        if not self.backbones:
            raise SettingError(t("Choose at least one backbone."))
        if not NAME.fullmatch(self.model_name) or self.model_name == CACHE:
            raise SettingError(
                t(
                    "The name may have up to 60 letters, digits, dots, dashes and underscores, and "
                    "begins with a letter or a digit."
                )
            )
        is_training = self.kind == TRAIN
        return order(
            self.kind,
            data=source,
            task=self.task,
            name=self.model_name,
            backbones=self.backbones[:1] if is_training else self.backbones,
            epochs=self.epochs if is_training else self.max_epochs,
            image_size=self.image_size,
            private=self.is_own,
        )

    def _free_name(self) -> str:
        """A name for the model, of its set and its backbone, that no training has."""
        title = self.own_sets[self.chosen].name if self.is_own else self.chosen
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_-") or "model"
        backbone = self.backbones[0] if self.kind == TRAIN and self.backbones else "search"
        name = f"{stem[:40]}_{backbone}"
        taken, number = {status.order.name for status in self.trainings}, 2
        free = name
        while free in taken:
            free, number = f"{name}-{number}", number + 1
        return free


def backbone_titles() -> dict[str, str]:
    """The backbones by a title that says which need no pretrained weights."""
    return {
        backbone.title
        if backbone.application
        else t("{name} (from scratch)", name=backbone.title): name
        for name, backbone in BACKBONES.items()
    }


def _has_finished_trials(status: TrainingStatus) -> bool:
    """Whether a model can be made of the best trial of a search that has ended early."""
    folder = status.order.search_folder
    if folder is None or status.state in (*ACTIVE, DONE):
        return False
    try:
        return bool(read_search(folder).ranked())
    except (XaiTfError, *DAMAGE):
        return False
