"""The Compare tab: a grid of maps on a common scale, and the agreement of the methods."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.select import MultiSelect, Select
from dashboards.language import library_text, number, t
from dashboards.state.comparison import CLASSES, MAX_COLUMNS, MODELS, Cell, Comparison
from dashboards.state.progress import about
from dashboards.views.classes import class_options
from dashboards.views.text import bullets, heading, numbered, paragraph
from dashboards.views.theme import card, run_button, side_by_side, stop_button, words
from dashboards.views.view import View
from xai_tf.agreement.agreement import NO_CONSENSUS, Agreement, chance_overlap
from xai_tf.agreement.disagreement import DisagreementMap
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.class_names import readable
from xai_tf.inputs.sample import Sample
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url, sample_viewer_data, viewer_data

MAX_PAIRS = 3  # of methods that are said to disagree


class ControlsView(View):
    """The choice of methods and columns, the estimated time, and the buttons."""

    comparison = param.ClassSelector(class_=Comparison)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        state = self.comparison
        self._methods = MultiSelect(
            label=t("Methods"),
            options={m.title: m.name for m in METHODS.values()},
            value=state.methods,
        )
        self._across = pmui.RadioButtonGroup(
            label=t("Columns show"),
            options={t("classes"): CLASSES, t("models"): MODELS},
            value=state.across,
        )
        self._columns = MultiSelect(label=t("Columns"), max_items=MAX_COLUMNS)
        self._alone = words("")
        self._run, self._stop = run_button(t("Compare"), "grid_view"), stop_button()
        self._run.on_click(lambda _: state.run())
        self._stop.on_click(lambda _: state.stop())
        self._methods.param.watch(lambda e: setattr(state, "methods", list(e.new)), "value")
        self._across.param.watch(lambda e: setattr(state, "across", e.new), "value")
        self._columns.param.watch(self._on_columns, "value")
        state.param.watch(
            self._fill, ["methods", "across", "classes", "models", "cells", "running", "active"]
        )
        self._fill()

    def _on_columns(self, event: Any) -> None:
        setattr(self.comparison, self.comparison.across, list(event.new))

    def _fill(self, *_: Any) -> None:
        state, reading = self.comparison, self.comparison.workspace.reading
        if not state.active:
            return
        self._methods.value, self._across.value = state.methods, state.across
        if state.across == MODELS:
            options = {model.name: model.name for model in state.comparable()}
        else:
            names = reading.prediction.classes if reading else ()
            options = class_options(names)
        chosen = [value for value in getattr(state, state.across) if value in options.values()]
        self._columns.param.update(options=options, value=chosen)
        alone = state.across == MODELS and len(options) < 2 and reading is not None
        self._alone.object = paragraph(
            t("No other model of this task is on this server, so there is nothing to compare with.")
            if alone
            else "",
            "note",
        )
        seconds = state.seconds
        self._run.label = t("Compare") + (f" ({about(seconds)})" if seconds else "")
        self._run.disabled = not state.cells or all(c.explanation for c in state.cells.values())
        self._stop.visible = state.running > 0

    def layout(self) -> pn.viewable.Viewable:
        """The card of the controls."""
        return card(
            t("What to compare"),
            self._methods,
            self._across,
            self._columns,
            self._alone,
            pn.Row(self._run, self._stop),
        )


class GridView(View):
    """Methods in rows, classes or models in columns, on one color scale."""

    comparison = param.ClassSelector(class_=Comparison)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._viewers: dict[tuple[int, int], AttributionViewer] = {}
        self._drawn: dict[tuple[int, int], tuple[Any, ...]] = {}
        self._explanations: dict[tuple[int, int], Any] = {}
        self._ends: dict[int, float] = {}
        self._disagreements: dict[int, DisagreementMap | None] = {}  # by column
        self._grid = pn.GridBox(ncols=1, sizing_mode="stretch_width")
        self._together = pmui.Switch(label=t("Change all cells together"), value=True)
        self._controls = AttributionViewer(group="compare", visible=self._together)
        self._words = words(
            paragraph(
                t(
                    "All maps share one scale. Its end, 1, is the 99th percentile of the row in "
                    "the method's own unit; the value is given in each caption. Colors can be "
                    "compared within a row, shapes across the whole grid."
                ),
                "note",
            )
        )
        self._together.param.watch(self._on_together, "value")
        self.comparison.param.watch(self._draw, ["cells", "active"])
        self._draw()

    def _on_together(self, *_: Any) -> None:
        """Give each cell its own controls, or remove them."""
        self._viewers, self._drawn = {}, {}
        self._draw()

    def _draw(self, *_: Any) -> None:
        state = self.comparison
        if not state.active:  # drawn when the tab is opened, so that no stale cell is shown
            self._grid.objects = []
            self._viewers, self._drawn, self._explanations = {}, {}, {}
            return
        places = sorted(state.cells)
        columns = 1 + max((column for _, column in places), default=0)
        shown = [self._viewer(place) for place in places]
        explanations = {place: cell.explanation for place, cell in state.cells.items()}
        if explanations != self._explanations:
            self._explanations = explanations
            self._ends = {row: state.end(row) for row in {row for row, _ in places}}
            self._disagreements = {
                column: state.disagreement_map(column)
                for column in {column for _, column in places}
            }
        titles = state.columns
        for (row, column), cell in sorted(state.cells.items()):
            method = METHODS[state.methods[row]].title
            title = t("{name}: {meaning}", name=method, meaning=readable(titles[column]))
            self._draw_cell((row, column), cell, self._ends[row], title)
        if list(self._grid.objects) != shown or self._grid.ncols != columns:
            self._grid.param.update(ncols=columns, objects=shown)

    def _draw_cell(self, place: tuple[int, int], cell: Cell, end: float, title: str) -> None:
        """Draw a cell that changed; progress, ten times a second, updates only the caption."""
        explanation, sample = cell.explanation, self.comparison.workspace.sample
        outlined = _outlined(self._disagreements.get(place[1]), explanation)
        content = (sample,) if explanation is None else (explanation, end, outlined)
        changed: dict[str, Any] = {}
        if self._drawn.get(place) != content:
            changed = (
                _not_yet(sample)
                if explanation is None
                else _on_shared_scale(viewer_data(explanation, end))
                | {"note": "", "alt": library_text(viewer_data(explanation, end)["alt"])}
                | {"places": outlined}
            )
        if explanation is None:
            caption = f"{title}. {cell.status}" if cell.status else title
        else:
            caption = t("{title} (1 is {end})", title=title, end=number(end, ".2g"))
        self._viewers[place].param.update(**changed | {"caption": caption})
        self._drawn[place] = content

    def _viewer(self, place: tuple[int, int]) -> AttributionViewer:
        if place not in self._viewers:
            together = self._together.value
            self._viewers[place] = AttributionViewer(
                group="compare" if together else "", controls=not together, margin=4
            )
        return self._viewers[place]

    def layout(self) -> pn.viewable.Viewable:
        """The explanation of the scale, the common controls and the grid."""
        scroll = pn.Column(self._grid, styles={"overflow-x": "auto"}, sizing_mode="stretch_width")
        return pn.Column(
            self._words, self._together, self._controls, scroll, sizing_mode="stretch_width"
        )


class AgreementView(View):
    """The agreement of the methods on a column: tables, consensus map and conflict map."""

    comparison = param.ClassSelector(class_=Comparison)
    column = param.Integer(default=0)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._pick = Select(label=t("Agreement on"))
        self._words = words("")
        self._consensus_viewer = AttributionViewer(controls=False, group="consensus", visible=False)
        self._conflict_viewer = AttributionViewer(controls=False, group="consensus", visible=False)
        self._disagreements = words("")
        self._drawn: list[Any] = []
        self._pick.param.watch(self._draw, "value")
        self.comparison.param.watch(self._fill, ["cells", "active"])
        self._fill()

    def _fill(self, *_: Any) -> None:
        if not self.comparison.active:
            self._drawn, self._words.object, self._disagreements.object = [], "", ""
            self._consensus_viewer.visible = self._conflict_viewer.visible = False
            return
        names = self.comparison.columns if self.comparison.cells else []
        options = class_options(names)
        value = self._pick.value if self._pick.value in options.values() else None
        first = 0 if options else None
        self._pick.param.update(options=options, value=first if value is None else value)
        self._draw()

    def _draw(self, *_: Any) -> None:
        column = self._pick.value
        maps = [] if column is None else self.comparison.of_column(column)
        if maps and maps == self._drawn:  # only the progress of other cells changed
            return
        self._drawn = maps
        agreement = None if column is None else self.comparison.agreement(column)
        self._consensus_viewer.visible = self._conflict_viewer.visible = agreement is not None
        if agreement is None:
            self._words.object = paragraph(t("At least two maps are needed."), "note")
            self._disagreements.object = ""
            return
        self._words.object = (
            paragraph(library_text(agreement.sentence), "headline-small")
            + bullets(_unlike(agreement))
            + _tables(agreement)
        )
        self._consensus_viewer.visible = agreement.beyond_chance
        if agreement.beyond_chance:
            self._consensus_viewer.param.update(**_consensus(self.comparison, column))
        else:
            self._words.object += paragraph(library_text(NO_CONSENSUS), "note")
        disagreement = self.comparison.disagreement_map(column)
        self._conflict_viewer.param.update(**_conflicts(self.comparison, disagreement))
        self._disagreements.object = _disagreement_text(disagreement)

    def layout(self) -> pn.viewable.Viewable:
        """The card of the agreement."""
        maps = side_by_side(self._consensus_viewer, self._conflict_viewer, least=240)
        return card(t("Do the methods agree?"), self._pick, self._words, maps, self._disagreements)


class ComparePage(View):
    """The Compare tab."""

    comparison = param.ClassSelector(class_=Comparison)
    extras = param.List(default=[], doc="Views below the agreement.")

    def layout(self) -> pn.viewable.Viewable:
        """The grid, with the controls and the agreement beside it."""
        aside = pn.Column(
            ControlsView(comparison=self.comparison),
            AgreementView(comparison=self.comparison),
            *self.extras,
            sizing_mode="stretch_width",
        )
        grid = pn.Column(GridView(comparison=self.comparison), sizing_mode="stretch_width")
        return side_by_side(grid, aside)


def _not_yet(sample: Sample) -> dict[str, Any]:
    """A cell without a map: the picture in gray, so that it does not look like a result."""
    shown = sample_viewer_data(sample)
    return shown | {
        "original": shown["gray"],
        "note": t("Not computed yet"),
        "places": [],
        "alt": library_text(shown["alt"]),
    }


def _on_shared_scale(shown: dict[str, Any]) -> dict[str, Any]:
    """Viewer parameters with the tick labels of the grid's scale, -1 or 0 to 1."""
    if not shown["scale"]:
        return shown
    first = -1 if float(shown["scale"]["ticks"][0][1]) < 0 else 0
    numbers = (first, (first + 1) / 2, 1)
    ticks = [(place, number(end, "g")) for place, end in zip((0, 0.5, 1), numbers, strict=True)]
    return shown | {"scale": shown["scale"] | {"ticks": ticks}}


