"""How much each parameter matters for the result: permutation importance of a random forest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from tuning.reporting.drawing import (
    COLOURS,
    GREY,
    INK,
    new_figure,
    plain_text,
    text_figure,
    tidy,
)
from tuning.reporting.leaderboard import LeaderboardRow, leaderboard_rows, varying
from tuning.trials import Search

FEWEST = 8  # configurations; a forest of fewer is meaningless
EPOCHS = "epochs trained"
NUM_FORESTS, NUM_TREES, NUM_SHUFFLES = 10, 40, 3


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of the parameters for an outcome.

    Attributes:
        names: the parameters, and `EPOCHS`, which is not a choice: Hyperband trains good
            configurations longer.
        drops: float array of shape (forests, names): by how much the explained variance falls when
            the values of a parameter are shuffled.
        explained: out-of-bag R2, the mean of the forests; at or below 0 nothing is explained.
        chance: the 95th percentile of the drops with a shuffled outcome.
    """

    names: tuple[str, ...]
    drops: np.ndarray
    explained: float
    chance: float


def importance(search: Search) -> Figure:
    """How much each parameter explains of the ranking by the objective and of that by `val_ce`.

    For fewer than eight configurations the figure says that importance cannot be estimated.
    """
    rows, names = leaderboard_rows(search), varying(search)
    if reason := no_importance_reason(rows, names):
        return text_figure(reason)
    targets = list(dict.fromkeys([search.objective, "val_ce"]))
    plot = new_figure(11, 0.36 * len(names) + 1.9)
    axes = np.atleast_1d(plot.subplots(1, len(targets), sharey=True))
    for ax, target in zip(axes, targets, strict=True):
        outcome = np.array([getattr(row.epoch, target) for row in rows])
        _draw(ax, target, importances(rows, names, outcome))
    axes[0].invert_yaxis()
    return plot


def no_importance_reason(rows: Sequence[LeaderboardRow], names: Sequence[str]) -> str:
    """Why importance cannot be estimated, in a sentence; empty where it can."""
    if len(rows) < FEWEST:
        return (
            f"The importance of parameters cannot be estimated from {len(rows)} finished "
            f"configuration{'' if len(rows) == 1 else 's'}: at least {FEWEST} are needed."
        )
    if not names:
        return "The importance of parameters cannot be estimated: none of them varies."
    return ""


def importances(
    rows: Sequence[LeaderboardRow], names: Sequence[str], outcome: np.ndarray
) -> Importance:
    """Out-of-bag permutation importance (Breiman 2001) on the ranks of the outcome.

    Ranks are used because a diverged configuration would otherwise outweigh all others. Ten forests
    with fixed seeds, each without a random tenth of the configurations, show how much the result
    depends on the few configurations tried; ten more on shuffled outcomes show what chance alone
    produces.

    Args:
        rows: at least `FEWEST` configurations.
        names: the parameters that vary.
        outcome: float array of shape (rows,).
    """
    columns = [_codes([row.trial.values.get(name) for row in rows]) for name in names]
    columns.append(_codes([row.epoch.epoch for row in rows]))
    values, ranks = np.stack(columns, axis=1), rankdata(outcome)
    forests = [_forest(values, ranks, seed) for seed in range(NUM_FORESTS)]
    rng = np.random.default_rng(0)
    shuffled = [_forest(values, rng.permutation(ranks), seed)[1] for seed in range(NUM_FORESTS)]
    return Importance(
        names=(*names, EPOCHS),
        drops=np.stack([drops for _, drops in forests]),
        explained=float(np.mean([explained for explained, _ in forests])),
        chance=float(np.percentile(shuffled, 95)),
    )


def _draw(ax: Axes, target: str, result: Importance) -> None:
    """Draw bars of the mean drops, and one dot per forest; gray for what is not a choice."""
    places, means = np.arange(len(result.names)), result.drops.mean(axis=0)
    shades = [GREY if name == EPOCHS else COLOURS[0] for name in result.names]
    ax.barh(places, means, color=shades, height=0.6, alpha=0.75)
    for drops in result.drops:
        ax.plot(drops, places, "o", color=INK, markersize=2.5, alpha=0.7)
    ax.axvline(result.chance, color=COLOURS[1], linestyle="--", linewidth=1.2)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(places, [plain_text(name, 24) for name in result.names])
    explained = f"out-of-bag R² of the forest: {result.explained:.2f}"
    if result.explained <= 0:
        explained = "the forest explains nothing: ignore the bars"
    ax.set_title(f"Ranking by {target}\n{explained}", fontsize=10)
    ax.set_xlabel("drop of R² when shuffled; dashed: chance (95%)", fontsize=8)
    tidy(ax)
    ax.tick_params(axis="y", labelsize=9)


def _codes(values: list[Any]) -> np.ndarray:
    """Values as their positions in sorted order, which is all that trees use."""
    are_numbers = all(isinstance(v, int | float) for v in values)
    order = sorted(set(values)) if are_numbers else sorted({str(v) for v in values})
    codes = {value: code for code, value in enumerate(order)}
    return np.array([codes[v if are_numbers else str(v)] for v in values], np.float64)


def _forest(values: np.ndarray, ranks: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Out-of-bag R2 of one forest, and by how much it drops for each parameter."""
    from sklearn.ensemble import BaggingRegressor
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(ranks))[: len(ranks) - max(1, len(ranks) // 10)]
    values, ranks = values[chosen], ranks[chosen]
    tree = DecisionTreeRegressor(max_features=0.5, min_samples_leaf=2)
    forest = BaggingRegressor(tree, n_estimators=NUM_TREES, random_state=seed).fit(values, ranks)
    changed = [values]
    for column in range(values.shape[1]):
        for _ in range(NUM_SHUFFLES):
            changed.append(values.copy())
            changed[-1][:, column] = rng.permutation(values[:, column])
    shares = _explained(forest, np.stack(changed), ranks)
    return float(shares[0]), shares[0] - shares[1:].reshape(-1, NUM_SHUFFLES).mean(axis=1)


def _explained(forest: Any, values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Out-of-bag R2 for each of several (rows, columns) tables: shape (tables,)."""
    total, votes = np.zeros(values.shape[:2]), np.zeros(values.shape[1])
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out_of_bag = np.setdiff1d(np.arange(values.shape[1]), drawn)
        if out_of_bag.size:  # of eight rows, one draw in 400 leaves none out
            rows = values[:, out_of_bag].reshape(-1, values.shape[2])
            total[:, out_of_bag] += tree.predict(rows).reshape(len(values), -1)
            votes[out_of_bag] += 1
    predicted = votes > 0
    if not ranks[predicted].var():  # all equal: there is nothing to explain
        return np.zeros(len(values))
    errors = (total[:, predicted] / votes[predicted] - ranks[predicted]) ** 2
    return np.asarray(1 - errors.mean(axis=1) / ranks[predicted].var())
