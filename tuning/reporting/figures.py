"""A search as matplotlib figures: learning curves, penalties, schedule; two more have own files."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.reporting.drawing import (
    COLOURS,
    GREY,
    INK,
    colour,
    is_wide,
    legend,
    log_axis,
    new_figure,
    say,
    tidy,
    whole_numbers,
)
from tuning.reporting.importance import importance as importance
from tuning.reporting.leaderboard import (
    LeaderboardRow,
    agreement,
    correlation,
    leader,
    leaderboard_rows,
)
from tuning.reporting.parallel import parallel_coordinates as parallel_coordinates
from tuning.trials import COMPLETED, FAILED, RUNNING, Epoch, Search, Trial

PANELS = (
    ("loss", "Loss with penalties, training"),
    ("ce", "Cross-entropy, training"),
    ("accuracy", "Accuracy, training"),
    ("val_loss", "Loss with penalties, validation"),
    ("val_ce", "Cross-entropy, validation"),
    ("val_accuracy", "Accuracy, validation"),
)
# Status, word, colour, hatching.
STATES = (
    (COMPLETED, "done", COLOURS[0], ""),
    (FAILED, "failed", COLOURS[1], "////"),
    (RUNNING, "running", COLOURS[4], ""),
)


def learning_curves(search: Search) -> Figure:
    """Loss, cross-entropy and accuracy over the epochs: training above, validation below.

    A line is a configuration, from the first epoch of its oldest trial to the last of the trial
    that continued it. The winner's line is strong, and its kept epoch has a star.
    """
    found = [(trials, _epochs(trials)) for trials in _chains(search)]
    chains = [(trials, epochs) for trials, epochs in found if epochs]
    if not chains:
        return say("No epoch is finished yet.")
    best = leader(search)
    kept = best and best.best(search.objective, search.direction)
    plot = new_figure(11, 6.2)
    axes = plot.subplots(2, 3, sharex=True, sharey="col").ravel()
    for ax, (name, title) in zip(axes, PANELS, strict=True):
        for trials, epochs in chains:
            _draw_curve(ax, name, trials, epochs, strong=best in trials)
        if kept:
            ax.plot(kept.epoch, getattr(kept, name), "*", color=INK, markersize=12, zorder=4)
        ax.set_title(title, fontsize=10)
        tidy(ax)
    for column, name in enumerate(("loss", "ce")):
        if is_wide([getattr(e, n) for _, es in chains for e in es for n in (name, f"val_{name}")]):
            log_axis(axes[column])
    for ax in axes[3:]:
        ax.set_xlabel("epoch", fontsize=9)
        whole_numbers(ax)
    brackets = sorted({trials[0].bracket for trials, _ in chains}, reverse=True)
    star = {"color": INK, "marker": "*", "markersize": 10, "linestyle": ""}
    entries = [(f"bracket {b}", {"color": colour(b), "linewidth": 2}) for b in brackets]
    legend(plot, entries + ([(f"trial {best.id}: strong line, kept epoch", star)] if best else []))
    return plot


def penalty(search: Search) -> Figure:
    """`val_loss` split into cross-entropy and penalty, and the two rankings against each other."""
    rows = sorted(leaderboard_rows(search), key=lambda row: row.kept.val_loss)
    if not rows:
        return say("No configuration is finished yet.")
    plot = new_figure(11, 4.2)
    left, right = plot.subplots(1, 2, width_ratios=(3, 2))
    _draw_parts(left, rows)
    _draw_ranks(right, rows)
    for ax in (left, right):
        tidy(ax)
        whole_numbers(ax)
    return plot


def schedule(search: Search) -> Figure:
    """The plan against what is done: a row a bracket, a box a round."""
    planned: Counter[tuple[int, int]] = Counter()  # iterations repeat the numbers of brackets
    spans: dict[tuple[int, int], str] = {}
    for bracket in search.study["plan"]["brackets"]:
        for number, asked in enumerate(bracket["rounds"]):
            place = bracket["bracket"], number
            planned[place] += asked["trials"]
            first, last = asked["first_epoch"] + 1, asked["last_epoch"]
            spans[place] = f"epochs {first} to {last}" if first < last else f"epoch {first}"
    seen = Counter(((t.bracket, t.round), t.status) for t in search.trials)
    rows = sorted({bracket for bracket, _ in planned}, reverse=True)
    columns = 1 + max((number for _, number in planned), default=0)
    plot = new_figure(max(6, 2.7 * columns + 0.8), 0.95 * len(rows) + 0.5)
    ax = plot.subplots()
    for (bracket, number), count in planned.items():
        states = {status: seen[(bracket, number), status] for status, *_ in STATES}
        title = f"{count} trial{'' if count == 1 else 's'}, {spans[bracket, number]}"
        _draw_round(ax, number, rows.index(bracket), title, count, states)
    ax.set(xlim=(-0.05, columns), ylim=(len(rows), 0))
    ax.set_yticks(np.arange(len(rows)) + 0.5, [f"bracket {b}" for b in rows], fontsize=9)
    ax.set_xticks(np.arange(columns) + 0.45, [f"round {n}" for n in range(columns)], fontsize=9)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    return plot


def _chains(search: Search) -> list[list[Trial]]:
    """The trials of each configuration, the oldest first; one list for each that none continues."""
    continued = {trial.parent for trial in search.trials}
    return [search.lineage(trial) for trial in search.trials if trial.id not in continued]


def _epochs(trials: list[Trial]) -> list[Epoch]:
    return [epoch for trial in trials for epoch in trial.curve]


def _draw_curve(
    ax: Axes, name: str, trials: list[Trial], epochs: list[Epoch], strong: bool
) -> None:
    look = {"linewidth": 2.8, "zorder": 3} if strong else {"linewidth": 0.9, "alpha": 0.4}
    ax.plot(
        [epoch.epoch for epoch in epochs],
        [getattr(epoch, name) for epoch in epochs],
        color=colour(trials[0].bracket),
        marker="." if len(epochs) == 1 else "",
        label=trials[-1].id,
        **look,
    )


def _draw_parts(ax: Axes, rows: list[LeaderboardRow]) -> None:
    ranks = np.arange(1, len(rows) + 1)
    losses, entropies = [r.kept.val_loss for r in rows], [r.kept.val_ce for r in rows]
    penalties = np.array([row.penalty if row.penalty > 1e-9 else np.nan for row in rows])
    ax.plot(ranks, losses, color=INK, linewidth=1.6, label="val_loss, the sum of both")
    ax.plot(ranks, penalties, "^", color=COLOURS[1], markersize=5, label="L1 and L2 penalty")
    ax.plot(ranks, entropies, "o", color=COLOURS[0], markersize=5, label="cross-entropy (val_ce)")
    if is_wide([*losses, *entropies, *penalties]):
        log_axis(ax)
    ax.set_xlabel("configurations, the best by val_loss first", fontsize=9)
    ax.set_title("What val_loss is made of", fontsize=10)
    ax.legend(fontsize=8, frameon=False)


def _draw_ranks(ax: Axes, rows: list[LeaderboardRow]) -> None:
    end = len(rows) + 1
    ax.plot([0, end], [0, end], color=GREY, linewidth=0.8)
    for row in rows:
        ax.plot(row.by_loss, row.by_ce, "o", markersize=5, color=colour(row.trial.bracket))
        if 1 in (row.by_loss, row.by_ce):
            ax.plot(row.by_loss, row.by_ce, "o", markersize=11, color=INK, fillstyle="none")
            ax.annotate(
                f"trial {row.trial.id}",
                (row.by_loss, row.by_ce),
                xytext=(9, -3),
                textcoords="offset points",
                fontsize=8,
            )
    ax.set_xlabel("rank by val_loss", fontsize=9)
    ax.set_ylabel("rank by cross-entropy (val_ce)", fontsize=9)
    ax.set(xlim=(0, end), ylim=(0, end))
    told = (
        ("val_ce", agreement(rows)),
        ("penalty", correlation([r.kept.val_loss for r in rows], [r.penalty for r in rows])),
    )
    known = ", ".join(f"{value:.2f} with {name}" for name, value in told if value is not None)
    title = f"Rank correlation of val_loss:\n{known}" if known else "The two rankings"
    ax.set_title(title, fontsize=10)


def _draw_round(
    ax: Axes, column: int, row: int, title: str, planned: int, states: dict[str, int]
) -> None:
    """A box: what was planned, a bar of what became of it, and the counts."""
    from matplotlib.patches import Rectangle

    start, share = float(column), 0.9 / max(planned, sum(states.values()), 1)
    for status, _, face, hatch in STATES:
        width = share * states[status]
        ax.add_patch(
            Rectangle(
                (start, row + 0.4),
                width,
                0.2,
                facecolor=face,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
            )
        )
        start += width
    ax.add_patch(Rectangle((column, row + 0.4), 0.9, 0.2, fill=False, edgecolor=GREY))
    ax.text(column, row + 0.22, title, fontsize=9, va="center")
    counts = [f"{states[status]} {word}" for status, word, *_ in STATES if states[status]]
    missing = planned - sum(states.values())
    counts += [f"{missing} not run"] if missing > 0 else []
    ax.text(column, row + 0.76, ", ".join(counts), fontsize=8, va="center", color="#555555")
