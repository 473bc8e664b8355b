"""The Errors tab: a model on labeled files, its metrics, and its mistakes."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.progress import Progress
from dashboards.components.select import Select
from dashboards.language import n, t
from dashboards.service.requests import ModelEntry
from dashboards.state.errors import ErrorStudy
from dashboards.state.labeled_run import SPLITS
from dashboards.state.progress import about, duration
from dashboards.views.classes import model_title
from dashboards.views.errors_figures import CurvesView, FiguresView, MatrixView
from dashboards.views.errors_labels import LabelsView
from dashboards.views.errors_review import GalleryView, MistakeView
from dashboards.views.own_sets import OwnSetsView
from dashboards.views.text import bullets, paragraph
from dashboards.views.theme import card, side_by_side, words


class RunView(pn.viewable.Viewer):
    """The choice of set and model, the estimated time, and the progress."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        wide = {"size": "small", "sizing_mode": "stretch_width"}
        self._sets = Select(label=t("Labeled set"), options={t("(choose)"): ""})
        self._folder = pmui.TextInput(
            label=t("Or its folder or CSV file"),
            value=study.folder,
            visible=bool(study.roots),
            **wide,
        )
        self._split = Select(
            label=t("Split"),
            options={t(title): split for title, split in SPLITS.items()},
            value=study.split,
        )
        chosen = study.model.name if study.model else None
        self._model = Select(label=t("Model"), options=self._names(), value=chosen)
        study.param.watch(lambda _: self._model.param.update(options=self._names()), "models")
        self._run = pmui.Button(
            label=t("Evaluate"),
            icon="play_arrow",
            color="primary",
            variant="contained",
            disabled=True,
        )
        self._stop = pmui.Button(
            label=t("Stop"), icon="stop", color="error", variant="outlined", visible=False
        )
        self._bar = Progress(label=t("Files predicted"), visible=False)
        self._text = words("")
        self._sets.param.watch(self._on_set, "value")
        self._folder.param.watch(self._on_folder, "value")
        self._split.param.watch(lambda event: setattr(study, "split", event.new), "value")
        self._model.param.watch(self._on_model, "value")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: study.stop())
        study.param.watch(self._fill_sets, ["sets", "folder"])
        study.param.watch(self._on_change, ["model", "folder", "split"])
        study.param.watch(self._mark_model, "model")
        study.param.watch(
            self._draw,
            ["request", "num_files", "notes", "checking", "running", "done", "total", "problem"],
        )
        self._fill_sets()
        self._draw()

    def _names(self) -> dict[str, str]:
        return {_model_title(name, model): name for name, model in self.study.models.items()}

    def _fill_sets(self, *_: Any) -> None:
        """List the sets, and mark the chosen one."""
        study = self.study
        options = {t("(choose)"): ""} | {title: title for title in study.sets}
        value = study.folder if study.folder in study.sets else ""
        self._sets.param.update(options=options, value=value)
        self._folder.value = "" if study.is_own else study.folder

    def _on_set(self, event: Any) -> None:
        if event.new:
            self.study.folder = event.new

    def _on_folder(self, event: Any) -> None:
        # A set of the visitor's leaves the field empty, which is not the visitor's choice.
        if event.new or event.old == self.study.folder:
            self.study.folder = event.new.strip()

    def _on_model(self, event: Any) -> None:
        if event.new in self.study.models:
            self.study.model = self.study.models[event.new]

    def _mark_model(self, *_: Any) -> None:
        self._model.value = self.study.model.name if self.study.model else None

    async def _on_change(self, *_: Any) -> None:
        await self.study.check()

    async def _start(self, _: Any) -> None:
        await self.study.run()

    def _draw(self, *_: Any) -> None:
        study = self.study
        self._run.disabled = study.request is None or study.running
        self._stop.visible = self._bar.visible = study.running
        self._bar.value = study.done / study.total if study.total else -1.0
        self._text.object = (
            paragraph(study.problem, "error")
            + bullets(study.notes, "warning")
            + paragraph(_progress(study), "note")
        )

    def __panel__(self) -> pn.viewable.Viewable:
        own = [OwnSetsView(own=self.study.own)] if self.study.own else []
        return card(
            t("What to evaluate"),
            side_by_side(self._sets, self._folder, least=220),
            *own,
            side_by_side(self._model, self._split, least=220),
            self._text,
            self._bar,
            pn.FlexBox(self._run, self._stop, gap="8px"),
        )


class ErrorsView(pn.viewable.Viewer):
    """The Errors tab."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._empty = words(
            paragraph(
                t(
                    "Choose a labeled set and a model to see what the model gets wrong. A labeled "
                    "set is a folder with one subfolder of files per class, yours or one of this "
                    "server, or on this server a CSV file with the columns path and label."
                )
            )
        )
        self._outcome = pn.Column(
            _panel(LabelsView, study),
            side_by_side(_panel(FiguresView, study), _panel(MatrixView, study)),
            side_by_side(_panel(GalleryView, study), _panel(MistakeView, study)),
            CurvesView(study=study),
            sizing_mode="stretch_width",
            visible=False,
        )
        study.param.watch(self._draw, "results")
        pn.state.onload(study.find_sets)

    def _draw(self, *_: Any) -> None:
        self._empty.visible = self.study.results is None
        self._outcome.visible = self.study.results is not None

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            RunView(study=self.study), self._empty, self._outcome, sizing_mode="stretch_width"
        )


def _panel(view: type[pn.viewable.Viewer], study: ErrorStudy) -> pn.viewable.Viewable:
    return view(study=study).__panel__()


def _model_title(name: str, model: ModelEntry) -> str:
    """The name of a model with its title; several models may share a title."""
    title = model_title(model)
    return name if title in ("", name) else t("{name}: {meaning}", name=name, meaning=title)


def _progress(study: ErrorStudy) -> str:
    """The progress of the run, or its estimated time."""
    if study.running:
        left = study.seconds_left
        counts = {"done": study.done, "total": study.total}
        if left is None or left < 1:
            return t("{done} of {total} files.", **counts)
        return t("{done} of {total} files, about {time} left.", **counts, time=duration(left))
    if study.checking:
        return t("Finding files and timing the model.")
    if study.request is None:
        return ""
    return n(
        "{count} file: {time} of compute, plus the time to read it.",
        "{count} files: {time} of compute, plus the time to read them.",
        study.num_files,
        time=about(study.seconds),
    )
