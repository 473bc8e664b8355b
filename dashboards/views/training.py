"""Trainings and searches started from the page: the order with its plan, and how each stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.into_view import IntoView
from dashboards.components.live import Live
from dashboards.components.progress import Progress
from dashboards.components.select import MultiSelect, Select
from dashboards.language import mark, t
from dashboards.service.trainer import DONE, FAILED, STOPPED
from dashboards.service.training_orders import TRAIN, TUNE, search_sizes
from dashboards.service.trainings import (
    ACTIVE,
    INTERRUPTED,
    RUNNING,
    STOPPING,
    TrainingStatus,
)
from dashboards.state.training import IMAGE_SIZES, TrainingDesk, backbone_titles
from dashboards.views import training_text
from dashboards.views.own_sets import OwnSetsView
from dashboards.views.text import heading, paragraph
from dashboards.views.theme import CARD, NUMBER, run_button, side_by_side, stop_button, words
from dashboards.views.view import View
from xai_tf.tasks import TASKS

WIDE = {"size": "small", "sizing_mode": "stretch_width"}
TITLES = {TRAIN: mark("Train a model"), TUNE: mark("Search for the best model")}


class OrderView(View):
    """The order: what is trained on what; its plan, and the button that starts it.

    Attributes:
        desk: the state.
        open: whether the visitor is ordering.
    """

    desk = param.ClassSelector(class_=TrainingDesk)
    open = param.Boolean()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        desk = self.desk
        self._sets = Select(label=t("Labeled set"), options={t("(choose)"): ""})
        self._task = Select.from_param(
            desk.param.task,
            label=t("Its files are read as"),
            options={t(task.title): name for name, task in TASKS.items()},
        )
        titles = backbone_titles()
        self._backbone = Select(label=t("Backbone"), options=titles, value=desk.backbones[0])
        self._backbones = MultiSelect(
            label=t("Backbones"),
            options=titles,
            value=desk.backbones,
        )
        self._epochs = pmui.IntInput.from_param(
            desk.param.epochs, label=t("Epochs"), **{**WIDE, **NUMBER}
        )
        self._trials = Select.from_param(
            desk.param.max_epochs, label=t("Trials"), options=search_sizes()
        )
        self._size = Select.from_param(
            desk.param.image_size,
            label=t("Picture size in pixels"),
            options={f"{side} x {side}": side for side in IMAGE_SIZES},
        )
        self._name = pmui.TextInput.from_param(
            desk.param.model_name, label=t("Name of the model"), **WIDE
        )
        self._plan = run_button(t("Show the plan"), "calculate")
        self._start = run_button(t("Start"), "play_arrow")
        self._close = pmui.Button(label=t("Cancel"), variant="text")
        self._about, self._text, self._privacy = words(""), words(""), words("")
        self._bar = Progress(label=t("Making the plan"), visible=False)
        self._live = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._sets.param.watch(self._on_set, "value")
        self._backbone.param.watch(lambda event: self._on_backbones([event.new]), "value")
        self._backbones.param.watch(lambda event: self._on_backbones(event.new), "value")
        self._plan.on_click(self._on_plan)
        self._start.on_click(self._on_start)
        self._close.on_click(lambda _: self.close())
        desk.param.watch(self._fill_sets, ["sets", "own_sets"])
        desk.param.watch(
            self._draw,
            ["kind", "planning", "plan", "problem", "chosen", "sets", "own_sets"],
        )
        self._panel = _box(self._about, *self._fields(), visible=False)
        self._fill_sets()
        self._draw()

    async def order(self, kind: str) -> None:
        """Open the form for a training or a search, with the sets that there are now."""
        await self.desk.find_sets()
        self.desk.kind = kind
        self._on_backbones([self._backbone.value] if kind == TRAIN else list(self._backbones.value))
        self.open = True

    def close(self) -> None:
        """Close the form, and discard its plan."""
        self.desk.give_up_plan()
        self.open = False

    @param.depends("open", watch=True)
    def _on_open(self) -> None:
        self._panel.visible = self.open

    def _fields(self) -> list[pn.viewable.Viewable | pn.viewable.Viewer]:
        return [
            side_by_side(self._sets, self._task, least=220),
            self._privacy,
            *([] if self.desk.own is None else [OwnSetsView(own=self.desk.own)]),
            side_by_side(self._backbone, self._backbones, self._epochs, self._trials, least=220),
            side_by_side(self._size, self._name, least=220),
            self._bar,
            self._live,
            self._text,
            pn.FlexBox(self._plan, self._start, self._close, gap="8px"),
        ]

    def _fill_sets(self, *_: Any) -> None:
        titles = [*(self.desk.sets or {}), *self.desk.own_sets]
        self._sets.options = {t("(choose)"): ""} | {title: title for title in titles}
        if self._sets.value not in ("", *titles):  # it was deleted
            self._sets.value = ""

    # Without the lock, changes made after an await may not reach the page.
    @pn.io.with_lock
    async def _on_set(self, event: Any) -> None:
        await self.desk.choose_set(event.new)

    def _on_backbones(self, names: list[str]) -> None:
        if names != self.desk.backbones:
            self.desk.backbones = names

    def _on_plan(self, _: Any) -> None:
        self.desk.begin_plan()  # `refresh` shows it, as the page is not locked for so long

    @pn.io.with_lock
    async def _on_start(self, _: Any) -> None:
        await self.desk.start()
        if not self.desk.problem:
            self.close()

    def _draw(self, *_: Any) -> None:
        desk = self.desk
        is_training, planned = desk.kind == TRAIN, desk.plan is not None
        self._backbone.visible = self._epochs.visible = is_training
        self._backbones.visible = self._trials.visible = not is_training
        self._plan.disabled = desk.planning or not desk.chosen
        self._plan.visible, self._start.visible = not planned, planned
        self._bar.visible = desk.planning
        self._live.param.update(
            paragraphs=[t(training_text.PLANNING)] if desk.planning else [],
        )
        self._about.object = heading(t(TITLES[desk.kind])) + paragraph(
            t(training_text.ABOUT[desk.kind])
        )
        self._about.object += (
            paragraph(t(training_text.NO_SETS), "warning") if desk.has_no_sets else ""
        )
        self._privacy.object = paragraph(t(training_text.OWN), "note") if desk.is_own else ""
        self._text.object = paragraph(desk.problem, "error") + (
            training_text.plan(desk.planned, desk.plan) if planned else ""
        )

    def layout(self) -> pn.viewable.Viewable:
        """The form."""
        return self._panel


class TrainingView(View):
    """One training: how far it is, and what can be done with it.

    Attributes:
        desk: the state.
        training: how it stands.
    """

    desk = param.ClassSelector(class_=TrainingDesk)
    training = param.ClassSelector(class_=TrainingStatus)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        name = self.training.order.name
        self._title = words(training_text.title(self.training))
        self._bar = Progress(label=t("Progress of {name}", name=name))
        self._live = Live(sizing_mode="stretch_width", margin=(4, 8))
        self._use = run_button(t("Use it here"), "search")
        self._stop = stop_button()
        self._resume = self._button(t("Resume"), "play_arrow")
        self._finish = self._button(t("Make a model of the best trial"), "check")
        self._forget = self._button(t("Remove from this list"), "close", "text")
        self._use.on_click(lambda _: self.desk.use(name))
        self._on(self._stop, lambda: self.desk.stop(name))
        self._on(self._resume, lambda: self.desk.resume(name))
        self._on(self._finish, lambda: self.desk.resume(name, True))
        self._on(self._forget, lambda: self.desk.forget(name))
        self.desk.param.watch(self._draw, "finishable")
        self._draw()

    @staticmethod
    def _button(label: str, icon: str, variant: str = "outlined") -> pmui.Button:
        return pmui.Button(label=label, icon=icon, variant=variant)

    @staticmethod
    def _on(button: pmui.Button, act: Callable[[], Any]) -> None:
        @pn.io.with_lock
        async def click(_: Any) -> None:
            await act()

        button.on_click(click)

    @param.depends("training", watch=True)
    def _draw(self, *_: Any) -> None:
        status = self.training
        state = status.state
        active, can_resume = state in ACTIVE, state in (STOPPED, FAILED, INTERRUPTED)
        self._bar.visible = state in (RUNNING, STOPPING)
        self._bar.value = status.done / status.total if status.total else -1.0
        self._live.param.update(
            paragraphs=[training_text.state(status)],
            variant="error" if state == FAILED else "status",
        )
        self._use.visible = state == DONE
        self._stop.visible = active
        self._stop.disabled = state == STOPPING
        self._resume.visible = can_resume
        self._resume.label = t("Start again") if status.order.kind == TRAIN else t("Resume")
        self._finish.visible = can_resume and status.order.name in self.desk.finishable
        self._forget.visible = not active

    def layout(self) -> pn.viewable.Viewable:
        """The training as a box."""
        buttons = (self._use, self._resume, self._finish, self._stop, self._forget)
        return _box(self._title, self._bar, self._live, pn.FlexBox(*buttons, gap="8px"))


class TrainingsView(View):
    """What a visitor can order, and what was ordered.

    Attributes:
        desk: the state.
    """

    desk = param.ClassSelector(class_=TrainingDesk)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._order = OrderView(desk=self.desk)
        self._train = run_button(t("Train a model"), "model_training")
        self._tune = run_button(t("New search"), "tune")
        for button, kind in ((self._train, TRAIN), (self._tune, TUNE)):
            button.on_click(self._opening(kind))
        self._views: dict[str, TrainingView] = {}
        self._list, self._top = pn.Column(sizing_mode="stretch_width"), IntoView()
        self._order.param.watch(self._draw_buttons, "open")
        self.desk.param.watch(self._draw, "trainings")
        self._draw()

    def _opening(self, kind: str) -> Callable[[Any], Any]:
        @pn.io.with_lock
        async def click(_: Any) -> None:
            await self._order.order(kind)

        return click

    def _draw_buttons(self, *_: Any) -> None:
        self._train.visible = self._tune.visible = not self._order.open
        if not self._order.open:  # what was started stands where the form was
            self._top.come()

    def _draw(self, *_: Any) -> None:
        now = {_key(status): status for status in self.desk.trainings}
        for name, status in now.items():
            if name in self._views:
                self._views[name].training = status
            else:
                self._views[name] = TrainingView(desk=self.desk, training=status)
        if list(now) != [name for name in self._views if name in now] or len(now) != len(
            self._list
        ):
            self._views = {name: self._views[name] for name in now}
            self._list.objects = [view.__panel__() for view in self._views.values()]

    def layout(self) -> pn.viewable.Viewable:
        """The buttons, the form, and the list."""
        return pn.Column(
            self._top,
            pn.FlexBox(self._train, self._tune, gap="8px", margin=(8, 8)),
            self._order,
            self._list,
            sizing_mode="stretch_width",
        )


def _box(*parts: Any, **params: Any) -> pn.Column:
    margin = (4, 4, 8, 4)
    return pn.Column(*parts, styles=CARD, sizing_mode="stretch_width", margin=margin, **params)


def _key(status: TrainingStatus) -> str:
    """Tells a training from an earlier one of the same name."""
    return f"{status.order.name} {status.started}"