def _tables(agreement: Agreement) -> str:
    chance = chance_overlap(0.1)
    return (
        _table(t("Rank correlation of strength (1: same order)"), agreement, agreement.correlations)
        + _table(
            t(
                "Overlap of the strongest 10% (1: same pixels; chance: {chance})",
                chance=number(chance, ".2f"),
            ),
            agreement,
            agreement.overlaps,
        )
        + _signs(agreement)
    )


def _signs(agreement: Agreement) -> str:
    signed = ~np.isnan(np.diag(agreement.signs))
    if signed.sum() < 2:
        return paragraph(
            t("Signs cannot be compared: fewer than two of the methods are signed."), "note"
        )
    names = tuple(name for name, has_sign in zip(agreement.names, signed, strict=True) if has_sign)
    title = t(
        "Same sign within the strongest 10% of either map (1: always; chance: {chance})",
        chance=number(0.5, ".2f"),
    )
    return _table(title, replace(agreement, names=names), agreement.signs[np.ix_(signed, signed)])


def _table(title: str, agreement: Agreement, values: np.ndarray) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in agreement.names)
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(f'<td style="{_shade(value)}">{number(value, ".2f")}</td>' for value in line)
        + "</tr>"
        for name, line in zip(agreement.names, values, strict=True)
    )
    return f"<h3>{escape(title)}</h3><table><thead><tr><td></td>{head}</tr></thead>{rows}</table>"


