"""How much each parameter explains of a search's outcome: permutation importance of a forest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from tuning.reporting.drawing import COLOURS, GREY, INK, new_figure, plain, say, tidy
from tuning.reporting.leaderboard import LeaderboardRow, leaderboard_rows, varying
from tuning.trials import Search

FEWEST = 8  # configurations; below, a forest of them says nothing
EPOCHS = "epochs trained"
NUM_FORESTS, NUM_TREES, NUM_SHUFFLES = 10, 40, 3


@dataclass(frozen=True, eq=False)
class Importance:
    """What parameters explain of an outcome.

    Attributes:
        names: the parameters, and `EPOCHS`, which no one chose: good trials are trained longer.
        drops: float array of shape (forests, names): by how much the explained share falls when
            the values of a parameter are shuffled.
        explained: R2 out of the bag, the mean of the forests; at or below 0 nothing is explained.
        chance: the 95th percentile of drops where the outcome itself was shuffled.
    """

    names: tuple[str, ...]
    drops: np.ndarray
    explained: float
    chance: float


def importance(search: Search) -> Figure:
    """How much each parameter explains of the order by the objective, and beside it by `val_ce`.

    For fewer than eight configurations the figure says that it can't be told.
    """
    rows, names = leaderboard_rows(search), varying(search)
    if reason := why_not(rows, names):
        return say(reason)
    targets = list(dict.fromkeys([search.objective, "val_ce"]))
    plot = new_figure(11, 0.36 * len(names) + 1.9)
    axes = np.atleast_1d(plot.subplots(1, len(targets), sharey=True))
    for ax, target in zip(axes, targets, strict=True):
        outcome = np.array([getattr(row.kept, target) for row in rows])
        _draw(ax, target, importances(rows, names, outcome))
    axes[0].invert_yaxis()
    return plot


def why_not(rows: Sequence[LeaderboardRow], names: Sequence[str]) -> str:
    """Why importances can't be told, in a sentence; empty where they can."""
    if len(rows) < FEWEST:
        return (
            f"The importance of parameters cannot be told from {len(rows)} finished "
            f"configuration{'' if len(rows) == 1 else 's'}: {FEWEST} or more are needed."
        )
    if not names:
        return "The importance of parameters cannot be told: none of them varies."
    return ""


def importances(
    rows: Sequence[LeaderboardRow], names: Sequence[str], outcome: np.ndarray
) -> Importance:
    """Breiman's permutation importance (2001), out of the bag, on the ranks of the outcome.

    Ranks, because a configuration that diverged would outweigh all others. Ten forests with fixed
    seeds, each without a random tenth of the configurations, show how much the figures owe to the
    few configurations seen; ten more on shuffled outcomes show what chance makes.

    Args:
        rows: at least `FEWEST`.
        names: the parameters that vary.
        outcome: float array of shape (rows,).
    """
    columns = [_codes([row.trial.values.get(name) for row in rows]) for name in names]
    columns.append(_codes([row.kept.epoch for row in rows]))
    values, ranks = np.stack(columns, axis=1), rankdata(outcome)
    told = [_forest(values, ranks, seed) for seed in range(NUM_FORESTS)]
    rng = np.random.default_rng(0)
    shuffled = [_forest(values, rng.permutation(ranks), seed)[1] for seed in range(NUM_FORESTS)]
    return Importance(
        names=(*names, EPOCHS),
        drops=np.stack([drops for _, drops in told]),
        explained=float(np.mean([explained for explained, _ in told])),
        chance=float(np.percentile(shuffled, 95)),
    )


def _draw(ax: Axes, target: str, told: Importance) -> None:
    """Bars of the mean drops, a dot a forest; grey for what no one chose."""
    places, means = np.arange(len(told.names)), told.drops.mean(axis=0)
    chosen = [GREY if name == EPOCHS else COLOURS[0] for name in told.names]
    ax.barh(places, means, color=chosen, height=0.6, alpha=0.75)
    for drops in told.drops:
        ax.plot(drops, places, "o", color=INK, markersize=2.5, alpha=0.7)
    ax.axvline(told.chance, color=COLOURS[1], linestyle="--", linewidth=1.2)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(places, [plain(name, 24) for name in told.names])
    share = f"the forest explains {told.explained:.0%} out of the bag"
    if told.explained <= 0:
        share = "the forest explains nothing: do not read the bars"
    ax.set_title(f"Order by {target}\n{share}", fontsize=10)
    ax.set_xlabel("share no longer explained when shuffled; dashed: chance (95%)", fontsize=8)
    tidy(ax)
    ax.tick_params(axis="y", labelsize=9)


def _codes(values: list[Any]) -> np.ndarray:
    """Values as places in their order: trees ask for no more."""
    numbers = all(isinstance(v, int | float) for v in values)
    order = sorted(set(values)) if numbers else sorted({str(v) for v in values})
    places = {value: place for place, value in enumerate(order)}
    return np.array([places[v if numbers else str(v)] for v in values], np.float64)


def _forest(values: np.ndarray, ranks: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """R2 out of the bag of one forest, and how far it drops for each parameter."""
    from sklearn.ensemble import BaggingRegressor
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(ranks))[: len(ranks) - max(1, len(ranks) // 10)]
    values, ranks = values[kept], ranks[kept]
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
    """R2 out of the bag for each of several (rows, columns) tables: shape (tables,)."""
    total, votes = np.zeros(values.shape[:2]), np.zeros(values.shape[1])
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        left = np.setdiff1d(np.arange(values.shape[1]), drawn)
        if left.size:  # of eight rows, one draw in 400 leaves none out
            rows = values[:, left].reshape(-1, values.shape[2])
            total[:, left] += tree.predict(rows).reshape(len(values), -1)
            votes[left] += 1
    seen = votes > 0
    if not ranks[seen].var():  # all equal: there is nothing to explain
        return np.zeros(len(values))
    errors = (total[:, seen] / votes[seen] - ranks[seen]) ** 2
    return 1 - errors.mean(axis=1) / ranks[seen].var()
