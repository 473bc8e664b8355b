"""What the figures of a search have in common: colors, axes, texts. Without pyplot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which is safe for color-blind people.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY = "#222222", "#8c8c8c"
LOG_FROM = 9  # values that span this factor or more are drawn on a logarithmic scale


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; its size is in inches."""
    from xai_tf.rendering.figures import ReadableFigure

    return ReadableFigure(figsize=(width, height), dpi=100, layout="constrained")


def text_figure(text: str) -> Figure:
    """A figure with a text instead of a plot."""
    plot = new_figure(9, 0.8)
    plot.text(0.5, 0.5, plain_text(text), ha="center", va="center", fontsize=11, color=INK)
    return plot


def plain_text(text: str, length: int = 40) -> str:
    """A text for a figure: not read as mathematics, and a single word at most `length` long."""
    from xai_tf.rendering.figures import spelled

    text = spelled(text)
    short = text if len(text) <= length or " " in text else text[: length - 1] + "…"
    return short.replace("$", r"\$")


def color(number: int) -> str:
    """The color of a bracket or a class, everywhere."""
    return COLOURS[number % len(COLOURS)]


def tidy(ax: Axes) -> None:
    """Style axes: small ticks, a pale grid, no box."""
    ax.tick_params(labelsize=8)
    ax.grid(color="#e4e4e4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def whole_numbers(ax: Axes) -> None:
    """Put the ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are all positive and span so large a factor that the axis is logarithmic."""
    finite = np.array([v for v in values if np.isfinite(v)])
    return bool(finite.size and finite.min() > 0 and finite.max() / finite.min() >= LOG_FROM)


def log_axis(ax: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers as ticks."""
    from matplotlib.ticker import LogFormatter, LogLocator, NullFormatter

    class PlainFormatter(LogFormatter):
        """Writes 0.01 instead of a power of ten."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}"

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(PlainFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())


def legend(plot: Figure, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Put a legend below a figure.

    Args:
        plot: the figure.
        entries: for each entry its text, and the properties of its line.
    """
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **look) for _, look in entries]
    plot.legend(
        lines,
        [plain_text(text) for text, _ in entries],
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=9,
    )
