"""The Tuning page: a search followed live, or reviewed when it is finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.select import Select
from dashboards.components.table import Table
from dashboards.language import library_text, mark, t
from dashboards.state.search_facts import STATUSES, rounds, trial_facts, trial_rows
from dashboards.state.training import TrainingDesk
from dashboards.state.tuning import TuningRuns
from dashboards.views import tuning_figures, tuning_text
from dashboards.views.text import facts, heading, paragraph
from dashboards.views.theme import card, run_button, side_by_side, words
from dashboards.views.training import TrainingsView
from dashboards.views.tuning_plots import LearningCurves, ParallelCoordinates, Rounds
from tuning.trials import Search

PERIOD = 2000  # milliseconds between two checks of the folders
CURVES = mark(
    "Solid: validation files; dashed: training files. Gray line: from here on, another trial "
    "continues."
)
COLUMNS = {
    "trial": {"label": mark("trial")},
    "status": {"label": mark("status")},
    "bracket": {"label": mark("bracket"), "number": True},
    "round": {"label": mark("round"), "number": True},
    "epochs": {"label": mark("epochs"), "number": True},
    "val_ce": {"label": "val_ce", "number": True, "digits": 4},
    "val_accuracy": {"label": "val_accuracy", "number": True, "percent": True},
}


class TrialView(pn.viewable.Viewer):
    """One trial: the learning curves of its lineage, its configuration, why it failed."""

    runs = param.ClassSelector(class_=TuningRuns)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._curves = LearningCurves()
        self.runs.param.watch(self._draw, ["search", "chosen"])
        self._title = _words(self._title_text)
        self._facts = _words(self._facts_text)
        self._draw()

    def _draw(self, *_: Any) -> None:
        _with_page(lambda: self._curves.show(self.runs.search, self.runs.trial))

    @param.depends("runs.search", "runs.chosen")
    def _title_text(self) -> str:
        trial = self.runs.trial
        if trial is None:
            return ""
        text = mark("Trial {name}") if self.runs.chosen else mark("Trial {name} (leading)")
        reason = t("Failed: {reason}", reason=library_text(trial.reason)) if trial.reason else ""
        no_epochs = "" if trial.curve else t("This trial has not finished an epoch yet.")
        return (
            heading(t(text, name=trial.id))
            + paragraph(reason, "error")
            + paragraph(no_epochs)
            + paragraph(t(CURVES), "note")
        )

    @param.depends("runs.search", "runs.chosen")
    def _facts_text(self) -> str:
        trial = self.runs.trial
        return facts(trial_facts(self.runs.search, trial)) if trial else ""

    def __panel__(self) -> pn.viewable.Viewable:
        plots = side_by_side(
            _plot(self._curves.losses), _plot(self._curves.shares), self._facts, least=260
        )
        return pn.Column(self._title, plots, sizing_mode="stretch_width")


class TrialsView(pn.viewable.Viewer):
    """All trials as a table; clicking a row selects its trial."""

    runs = param.ClassSelector(class_=TuningRuns)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._table = Table(label=t("Trials of the search"))
        self.runs.param.watch(self._fill, "search")
        self.runs.param.watch(self._mark, ["search", "chosen"])
        self._table.param.watch(self._chosen, "value")
        self._fill()
        self._mark()

    def _fill(self, *_: Any) -> None:
        search = self.runs.search
        rows = trial_rows(search) if search else []
        columns = _columns(search, rows) if search else []
        if columns != self._table.columns:  # before the rows: they name what rows hold
            self._table.param.update(rows=[], columns=columns)
        self._table.rows = rows

    def _mark(self, *_: Any) -> None:
        self._table.value = self.runs.trial.id if self.runs.trial else ""

    def _chosen(self, event: param.parameterized.Event) -> None:
        selected = self.runs.trial.id if self.runs.trial else ""
        if event.new != selected:
            self.runs.chosen = event.new

    def __panel__(self) -> pn.viewable.Viewable:
        return self._table


class TuningView(pn.viewable.Viewer):
    """The list of searches, and everything about the selected one.

    Attributes:
        runs: the searches.
        desk: what visitors have trained; None where they may not.
    """

    runs = param.ClassSelector(class_=TuningRuns)
    desk = param.ClassSelector(class_=TrainingDesk)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        runs = self.runs
        runs.read_now()  # a page that is still being built would miss later changes
        if self.desk is not None:
            self.desk.read_now()
        self._picker = Select(label=t("Search"))
        self._try = run_button(t("Use it here"), "search")
        self._try.on_click(self._open)
        self._rounds, self._parallel = Rounds(), ParallelCoordinates(self._choose_trial)
        self._more = pmui.Button(
            label=t("Draw the figures of the report"),
            icon="insert_chart",
            variant="outlined",
            on_click=self._want_figures,
        )
        self._parts = pn.Column(sizing_mode="stretch_width", visible=False)
        self._parts.extend(self._sections())
        self._picker.param.watch(self._choose_search, "value")
        runs.param.watch(self._list, ["searches", "folder"])
        runs.param.watch(self._draw, "search")
        self._list()
        self._draw()
        if self.desk is not None:
            self.desk.param.watch(self._follow_started, "running_search")
        if pn.state.curdoc is not None:  # nothing ticks without a page
            pn.state.add_periodic_callback(self._look, period=PERIOD)

    def _sections(self) -> list[pn.viewable.Viewable]:
        runs = self.runs
        summary: Any = pn.bind(
            _if_read(tuning_text.summary), runs.param.search, runs.param.live, runs.param.changed
        )
        plots = side_by_side(
            card(t("Brackets and rounds"), _plot(self._rounds.plot)),
            card(t("Configurations (click one to select it)"), _scrolling(self._parallel.plot)),
        )
        return [
            _words(summary),
            _words(pn.bind(_if_read(tuning_text.winner), runs.param.search, runs.param.labels)),
            self._try,
            side_by_side(
                card(t("Trials, the best first"), TrialsView(runs=runs)),
                card(t("Trial"), TrialView(runs=runs)),
            ),
            plots,
            _words(self._about(tuning_text.failed)),
            self._more,
            words(pn.bind(paragraph, runs.param.drawing)),
            self._pictures(),
            _words(self._about(tuning_text.how_to_resume)),
        ]

    def _about(self, text: Callable[[Search], str]) -> Any:
        return pn.bind(_if_read(text), self.runs.param.search)

    def _pictures(self) -> pn.pane.HTML:
        drawn = self.runs.param.figures
        pane = words(
            pn.bind(lambda figures: tuning_figures.figures(self.runs.search, figures), drawn)
        )
        pane.stylesheets = [*pane.stylesheets, tuning_figures.STYLE]
        return pane

    def _list(self, *_: Any) -> None:
        runs = self.runs
        folders = dict.fromkeys([*runs.searches, *([runs.folder] if runs.folder else [])])
        self._picker.options = _short_names(list(folders))
        self._picker.value = runs.folder
        self._picker.visible = bool(folders)

    def _draw(self, *_: Any) -> None:
        search = self.runs.search
        self._parts.visible = search is not None
        self._try.visible = bool(self.runs.model)
        _with_page(lambda: self._parallel.show(search))
        _with_page(lambda: self._rounds.show(rounds(search) if search else []))

    @pn.io.with_lock  # without it, changes made after an await may not reach the page
    async def _look(self) -> None:
        if self.desk is not None:
            await self.desk.refresh()
        await self.runs.refresh()

    @pn.io.with_lock
    async def _choose_search(self, event: param.parameterized.Event) -> None:
        if event.new is not None:
            await self.runs.choose(event.new)

    def _choose_trial(self, name: str) -> None:
        self.runs.chosen = name

    def _follow_started(self, event: param.parameterized.Event) -> None:
        self.runs.follow(event.new)

    def _want_figures(self, *_: Any) -> None:
        self._more.visible = False  # from now on they are redrawn as the search progresses
        self.runs.wants_figures = True

    def _open(self, *_: Any) -> None:
        self.runs.param.trigger("open_model")

    @param.depends("runs.searches", "runs.search", "runs.problem")
    def _introduction(self) -> str:
        how = tuning_text.how_to_start(self.runs, self.desk is not None)
        return how + paragraph(self.runs.problem, "error")

    def __panel__(self) -> pn.viewable.Viewable:
        parts = [_words(self._introduction), self._picker, self._parts]
        if self.desk is not None:
            parts.insert(0, TrainingsView(desk=self.desk).__panel__())
        return pn.Column(*parts, sizing_mode="stretch_width")


def _words(content: Any) -> pn.pane.HTML:
    pane = words(content)
    pane.stylesheets = [*pane.stylesheets, tuning_text.STYLE]
    return pane


def _plot(plot: Any) -> pn.pane.Bokeh:
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width")


def _scrolling(plot: Any) -> pn.Column:
    """A plot that scrolls where the page is too narrow for it."""
    return pn.Column(_plot(plot), sizing_mode="stretch_width", styles={"overflow-x": "auto"})


def _with_page(draw: Callable[[], None]) -> None:
    """Change plots while holding the page's lock, which panes take by themselves."""
    if pn.state.curdoc is None:
        draw()
    else:
        pn.state.execute(draw, schedule=True)


