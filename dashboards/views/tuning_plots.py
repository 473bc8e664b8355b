"""Plots of a search that the browser draws, and that are updated while it runs.

The page themes axes, titles and legends for light and dark mode; our own colors can be
distinguished on both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    FactorRange,
    FixedTicker,
    HoverTool,
    Range1d,
    TapTool,
    WheelZoomTool,
)
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from dashboards.language import t
from dashboards.state.search_facts import position
from tuning.reporting.drawing import COLOURS
from tuning.reporting.leaderboard import leader, leaderboard_rows, varying
from tuning.reporting.parallel import Scale
from tuning.trials import Search, Trial

BLUE, RED, GREEN, _, AMBER, _ = COLOURS
GREY = "#8c8c8c"
SHADES = Viridis256[90:236]  # the ends of the scale are invisible on black or on white
# Solid for validation files, dashed for training files.
LOSSES = (
    ("val_loss", RED, "solid"),
    ("loss", RED, "dashed"),
    ("val_ce", BLUE, "solid"),
    ("ce", BLUE, "dashed"),
)
SHARES = (("val_accuracy", GREEN, "solid"), ("accuracy", GREEN, "dashed"))
STATES = (("done", BLUE), ("failed", RED), ("running", AMBER), ("open", "#b8bec5"))
TICK_BACKGROUND: dict[str, Any] = {
    "background_fill_color": "#ffffff",
    "background_fill_alpha": 0.8,
}
AXIS_WIDTH = 62  # pixels that an axis needs for the texts at its ticks
LEANING = 0.6  # the angle of the axes' names in radians, so that long ones stay apart
MOST_DRAWN = 300  # configurations; more could not be distinguished, and would be slow


class LearningCurves:
    """The epochs of one trial and of those it continues, in two plots."""

    def __init__(self) -> None:
        self._epochs = ColumnDataSource({"epoch": [], **{n: [] for n, *_ in (*LOSSES, *SHARES)}})
        self._starts = ColumnDataSource({"epoch": []})
        self._best = ColumnDataSource({"epoch": [], "val_loss": [], "val_accuracy": []})
        self.losses = self._figure(t("Loss"), LOSSES, "val_loss")
        self.shares = self._figure(t("Accuracy"), SHARES, "val_accuracy")
        self.shares.x_range = self.losses.x_range

    def show(self, search: Search | None, trial: Trial | None) -> None:
        """Draw another trial, or new epochs of this one."""
        chain = search.lineage(trial) if search and trial else []
        epochs = [epoch for step in chain for epoch in step.curve]
        best = search.best_epoch(trial) if search and trial else None
        names = ("epoch", *(name for name, *_ in (*LOSSES, *SHARES)))
        self._epochs.data = {name: [getattr(e, name) for e in epochs] for name in names}
        self._starts.data = {"epoch": [step.first_epoch + 0.5 for step in chain[1:]]}
        names = ("epoch", "val_loss", "val_accuracy")
        self._best.data = {name: [getattr(best, name)] if best else [] for name in names}

    def _figure(self, title: str, lines: Sequence[tuple[str, ...]], starred: str) -> figure:
        plot = _plot(title=title, height=270, min_width=260)
        plot.vspan(x="epoch", source=self._starts, color=GREY, line_width=1.5)
        for name, color, dash in lines:
            plot.line(
                "epoch",
                name,
                source=self._epochs,
                color=color,
                line_dash=dash,
                line_width=2,
                legend_label=name,
            )
            plot.scatter("epoch", name, source=self._epochs, color=color, size=5)
        plot.scatter(
            "epoch",
            starred,
            source=self._best,
            marker="star",
            size=16,
            color=AMBER,
            line_color="#222222",
            legend_label=t("best epoch"),
        )
        plot.xaxis.axis_label = t("epoch")
        plot.xaxis.ticker.min_interval = 1
        plot.xaxis.ticker.num_minor_ticks = 0
        _legend_below(plot)
        tooltips = [(t("epoch"), "@epoch"), *((name, f"@{name}{{0.0000}}") for name, *_ in lines)]
        plot.add_tools(HoverTool(tooltips=tooltips, mode="vline", renderers=plot.renderers[1:2]))
        return plot


class Rounds:
    """Hyperband's rounds as bars of their trials by status."""

    def __init__(self) -> None:
        columns = ("place", "planned", "epochs", *(name for name, _ in STATES))
        self._source = ColumnDataSource({name: [] for name in columns})
        self._places, self._counts = FactorRange(), Range1d(0, 1)
        self.plot = _plot(
            title="", height=200, min_width=280, y_range=self._places, x_range=self._counts
        )
        self.plot.hbar_stack(
            [name for name, _ in STATES],
            y="place",
            height=0.7,
            source=self._source,
            color=[color for _, color in STATES],
            legend_label=[_state(n) for n, _ in STATES],
        )
        self.plot.xaxis.axis_label = t("trials")
        self.plot.ygrid.visible = False
        _legend_below(self.plot)
        tooltips = [
            (t("planned"), t("{count} trials, {epochs}", count="@planned", epochs="@epochs"))
        ]
        tooltips += [(_state(name), f"@{name}") for name, _ in STATES]
        self.plot.add_tools(HoverTool(tooltips=tooltips))

    def show(self, rows: Sequence[dict[str, Any]]) -> None:
        """Draw the rows of `search_facts.rounds`."""
        places = [position(row["bracket"], row["round"]) for row in rows]
        columns = ("planned", "epochs", *(name for name, _ in STATES))
        if list(self._places.factors) != places[::-1]:
            self._places.factors = places[::-1]
            self.plot.height = 110 + 26 * len(places)
        self._counts.end = 1.02 * max([1, *(sum(row[name] for name, _ in STATES) for row in rows)])
        self._source.data = {"place": places, **{n: [row[n] for row in rows] for n in columns}}