def _shade(value: float) -> str:
    share = round(45 * max(0.0, float(value)))
    return f"background: color-mix(in srgb, var(--panel-primary-color) {share}%, transparent)"


def _consensus(comparison: Comparison, column: int) -> dict[str, Any]:
    """The parameters of a viewer that shows the consensus of a column."""
    count = len(comparison.of_column(column))
    text = t(
        "Consensus of {count} methods: mean rank of each pixel, brightest where all methods agree.",
        count=count,
    )
    return _map(comparison, comparison.consensus(column), text)


def _conflicts(comparison: Comparison, disagreement: DisagreementMap) -> dict[str, Any]:
    """The parameters of a viewer that shows where the methods of a column disagree."""
    text = t(
        "Conflict: brightest where the ranks of a pixel differ most or the signs are opposite."
    )
    return _map(comparison, disagreement.level, text) | {"places": _outlined(disagreement)}


def _outlined(
    disagreement: DisagreementMap | None, explanation: Explanation | None = None
) -> list[tuple[int, float, float, float, float]]:
    """Numbers and boxes of the disagreements; of those only in which an explanation takes part."""
    return [
        (place, *region.box)
        for place, region in enumerate(disagreement.disagreements if disagreement else (), 1)
        if explanation is None or explanation.method.title in (region.first, region.second)
    ]


def _disagreement_text(disagreement: DisagreementMap) -> str:
    if not disagreement.disagreements:
        return paragraph(t("The methods do not disagree strongly in any region."), "note")
    texts = [
        t("{name}: {meaning}", name=library_text(region.place), meaning=library_text(region.text))
        + "."
        for region in disagreement.disagreements
    ]
    return (
        heading(t("Where the methods disagree most"), 3)
        + paragraph(t("Each place is outlined, with its number, on both maps."), "note")
        + numbered(texts)
    )


def _unlike(agreement: Agreement) -> list[str]:
    """The pairs of methods that disagree, the least alike first, as sentences."""
    return [
        t(
            "{first} and {second} disagree: their rank correlation is {value}.",
            first=first,
            second=second,
            value=number(value, ".2f"),
        )
        for first, second, value in agreement.unlike_pairs[:MAX_PAIRS]
    ]


def _map(comparison: Comparison, level: np.ndarray, text: str) -> dict[str, Any]:
    from matplotlib import colormaps

    drawn = np.rint(colormaps[heatmaps.UNSIGNED](level)[..., :3] * 255).astype(np.uint8)
    return sample_viewer_data(comparison.workspace.sample) | {
        "heatmap": picture_url(drawn),
        "mode": "map",
        "places": [],
        "alt": text,
        "caption": text,
    }