def _if_read(text: Callable[..., str]) -> Callable[..., str]:
    """The text about a search; empty before it is read."""
    return lambda search, *more: text(search, *more) if search is not None else ""


def _columns(search: Search, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The columns of the table of trials: the objective, other metrics, then parameters."""
    columns = dict(COLUMNS)
    if search.multi_label:
        columns["val_accuracy"] = columns["val_accuracy"] | {"label": mark("right labels")}
    score = columns.pop(search.objective, {"number": True, "digits": 4})
    columns["score"] = score | {"label": search.objective}
    columns["status"] = columns["status"] | {"words": {name: t(name) for name in STATUSES.values()}}
    names = list(rows[0]) if rows else ["trial", "score"]
    return [
        {"name": name} | _translated(columns.get(name) or _parameter(rows, name))
        for name in names
        if name != search.objective
    ]


def _parameter(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return {"label": name, "number": _are_numbers(rows, name)}


def _translated(column: dict[str, Any]) -> dict[str, Any]:
    return column | {"label": t(column["label"])}


def _are_numbers(rows: list[dict[str, Any]], name: str) -> bool:
    return all(isinstance(row[name], int | float) for row in rows if row[name] is not None)


def _short_names(folders: list[Path]) -> dict[str, Path]:
    """Folders by the shortest end of their path that is unique."""
    return {_short_name(folder, folders): folder for folder in folders}


def _short_name(folder: Path, folders: list[Path]) -> str:
    tails = (folder.parts[-depth:] for depth in range(1, len(folder.parts) + 1))
    return "/".join(
        next(t for t in tails if sum(other.parts[-len(t) :] == t for other in folders) == 1)
    )
