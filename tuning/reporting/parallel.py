"""The configurations of a search in parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline

from tuning.reporting.drawing import INK, is_wide, legend, new_figure, plain_text, text_figure
from tuning.reporting.leaderboard import LeaderboardRow, leader, leaderboard_rows, varying
from tuning.trials import Search

MOST_TICKS = 6  # an axis with more values has evenly spaced ticks instead of one per value


@dataclass(frozen=True, eq=False)
class Scale:
    """The positions of values on one axis.

    Attributes:
        name: the title of the axis.
        positions: float array of shape (rows,), 0 at the bottom to 1 at the top.
        ticks: position and text of each tick.
    """

    name: str
    positions: np.ndarray
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> Scale:
        """Make the axis of some values.

        It is logarithmic where they span a factor of nine or more. Texts are evenly spaced in
        alphabetical order, and so are numbers that include zero besides such a span.
        """
        are_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        distinct: list[Any] = (
            sorted(set(values)) if are_numbers else sorted({str(v) for v in values})
        )
        zero_and_wide = are_numbers and distinct[0] == 0 and is_wide(distinct[1:])
        if not are_numbers or zero_and_wide:
            order = {value: place for place, value in enumerate(distinct)}
            levels = np.array([order[v if are_numbers else str(v)] for v in values], float)
            marks = [(float(place), _text(value)) for value, place in order.items()]
        else:
            scale: Any = np.log10 if is_wide(values) else np.asarray
            levels = np.asarray(scale(np.array(values, float)))
            shown = distinct if len(distinct) <= MOST_TICKS else _spaced(distinct, is_wide(values))
            marks = [(float(scale(value)), _text(value)) for value in shown]
        low, span = levels.min(), np.ptp(levels) or 1
        ticks = tuple(((level - low) / span, text) for level, text in marks)
        return cls(
            name,
            (levels - low) / span if np.ptp(levels) else levels * 0 + 0.5,
            ticks if np.ptp(levels) else ((0.5, marks[0][1]),),
        )

    def spread(self, order: np.ndarray) -> np.ndarray:
        """The positions, moved a little apart in the given order where rows share one."""
        moved = self.positions.copy()
        for position in np.unique(self.positions):
            rows = [row for row in order if self.positions[row] == position]
            if len(rows) > 1:
                moved[rows] += np.linspace(-1, 1, len(rows)) * min(0.04, 0.004 * len(rows))
        return moved


def parallel_coordinates(search: Search) -> Figure:
    """Each configuration as a line across its values, epochs and results.

    Colored by `val_ce`, from dark (low, which is good) to yellow; the winner is thick and black.
    """
    rows, names = leaderboard_rows(search), varying(search)
    if not rows:
        return text_figure("No configuration is finished yet.")
    results = dict.fromkeys(["val_ce", search.objective])
    scales = [Scale.of(name, [row.trial.values.get(name) for row in rows]) for name in names]
    scales.append(Scale.of("epochs trained", [row.trial.last_epoch for row in rows]))
    scales += [Scale.of(name, [getattr(row.epoch, name) for row in rows]) for name in results]
    plot = new_figure(max(8, 1.35 * len(scales) + 1), 4.8)
    ax, best = plot.subplots(), leader(search)
    _draw_rows(ax, rows, scales, best.configuration if best else "")
    for place, scale in enumerate(scales):
        _draw_scale(ax, place, scale)
    ax.set(xlim=(-0.3, len(scales) - 0.4), ylim=(-0.07, 1.07), yticks=[])
    ax.set_xticks(range(len(scales)), [plain_text(scale.name, 16) for scale in scales], fontsize=9)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    dark, light = _color(0), _color(1)
    legend(
        plot,
        [
            ("lowest val_ce", {"color": dark, "linewidth": 2}),
            ("highest val_ce", {"color": light, "linewidth": 2}),
            *([(f"trial {best.id}", {"color": INK, "linewidth": 3.2})] if best else []),
        ],
    )
    return plot


def _draw_rows(ax: Axes, rows: list[LeaderboardRow], scales: list[Scale], winner: str) -> None:
    from matplotlib.patches import PathPatch

    shade = next(scale.positions for scale in scales if scale.name == "val_ce")
    order = np.argsort(shade, kind="stable")
    heights = np.stack([scale.spread(order) for scale in scales], axis=1)
    for number in order[::-1]:  # the best ones last, on top
        wins = rows[number].trial.configuration == winner
        look = (
            {"edgecolor": INK, "linewidth": 3.2, "zorder": 3}
            if wins
            else {"edgecolor": _color(shade[number]), "linewidth": 1.3, "alpha": 0.8}
        )
        ax.add_patch(PathPatch(_ribbon(heights[number]), fill=False, **look))


def _draw_scale(ax: Axes, place: int, scale: Scale) -> None:
    ax.plot([place, place], [0, 1], color=INK, linewidth=0.8, zorder=4)
    for height, text in scale.ticks:
        ax.text(
            place + 0.05,
            height,
            plain_text(text, 14),
            fontsize=8,
            va="center",
            zorder=5,
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.8},
        )


def _ribbon(heights: np.ndarray) -> Outline:
    """A smooth line through one height per axis."""
    points, codes = [(0.0, heights[0])], [Outline.MOVETO]
    for place in range(1, len(heights)):
        before, after = heights[place - 1], heights[place]
        points += [(place - 0.6, before), (place - 0.4, after), (float(place), after)]
        codes += [Outline.CURVE4] * 3
    return Outline(points, codes)


def _spaced(values: list[float], wide: bool) -> list[float]:
    """Five values from the first to the last."""
    low, high = values[0], values[-1]
    return list(np.geomspace(low, high, 5) if wide else np.linspace(low, high, 5))


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _color(level: float) -> tuple[float, ...]:
    from matplotlib import colormaps

    return colormaps["viridis"](0.93 * level)
