"""The Compare page: a grid of maps on one scale, and how far the methods agree."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.state.comparison import CLASSES, MAX_COLUMNS, MODELS, Cell, Comparison
from dashboards.state.progress import about
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import card, run_button, side_by_side, stop_button, words
from dashboards.views.view import View
from xai_tf.agreement.agreement import Agreement, chance_overlap
from xai_tf.agreement.disagreement import DisagreementMap
from xai_tf.attribution.methods import METHODS
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url, sample_viewer_data, viewer_data


class ControlsView(View):
    """What is compared, what it costs, and the buttons."""

    comparison = param.ClassSelector(class_=Comparison)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        state = self.comparison
        self._methods = pmui.MultiChoice(
            label="Methods",
            options={m.title: m.name for m in METHODS.values()},
            value=state.methods,
            sizing_mode="stretch_width",
        )
        self._across = pmui.RadioButtonGroup(
            label="Against", options={"classes": CLASSES, "models": MODELS}, value=state.across
        )
        self._columns = pmui.MultiChoice(
            label="Columns", max_items=MAX_COLUMNS, sizing_mode="stretch_width"
        )
        self._run, self._stop = run_button("Compare", "grid_view"), stop_button()
        self._run.on_click(lambda _: state.run())
        self._stop.on_click(lambda _: state.stop())
        self._methods.param.watch(lambda e: setattr(state, "methods", list(e.new)), "value")
        self._across.param.watch(lambda e: setattr(state, "across", e.new), "value")
        self._columns.param.watch(self._chosen, "value")
        state.param.watch(
            self._fill, ["methods", "across", "classes", "models", "cells", "running", "active"]
        )
        self._fill()

    def _chosen(self, event: Any) -> None:
        state = self.comparison
        setattr(state, state.across, list(event.new))

    def _fill(self, *_: Any) -> None:
        state, reading = self.comparison, self.comparison.workspace.reading
        if not state.active:
            return
        self._methods.value, self._across.value = state.methods, state.across
        if state.across == MODELS:
            options = {model.name: model.name for model in state.comparable()}
        else:
            names = reading.prediction.classes if reading else ()
            options = {name: label for label, name in enumerate(names)}
        chosen = [value for value in getattr(state, state.across) if value in options.values()]
        self._columns.param.update(options=options, value=chosen)
        seconds = state.seconds
        self._run.label = f"Compare ({about(seconds)})" if seconds else "Compare"
        self._run.disabled = not state.cells or all(c.explanation for c in state.cells.values())
        self._stop.visible = state.running > 0

    def layout(self) -> pn.viewable.Viewable:
        return card(
            "What to compare",
            self._methods,
            self._across,
            self._columns,
            pn.Row(self._run, self._stop),
        )


class GridView(View):
    """Methods in rows, classes or models in columns; one colour scale for all."""

    comparison = param.ClassSelector(class_=Comparison)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._stages: dict[tuple[int, int], AttributionViewer] = {}
        self._drawn: dict[tuple[int, int], tuple[Any, ...]] = {}
        self._found: dict[tuple[int, int], Any] = {}
        self._ends: dict[int, float] = {}
        self._grid = pn.GridBox(ncols=1, sizing_mode="stretch_width")
        self._together = pmui.Switch(label="All cells change together", value=True)
        self._controls = AttributionViewer(group="compare", visible=self._together)
        self._words = words(
            paragraph(
                "One scale for all, with zero in the middle; its end, 1, is the 99th percentile of "
                "a row, in the method's own unit, which stands beside the name. So colours compare "
                "along a row, and shapes everywhere.",
                "note",
            )
        )
        self._together.param.watch(self._part, "value")
        self.comparison.param.watch(self._draw, ["cells", "active"])
        self._draw()

    def _part(self, *_: Any) -> None:
        """Give each cell switches of its own, or take them away again."""
        self._stages, self._drawn = {}, {}
        self._draw()

    def _draw(self, *_: Any) -> None:
        state = self.comparison
        if not state.active:  # it is drawn when it is looked at; nothing old is seen before
            self._grid.objects = []
            self._stages, self._drawn, self._found = {}, {}, {}
            return
        places = sorted(state.cells)
        columns = 1 + max((column for _, column in places), default=0)
        shown = [self._stage(place) for place in places]
        found = {place: cell.explanation for place, cell in state.cells.items()}
        if found != self._found:
            self._found = found
            self._ends = {row: state.end(row) for row in {row for row, _ in places}}
        titles = state.columns
        for (row, column), cell in sorted(state.cells.items()):
            title = f"{METHODS[state.methods[row]].title}: {titles[column]}"
            self._draw_cell((row, column), cell, self._ends[row], title)
        if list(self._grid.objects) != shown or self._grid.ncols != columns:
            self._grid.param.update(ncols=columns, objects=shown)

    def _draw_cell(self, place: tuple[int, int], cell: Cell, end: float, title: str) -> None:
        """Progress comes ten times a second: it changes the caption only."""
        stage, found = self._stages[place], cell.explanation
        if found is None:
            sample = self.comparison.workspace.sample
            shown, drawn = lambda: sample_viewer_data(sample), (sample,)
            caption = f"{title}. {cell.status}" if cell.status else title
        else:
            shown, drawn = lambda: _on_shared_scale(viewer_data(found, end)), (found, end)
            caption = f"{title} (1 is {end:.2g})"
        changed = {} if self._drawn.get(place) == drawn else shown()
        stage.param.update(**changed | {"caption": caption})
        self._drawn[place] = drawn

    def _stage(self, place: tuple[int, int]) -> AttributionViewer:
        if place not in self._stages:
            together = self._together.value
            self._stages[place] = AttributionViewer(
                group="compare" if together else "", controls=not together, margin=4
            )
        return self._stages[place]

    def layout(self) -> pn.viewable.Viewable:
        scroll = pn.Column(self._grid, styles={"overflow-x": "auto"}, sizing_mode="stretch_width")
        return pn.Column(
            self._words, self._together, self._controls, scroll, sizing_mode="stretch_width"
        )


class AgreementView(View):
    """How far the methods agree on a column, in numbers and as maps of consensus and conflict."""

    comparison = param.ClassSelector(class_=Comparison)
    column = param.Integer(default=0)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._pick = pmui.Select(label="Agreement on", size="small", sizing_mode="stretch_width")
        self._words = words("")
        self._stage = AttributionViewer(controls=False, group="consensus", visible=False)
        self._apart = AttributionViewer(controls=False, group="consensus", visible=False)
        self._disputes = words("")
        self._drawn: list[Any] = []
        self._pick.param.watch(self._draw, "value")
        self.comparison.param.watch(self._fill, ["cells", "active"])
        self._fill()

    def _fill(self, *_: Any) -> None:
        if not self.comparison.active:
            self._drawn, self._words.object, self._disputes.object = [], "", ""
            self._stage.visible = self._apart.visible = False
            return
        names = self.comparison.columns if self.comparison.cells else []
        options = {name: number for number, name in enumerate(names)}
        value = self._pick.value if self._pick.value in options.values() else None
        first = 0 if options else None
        self._pick.param.update(options=options, value=first if value is None else value)
        self._draw()

    def _draw(self, *_: Any) -> None:
        column = self._pick.value
        maps = [] if column is None else self.comparison.of_column(column)
        if maps and maps == self._drawn:  # only the progress of others changed
            return
        self._drawn = maps
        found = None if column is None else self.comparison.agreement(column)
        self._stage.visible = self._apart.visible = found is not None
        if found is None:
            self._words.object = paragraph("Needs two maps or more.", "note")
            self._disputes.object = ""
            return
        self._words.object = _tables(found)
        self._stage.param.update(**_consensus(self.comparison, column))
        apart = self.comparison.disagreement_map(column)
        self._apart.param.update(**_conflicts(self.comparison, apart))
        self._disputes.object = _said_apart(apart)

    def layout(self) -> pn.viewable.Viewable:
        maps = side_by_side(self._stage, self._apart, least=240)
        return card("Do the methods agree?", self._pick, self._words, maps, self._disputes)


class ComparePage(View):
    """All of a comparison."""

    comparison = param.ClassSelector(class_=Comparison)
    extras = param.List(default=[], doc="views that stand below the agreement")

    def layout(self) -> pn.viewable.Viewable:
        aside = pn.Column(
            ControlsView(comparison=self.comparison),
            AgreementView(comparison=self.comparison),
            *self.extras,
            sizing_mode="stretch_width",
        )
        grid = pn.Column(GridView(comparison=self.comparison), sizing_mode="stretch_width")
        return side_by_side(grid, aside)


def _on_shared_scale(shown: dict[str, Any]) -> dict[str, Any]:
    """The same with the numbers of the grid's scale in place of the map's own."""
    if not shown["scale"]:
        return shown
    first = -1 if float(shown["scale"]["ticks"][0][1]) < 0 else 0
    numbers = (first, (first + 1) / 2, 1)
    ticks = [(place, f"{n:g}") for place, n in zip((0, 0.5, 1), numbers, strict=True)]
    return shown | {"scale": shown["scale"] | {"ticks": ticks}}


def _tables(found: Agreement) -> str:
    chance = chance_overlap(0.1)
    return (
        _table("Rank correlation of strength (1: the same order)", found, found.correlations)
        + _table(
            f"Overlap of the strongest tenths (1: the same places; {chance:.2f} is chance)",
            found,
            found.overlaps,
        )
        + _signs(found)
    )


def _signs(found: Agreement) -> str:
    told = ~np.isnan(np.diag(found.signs))
    if told.sum() < 2:
        return paragraph(
            "Signs cannot be compared: fewer than two of the methods tell any.", "note"
        )
    names = tuple(name for name, kept in zip(found.names, told, strict=True) if kept)
    title = "Same sign at the strongest tenths of either (1: always; 0.50 is chance)"
    return _table(title, replace(found, names=names), found.signs[np.ix_(told, told)])


def _table(title: str, found: Agreement, values: np.ndarray) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in found.names)
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(f'<td style="{_shade(value)}">{value:.2f}</td>' for value in line)
        + "</tr>"
        for name, line in zip(found.names, values, strict=True)
    )
    return f"<h3>{escape(title)}</h3><table><thead><tr><td></td>{head}</tr></thead>{rows}</table>"


def _shade(value: float) -> str:
    share = round(45 * max(0.0, float(value)))
    return f"background: color-mix(in srgb, var(--panel-primary-color) {share}%, transparent)"


def _consensus(comparison: Comparison, column: int) -> dict[str, Any]:
    """The parameters of a stage that shows what the methods of a column agree on."""
    count = len(comparison.of_column(column))
    text = f"Consensus of {count} methods: the mean rank of each place; brightest where all agree."
    return _map(comparison, comparison.consensus(column), text)


def _conflicts(comparison: Comparison, found: DisagreementMap) -> dict[str, Any]:
    """The parameters of a stage that shows where the methods of a column conflict."""
    text = "Conflict: how far the ranks of each place lie apart; brightest also where signs oppose."
    return _map(comparison, found.level, text)


def _said_apart(found: DisagreementMap) -> str:
    if not found.disagreements:
        return paragraph("There is no place on which the methods are far apart.", "note")
    said = [f"{dispute.place}: {dispute.text}." for dispute in found.disagreements]
    return heading("Where they are furthest apart", 3) + bullets(said)


def _map(comparison: Comparison, level: np.ndarray, text: str) -> dict[str, Any]:
    from matplotlib import colormaps

    drawn = np.rint(colormaps[heatmaps.UNSIGNED](level)[..., :3] * 255).astype(np.uint8)
    return sample_viewer_data(comparison.workspace.sample) | {
        "heatmap": picture_url(drawn),
        "mode": "map",
        "alt": text,
        "caption": text,
    }
