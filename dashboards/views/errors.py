"""The Errors page: a model on labelled files, its figures, and what it got wrong."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.progress import Progress
from dashboards.service.requests import ModelEntry
from dashboards.state.errors import ErrorStudy
from dashboards.state.labelled_run import PARTS
from dashboards.state.progress import duration
from dashboards.views.errors_figures import CurvesView, FiguresView, MatrixView
from dashboards.views.errors_review import GalleryView, MistakeView
from dashboards.views.text import paragraph
from dashboards.views.theme import card, side_by_side, words
from xai_tf.datasets.listing import counted


class RunView(pn.viewable.Viewer):
    """What is tried on what, what it will cost, and how far it is."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        wide = {"size": "small", "sizing_mode": "stretch_width"}
        self._sets = pmui.Select(label="Labelled set", options={"(choose)": ""}, **wide)
        self._folder = pmui.TextInput(label="Or its folder or CSV file", value=study.folder, **wide)
        self._part = pmui.Select(label="Part", options=PARTS, value=study.part, **wide)
        names = {_called(name, model): name for name, model in study.models.items()}
        chosen = study.model.name if study.model else None
        self._model = pmui.Select(label="Model", options=names, value=chosen, **wide)
        self._run = pmui.Button(
            label="Evaluate", icon="play_arrow", color="primary", variant="contained", disabled=True
        )
        self._stop = pmui.Button(
            label="Stop", icon="stop", color="error", variant="outlined", visible=False
        )
        self._bar = Progress(label="Files predicted", visible=False)
        self._said = words("")
        self._sets.param.watch(self._set_chosen, "value")
        self._folder.param.watch(lambda event: setattr(study, "folder", event.new.strip()), "value")
        self._part.param.watch(lambda event: setattr(study, "part", event.new), "value")
        self._model.param.watch(self._model_chosen, "value")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: study.stop())
        study.param.watch(self._offer, "sets")
        study.param.watch(self._changed, ["model", "folder", "part"])
        study.param.watch(
            self._draw,
            ["request", "num_files", "checking", "running", "done", "total", "problem"],
        )
        self._offer()
        self._draw()

    def _offer(self, *_: Any) -> None:
        self._sets.options = {"(choose)": ""} | {title: title for title in self.study.sets}

    def _set_chosen(self, event: Any) -> None:
        if event.new:
            self._folder.value = event.new

    def _model_chosen(self, event: Any) -> None:
        if event.new in self.study.models:
            self.study.model = self.study.models[event.new]

    async def _changed(self, *_: Any) -> None:
        await self.study.check()

    async def _start(self, _: Any) -> None:
        await self.study.run()

    def _draw(self, *_: Any) -> None:
        study = self.study
        self._run.disabled = study.request is None or study.running
        self._stop.visible = self._bar.visible = study.running
        self._bar.value = study.done / study.total if study.total else -1.0
        self._said.object = paragraph(study.problem, "error") + paragraph(_progress(study), "note")

    def __panel__(self) -> pn.viewable.Viewable:
        return card(
            "What to try",
            side_by_side(self._sets, self._folder, least=220),
            side_by_side(self._model, self._part, least=220),
            self._said,
            self._bar,
            pn.FlexBox(self._run, self._stop, gap="8px"),
        )


class ErrorsView(pn.viewable.Viewer):
    """All of a study of errors."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._empty = words(
            paragraph(
                "Choose a labelled set and a model, and see what it gets wrong: a folder with a "
                "folder "
                "of files for each class, or a CSV file with columns path and label.",
            )
        )
        self._outcome = pn.Column(
            side_by_side(_panel(FiguresView, study), _panel(MatrixView, study)),
            side_by_side(_panel(GalleryView, study), _panel(MistakeView, study)),
            CurvesView(study=study),
            sizing_mode="stretch_width",
            visible=False,
        )
        study.param.watch(self._draw, "results")
        pn.state.onload(study.look)

    def _draw(self, *_: Any) -> None:
        self._empty.visible = self.study.results is None
        self._outcome.visible = self.study.results is not None

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            RunView(study=self.study), self._empty, self._outcome, sizing_mode="stretch_width"
        )


def _panel(view: type[pn.viewable.Viewer], study: ErrorStudy) -> pn.viewable.Viewable:
    return view(study=study).__panel__()


def _called(name: str, model: ModelEntry) -> str:
    """How a model is offered: with its name, for models may have one title."""
    return name if model.title in ("", name) else f"{name}: {model.title}"


def _progress(study: ErrorStudy) -> str:
    """How far it is, or what it will cost."""
    if study.running:
        left = study.seconds_left
        eta = f", about {duration(left)} left" if left is not None and left >= 1 else ""
        return f"{study.done} of {study.total} files{eta}."
    if study.checking:
        return "Looking for files, and how fast the model is."
    if study.request is None:
        return ""
    about = "about " * (study.seconds >= 1)
    cost = f"{about}{duration(study.seconds)} of computing, and reading them besides"
    return f"{counted(study.num_files, 'file')}: {cost}."
