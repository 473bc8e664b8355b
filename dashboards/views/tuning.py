"""The Tuning page: a search that is followed while it runs, or looked at when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.table import Table
from dashboards.state.search_facts import rounds, trial_facts, trial_rows
from dashboards.state.tuning import TuningRuns
from dashboards.views import tuning_figures, tuning_words
from dashboards.views.text import facts, heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from dashboards.views.tuning_plots import LearningCurves, ParallelCoordinates, Rounds
from tuning.trials import Search

PERIOD = 2000  # milliseconds between two looks at the folders
CURVES = "Solid: on validation files; dashed: on training files. Grey: another trial goes on."
COLUMNS = {
    "trial": {"label": "trial"},
    "status": {"label": "status"},
    "bracket": {"label": "bracket", "number": True},
    "round": {"label": "round", "number": True},
    "epochs": {"label": "epochs", "number": True},
    "val_ce": {"label": "val_ce", "number": True, "digits": 4},
    "val_accuracy": {"label": "val_accuracy", "number": True, "percent": True},
}


class TrialView(pn.viewable.Viewer):
    """One trial: its learning curves with those it goes on from, its values, why it failed."""

    runs = param.ClassSelector(class_=TuningRuns)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._curves = LearningCurves()
        self.runs.param.watch(self._draw, ["search", "chosen"])
        self._title = _words(self._say_title)
        self._facts = _words(self._say_facts)
        self._draw()

    def _draw(self, *_: Any) -> None:
        _with_page(lambda: self._curves.show(self.runs.search, self.runs.trial))

    @param.depends("runs.search", "runs.chosen")
    def _say_title(self) -> str:
        trial = self.runs.trial
        if trial is None:
            return ""
        leads = "" if self.runs.chosen else ", the one that leads"
        reason = paragraph(f"Failed: {trial.reason}", "error") if trial.reason else ""
        none = "" if trial.curve else paragraph("No epoch of it is finished yet.")
        return heading(f"Trial {trial.id}{leads}") + reason + none + paragraph(CURVES, "note")

    @param.depends("runs.search", "runs.chosen")
    def _say_facts(self) -> str:
        trial = self.runs.trial
        return facts(trial_facts(self.runs.search, trial)) if trial else ""

    def __panel__(self) -> pn.viewable.Viewable:
        plots = side_by_side(
            _plot(self._curves.losses), _plot(self._curves.shares), self._facts, least=260
        )
        return pn.Column(self._title, plots, sizing_mode="stretch_width")


class TrialsView(pn.viewable.Viewer):
    """All trials as a table; a row that is clicked is looked at."""

    runs = param.ClassSelector(class_=TuningRuns)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._table = Table(label="Trials of the search")
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
        shown = self.runs.trial.id if self.runs.trial else ""
        if event.new != shown:
            self.runs.chosen = event.new

    def __panel__(self) -> pn.viewable.Viewable:
        return self._table


class TuningView(pn.viewable.Viewer):
    """The searches, the one looked at, and everything known of it."""

    runs = param.ClassSelector(class_=TuningRuns)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        runs = self.runs
        runs.look()  # now: a page that is still being built misses what changes meanwhile
        self._picker = pmui.Select(label="Search", size="small", sizing_mode="stretch_width")
        self._try = pmui.Button(
            label="Explain with this model", icon="search", on_click=self._open, visible=False
        )
        self._rounds, self._parallel = Rounds(), ParallelCoordinates(self._choose_trial)
        self._more = pmui.Button(
            label="Draw the figures of the report",
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
        if pn.state.curdoc is not None:  # nothing ticks without a page
            pn.state.add_periodic_callback(self._look, period=PERIOD)

    def _sections(self) -> list[pn.viewable.Viewable]:
        runs = self.runs
        summary = pn.bind(
            _if_read(tuning_words.summary), runs.param.search, runs.param.live, runs.param.changed
        )
        plots = side_by_side(
            card("Brackets and rounds", _plot(self._rounds.plot)),
            card("Configurations: a click chooses one", _plot(self._parallel.plot)),
        )
        return [
            _words(summary),
            side_by_side(_words(self._about(tuning_words.winner)), self._try),
            side_by_side(
                card("Trials", TrialsView(runs=runs)), card("Trial", TrialView(runs=runs))
            ),
            plots,
            _words(self._about(tuning_words.failed)),
            self._more,
            words(pn.bind(paragraph, runs.param.drawing)),
            self._pictures(),
            _words(self._about(tuning_words.go_on)),
        ]

    def _about(self, say: Callable[[Search], str]) -> Any:
        return pn.bind(_if_read(say), self.runs.param.search)

    def _pictures(self) -> pn.pane.HTML:
        drawn = self.runs.param.figures
        pane = words(
            pn.bind(lambda figures: tuning_figures.figures(self.runs.search, figures), drawn)
        )
        pane.stylesheets = [*pane.stylesheets, tuning_figures.STYLE]
        return pane

    def _list(self, *_: Any) -> None:
        runs = self.runs
        known = dict.fromkeys([*runs.searches, *([runs.folder] if runs.folder else [])])
        self._picker.options = _named(list(known))
        self._picker.value = runs.folder
        self._picker.visible = bool(known)

    def _draw(self, *_: Any) -> None:
        search = self.runs.search
        self._parts.visible = search is not None
        self._try.visible = bool(self.runs.model)
        _with_page(lambda: self._parallel.show(search))
        _with_page(lambda: self._rounds.show(rounds(search) if search else []))

    @pn.io.with_lock  # what is changed without it after a wait may never reach the page
    async def _look(self) -> None:
        await self.runs.refresh()

    @pn.io.with_lock
    async def _choose_search(self, event: param.parameterized.Event) -> None:
        if event.new is not None:
            await self.runs.choose(event.new)

    def _choose_trial(self, name: str) -> None:
        self.runs.chosen = name

    def _want_figures(self, *_: Any) -> None:
        self._more.visible = False  # from now on they follow the search
        self.runs.wants_figures = True

    def _open(self, *_: Any) -> None:
        self.runs.param.trigger("open_model")

    @param.depends("runs.searches", "runs.search", "runs.problem")
    def _say_first(self) -> str:
        return tuning_words.empty(self.runs) + paragraph(self.runs.problem, "error")

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            _words(self._say_first), self._picker, self._parts, sizing_mode="stretch_width"
        )


def _words(content: Any) -> pn.pane.HTML:
    pane = words(content)
    pane.stylesheets = [*pane.stylesheets, tuning_words.STYLE]
    return pane


def _plot(plot: Any) -> pn.pane.Bokeh:
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width")


def _with_page(draw: Callable[[], None]) -> None:
    """Change plots when the page is ours: unlike panes they do not see to that themselves."""
    if pn.state.curdoc is None:
        draw()
    else:
        pn.state.execute(draw, schedule=True)


def _if_read(say: Callable[..., str]) -> Callable[..., str]:
    """What is said of a search; nothing before it is read."""
    return lambda search, *more: say(search, *more) if search is not None else ""


def _columns(search: Search, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The columns of a table of trials: the objective before the other figures, then parameters."""
    look = COLUMNS.get(search.objective, {"number": True, "digits": 4})
    fixed = {name: column for name, column in COLUMNS.items() if name != search.objective}
    places = list(fixed)
    places.insert(places.index("epochs") + 1, "score")
    names = [*places, *(n for n in (rows[0] if rows else {}) if n not in (*COLUMNS, "score"))]
    known = fixed | {"score": look | {"label": search.objective}}
    return [{"name": n} | known.get(n, {"label": n, "number": _numbers(rows, n)}) for n in names]


def _numbers(rows: list[dict[str, Any]], name: str) -> bool:
    return all(isinstance(row[name], int | float) for row in rows if row[name] is not None)


def _named(folders: list[Path]) -> dict[str, Path]:
    """Folders by as much of their paths, from the end, as tells them apart."""
    return {_short(folder, folders): folder for folder in folders}


def _short(folder: Path, folders: list[Path]) -> str:
    tails = (folder.parts[-depth:] for depth in range(1, len(folder.parts) + 1))
    return "/".join(
        next(t for t in tails if sum(other.parts[-len(t) :] == t for other in folders) == 1)
    )
