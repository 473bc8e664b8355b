"""A search as matplotlib figures: learning curves, penalties, schedule, and two more."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.reporting.drawing import (
    COLOURS,
    GREY,
    INK,
    color,
    is_wide,
    legend,
    log_axis,
    new_figure,
    text_figure,
    tidy,
    whole_numbers,
)
from tuning.reporting.importance import importance as importance
from tuning.reporting.leaderboard import (
    LeaderboardRow,
    correlation,
    leader,
    leaderboard_rows,
    rank_correlation,
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
# Status, its label, color and hatching.
STATES = (
    (COMPLETED, "done", COLOURS[0], ""),
    (FAILED, "failed", COLOURS[1], "////"),
    (RUNNING, "running", COLOURS[4], ""),
)


def learning_curves(search: Search) -> Figure:
    """Loss, cross-entropy and accuracy over the epochs: training above, validation below.

    Each line is a configuration, from the first epoch of its oldest trial to the last epoch of the
    trial that continued it. The winner's line is bold, and its best epoch has a star.
    """
    all_chains = [(trials, _epochs(trials)) for trials in _chains(search)]
    chains = [(trials, epochs) for trials, epochs in all_chains if epochs]
    if not chains:
        return text_figure("No epoch is finished yet.")
    best = leader(search)
    best_epoch = search.best_epoch(best) if best else None
    plot = new_figure(11, 6.2)
    axes = plot.subplots(2, 3, sharex=True, sharey="col").ravel()
    for ax, (name, title) in zip(axes, PANELS, strict=True):
        for trials, epochs in chains:
            _draw_curve(ax, name, trials, epochs, bold=best in trials)
        if best_epoch:
            value = getattr(best_epoch, name)
            ax.plot(best_epoch.epoch, value, "*", color=INK, markersize=12, zorder=4)
        ax.set_title(title, fontsize=10)
        tidy(ax)
    for column, name in enumerate(("loss", "ce")):
        if is_wide([getattr(e, n) for _, es in chains for e in es for n in (name, f"val_{name}")]):
            log_axis(axes[column])
    for ax in axes[3:]:
        ax.set_xlabel("epoch", fontsize=9)
        whole_numbers(ax)
    brackets = sorted({trials[0].bracket for trials, _ in chains}, reverse=True)
    entries: list[tuple[str, dict[str, Any]]] = [
        (f"bracket {b}", {"color": color(b), "linewidth": 2}) for b in brackets
    ]
    if best:
        star = {"color": INK, "marker": "*", "markersize": 10, "linestyle": ""}
        entries.append((f"trial {best.id}: bold line; its best epoch", star))
    legend(plot, entries)
    return plot


def penalty(search: Search) -> Figure:
    """`val_loss` as cross-entropy and penalty, and the ranks by `val_loss` and by `val_ce`."""
    rows = sorted(leaderboard_rows(search), key=lambda row: row.epoch.val_loss)
    if not rows:
        return text_figure("No configuration is finished yet.")
    plot = new_figure(11, 4.2)
    left, right = plot.subplots(1, 2, width_ratios=(3, 2))
    _draw_parts(left, rows)
    _draw_ranks(right, rows)
    for ax in (left, right):
        tidy(ax)
        whole_numbers(ax)
    return plot


def schedule(search: Search) -> Figure:
    """The plan and what has been done of it: one row per bracket, one box per round."""
    planned: Counter[tuple[int, int]] = Counter()  # iterations repeat the numbers of brackets
    spans: dict[tuple[int, int], str] = {}
    for bracket in search.study["plan"]["brackets"]:
        for number, plan in enumerate(bracket["rounds"]):
            position = bracket["bracket"], number
            planned[position] += plan["trials"]
            first, last = plan["first_epoch"] + 1, plan["last_epoch"]
            spans[position] = f"epochs {first} to {last}" if first < last else f"epoch {first}"
    counts = Counter(((t.bracket, t.round), t.status) for t in search.trials)
    rows = sorted({bracket for bracket, _ in planned}, reverse=True)
    columns = 1 + max((number for _, number in planned), default=0)
    plot = new_figure(max(6, 2.7 * columns + 0.8), 0.95 * len(rows) + 0.5)
    ax = plot.subplots()
    for (bracket, number), count in planned.items():
        states = {status: counts[(bracket, number), status] for status, *_ in STATES}
        title = f"{count} trial{'' if count == 1 else 's'}, {spans[bracket, number]}"
        _draw_round(ax, number, rows.index(bracket), title, count, states)
    ax.set(xlim=(-0.05, columns), ylim=(len(rows), 0))
    ax.set_yticks(np.arange(len(rows)) + 0.5, [f"bracket {b}" for b in rows], fontsize=9)
    ax.set_xticks(np.arange(columns) + 0.45, [f"round {n}" for n in range(columns)], fontsize=9)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    return plot


def _chains(search: Search) -> list[list[Trial]]:
    """For each trial that no other continues, it and those it continues, the oldest first."""
    continued = {trial.parent for trial in search.trials}
    return [search.lineage(trial) for trial in search.trials if trial.id not in continued]


def _epochs(trials: list[Trial]) -> list[Epoch]:
    return [epoch for trial in trials for epoch in trial.curve]


def _draw_curve(ax: Axes, name: str, trials: list[Trial], epochs: list[Epoch], bold: bool) -> None:
    look: dict[str, Any] = (
        {"linewidth": 2.8, "zorder": 3} if bold else {"linewidth": 0.9, "alpha": 0.4}
    )
    ax.plot(
        [epoch.epoch for epoch in epochs],
        [getattr(epoch, name) for epoch in epochs],
        color=color(trials[0].bracket),
        marker="." if len(epochs) == 1 else "",
        label=trials[-1].id,
        **look,
    )


def _draw_parts(ax: Axes, rows: list[LeaderboardRow]) -> None:
    ranks = np.arange(1, len(rows) + 1)
    losses, entropies = [r.epoch.val_loss for r in rows], [r.epoch.val_ce for r in rows]
    penalties = np.array([row.penalty if row.penalty > 1e-9 else np.nan for row in rows])
    ax.plot(ranks, losses, color=INK, linewidth=1.6, label="val_loss (sum of both)")
    ax.plot(ranks, penalties, "^", color=COLOURS[1], markersize=5, label="L1 and L2 penalty")
    ax.plot(ranks, entropies, "o", color=COLOURS[0], markersize=5, label="cross-entropy (val_ce)")
    if is_wide([*losses, *entropies, *penalties]):
        log_axis(ax)
    ax.set_xlabel("rank by val_loss", fontsize=9)
    ax.set_title("Parts of val_loss", fontsize=10)
    ax.legend(fontsize=8, frameon=False)


def _draw_ranks(ax: Axes, rows: list[LeaderboardRow]) -> None:
    end = len(rows) + 1
    ax.plot([0, end], [0, end], color=GREY, linewidth=0.8)
    for row in rows:
        ranks = row.loss_rank, row.ce_rank
        ax.plot(*ranks, "o", markersize=5, color=color(row.trial.bracket))
        if 1 in ranks:
            ax.plot(*ranks, "o", markersize=11, color=INK, fillstyle="none")
            ax.annotate(
                f"trial {row.trial.id}",
                ranks,
                xytext=(9, -3),
                textcoords="offset points",
                fontsize=8,
            )
    ax.set_xlabel("rank by val_loss", fontsize=9)
    ax.set_ylabel("rank by cross-entropy (val_ce)", fontsize=9)
    ax.set(xlim=(0, end), ylim=(0, end))
    correlations = (
        ("val_ce", rank_correlation(rows)),
        ("penalty", correlation([r.epoch.val_loss for r in rows], [r.penalty for r in rows])),
    )
    text = ", ".join(
        f"{value:.2f} with {name}" for name, value in correlations if value is not None
    )
    title = f"Rank correlation of val_loss:\n{text}" if text else "The two rankings"
    ax.set_title(title, fontsize=10)


def _draw_round(
    ax: Axes, column: int, row: int, title: str, planned: int, states: dict[str, int]
) -> None:
    """Draw the box of a round: what was planned, a bar by status, and the counts."""
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
    counts = [f"{states[status]} {label}" for status, label, *_ in STATES if states[status]]
    missing = planned - sum(states.values())
    counts += [f"{missing} not run"] if missing > 0 else []
    ax.text(column, row + 0.76, ", ".join(counts), fontsize=8, va="center", color="#555555")
