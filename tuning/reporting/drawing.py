"""What the figures of a search share: colours, axes, words. No state of pyplot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's, which the colour-blind can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY = "#222222", "#8c8c8c"
LOG_FROM = 9  # a span of values by this factor or more is drawn by its logarithm


def new_figure(width: float, height: float) -> Figure:
    """A figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def say(text: str) -> Figure:
    """A figure that says why there is none."""
    plot = new_figure(9, 0.8)
    plot.text(0.5, 0.5, plain(text), ha="center", va="center", fontsize=11, color=INK)
    return plot


def plain(text: str, length: int = 40) -> str:
    """A text of the user's for a figure: without mathematics, and no longer than `length`."""
    short = text if len(text) <= length or " " in text else text[: length - 1] + "…"
    return short.replace("$", r"\$")


def colour(number: int) -> str:
    """The colour of a bracket or a class, everywhere."""
    return COLOURS[number % len(COLOURS)]


def tidy(ax: Axes) -> None:
    """Small ticks, a pale grid, no box."""
    ax.tick_params(labelsize=8)
    ax.grid(color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def whole_numbers(ax: Axes) -> None:
    """Ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are all positive and span a factor that asks for a logarithmic axis."""
    finite = np.array([v for v in values if np.isfinite(v)])
    return bool(finite.size and finite.min() > 0 and finite.max() / finite.min() >= LOG_FROM)


def log_axis(ax: Axes) -> None:
    """A logarithmic vertical axis whose ticks are plain numbers."""
    from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}"

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(Plain())
    ax.yaxis.set_minor_formatter(NullFormatter())


def legend(plot: Figure, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """A legend below a figure: texts, and how the line of each looks."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **look) for _, look in entries]
    plot.legend(
        lines,
        [plain(text) for text, _ in entries],
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=9,
    )