class ParallelCoordinates:
    """Configurations as lines across their values and results.

    Args:
        on_select: is called with the id of the trial whose line is clicked.
    """

    def __init__(self, on_select: Callable[[str], None]) -> None:
        names = ("xs", "ys", "color", "width", "alpha", "trial", "values", "score", "val_ce")
        self._lines = ColumnDataSource({name: [] for name in names})
        self._axes = ColumnDataSource({"x": []})
        self._ticks = ColumnDataSource({"x": [], "y": [], "text": []})
        self.plot = plot = _plot(title="", height=360, min_width=320)
        self._span = Range1d(-0.2, 1)
        plot.x_range, plot.y_range = self._span, Range1d(-0.06, 1.06)
        plot.vspan(x="x", source=self._axes, color=GREY, line_width=1)
        lines = plot.multi_line(
            "xs",
            "ys",
            source=self._lines,
            line_color="color",
            line_width="width",
            line_alpha="alpha",
            hover_line_color=AMBER,
            hover_line_alpha=1,
            nonselection_line_alpha=0.25,
        )
        plot.text(
            "x",
            "y",
            "text",
            source=self._ticks,
            text_font_size="11px",
            x_offset=4,
            text_baseline="middle",
            padding=2,
            text_color="#222222",
            **TICK_BACKGROUND,
        )
        tooltips = [(t(name), f"@{name}") for name in ("trial", "score", "val_ce", "values")]
        hover = HoverTool(tooltips=tooltips, renderers=[lines], line_policy="interp")
        plot.add_tools(hover, TapTool())
        plot.yaxis.visible = plot.grid.visible = False
        plot.xaxis.major_tick_line_color = None
        plot.xaxis.major_label_orientation = LEANING
        self._on_select = on_select
        self._lines.selected.on_change("indices", self._tapped)

    def show(self, search: Search | None) -> None:
        """Draw the finished configurations, the best by the objective last, on top."""
        rows = leaderboard_rows(search)[:MOST_DRAWN] if search else []
        if not rows:
            for source in (self._lines, self._axes, self._ticks):
                source.data = {name: [] for name in source.data}
            return
        names, best = varying(search), leader(search)
        results = dict.fromkeys(["val_ce", search.objective])
        scales = [Scale.of(name, [row.trial.values.get(name) for row in rows]) for name in names]
        scales.append(Scale.of("epochs", [row.trial.last_epoch for row in rows]))
        scales += [Scale.of(name, [getattr(row.epoch, name) for row in rows]) for name in results]
        shade = next(scale.positions for scale in scales if scale.name == "val_ce")
        heights = np.stack([scale.spread(np.argsort(shade)) for scale in scales], axis=1)
        order = range(len(rows) - 1, -1, -1)
        leads = [best is not None and rows[i].trial.id == best.id for i in order]
        self._lines.data = {
            "xs": [list(range(len(scales)))] * len(rows),
            "ys": [heights[i].tolist() for i in order],
            "color": [
                RED if lead else SHADES[int(shade[i] * (len(SHADES) - 1))]
                for i, lead in zip(order, leads, strict=True)
            ],
            "width": [4.0 if lead else 1.6 for lead in leads],
            "alpha": [1.0 if lead else 0.8 for lead in leads],
            "trial": [rows[i].trial.id for i in order],
            "values": [_values_text(rows[i].trial, names) for i in order],
            "score": [f"{rows[i].trial.score:.4g}" for i in order],
            "val_ce": [f"{rows[i].epoch.val_ce:.4g}" for i in order],
        }
        ticks = [
            (at, level, text) for at, scale in enumerate(scales) for level, text in scale.ticks
        ]
        self._axes.data = {"x": list(range(len(scales)))}
        self._ticks.data = dict(
            zip(("x", "y", "text"), map(list, zip(*ticks, strict=True)), strict=True)
        )
        self._span.end = len(scales) - 0.4
        self.plot.min_width = AXIS_WIDTH * len(scales)
        self.plot.xaxis.ticker = FixedTicker(ticks=list(range(len(scales))))
        self.plot.xaxis.major_label_overrides = {i: s.name for i, s in enumerate(scales)}

    def _tapped(self, _: str, __: list[int], indices: list[int]) -> None:
        if indices:
            self._on_select(self._lines.data["trial"][indices[0]])


def _plot(**options: Any) -> figure:
    """A plot as wide as its container, on which scrolling still scrolls the page."""
    plot = figure(
        sizing_mode="stretch_width",
        tools="pan,box_zoom,reset",
        active_drag=None,
        toolbar_location=None,
        **options,
    )
    plot.add_tools(WheelZoomTool(modifiers={"ctrl": True}))
    return plot


def _legend_below(plot: figure) -> None:
    legend = plot.legend[0]
    legend.orientation, legend.ncols = "horizontal", 2
    legend.label_text_font_size, legend.padding, legend.spacing = "11px", 2, 2
    legend.border_line_color = legend.background_fill_color = None
    plot.add_layout(legend, "below")


def _state(name: str) -> str:
    return t("not run") if name == "open" else t(name)


def _values_text(trial: Trial, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {trial.values.get(name)}" for name in names)
