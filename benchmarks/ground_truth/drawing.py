"""The leaderboard as a picture: skill of each entry in each round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.ground_truth.leaderboard import Round, standings
from benchmarks.ground_truth.puzzles import PUZZLES
from benchmarks.ground_truth.writing import title

SHORT = {"mobilenet_v2": "MobileNetV2", "cnn": "plain CNN"}
# Stands on its own ground, so that it reads alike on a light page and on a dark one.
GROUND, INK = "#ffffff", "#1b1b1f"


def draw(rounds: Sequence[Round], path: Path) -> None:
    """Write a heat table: a row for each entry, the best first; a column for each round."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    order = standings(rounds)
    columns = [
        np.array([one.skill for one in order]),
        *(np.array([np.nanmean(r.skills[s.entry]) for s in order]) for r in rounds),
    ]
    table = np.stack(columns, axis=1)
    heads = ["all", *(f"{PUZZLES[r.puzzle].title}\n{SHORT[r.backbone]}" for r in rounds)]
    figure = Figure(figsize=(2.2 + 0.62 * len(heads), 2.0 + 0.34 * len(order)), dpi=110)
    FigureCanvasAgg(figure)
    figure.set_facecolor(GROUND)
    axes = figure.subplots()
    palette = colormaps["viridis"]
    axes.imshow(np.clip(table, 0, 1), cmap=palette, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(table.shape):
        red, green, blue, _ = palette(float(np.clip(table[row, column], 0, 1)))
        bright = 0.3 * red + 0.6 * green + 0.1 * blue > 0.5
        axes.text(
            column,
            row,
            f"{table[row, column]:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="black" if bright else "white",
            weight="bold" if column == 0 else "normal",
        )
    axes.set_xticks(range(len(heads)), heads, rotation=60, ha="left", fontsize=8, color=INK)
    axes.xaxis.tick_top()
    names = [title(one.entry).strip("*") for one in order]
    axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    for label, one in zip(axes.get_yticklabels(), order, strict=True):
        label.set_style("italic" if title(one.entry).startswith("*") else "normal")
    axes.tick_params(length=0)
    axes.set_xlabel(
        "Skill: 0 is chance, 1 is the plant and nothing else. In italics: baselines.",
        color=INK,
        fontsize=9,
    )
    axes.axvline(0.5, color=GROUND, linewidth=3)
    for side in axes.spines.values():
        side.set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor=GROUND)
