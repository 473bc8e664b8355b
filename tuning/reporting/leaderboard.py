"""The ranking of a search's configurations: by the objective, and without the penalties in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import rankdata, spearmanr

from tuning.trials import Epoch, Search, Trial


@dataclass(frozen=True)
class LeaderboardRow:
    """A configuration with its best completed trial and its ranks.

    Attributes:
        trial: the best of the trials with this configuration.
        epoch: the best epoch of this trial, whose weights are stored.
        loss_rank: the rank by `val_loss`, from 1; equals share the smaller rank.
        ce_rank: the rank by `val_ce`, which is `val_loss` without the L1 and L2 penalties.
    """

    trial: Trial
    epoch: Epoch
    loss_rank: int
    ce_rank: int

    @property
    def penalty(self) -> float:
        """The L1 and L2 part of `val_loss`; not negative, although rounding could make it so."""
        return max(0.0, self.epoch.val_loss - self.epoch.val_ce)


def leaderboard_rows(search: Search) -> list[LeaderboardRow]:
    """Each configuration with a completed trial and a curve, the best by the objective first."""
    pairs = [(trial, search.best_epoch(trial)) for trial in search.distinct()]
    finite = [(t, e) for t, e in pairs if e and math.isfinite(e.val_loss + e.val_ce)]
    loss_ranks = rankdata([epoch.val_loss for _, epoch in finite], method="min")
    ce_ranks = rankdata([epoch.val_ce for _, epoch in finite], method="min")
    return [
        LeaderboardRow(trial, epoch, int(loss_rank), int(ce_rank))
        for (trial, epoch), loss_rank, ce_rank in zip(finite, loss_ranks, ce_ranks, strict=True)
    ]


def leader(search: Search) -> Trial | None:
    """The winner; before the export the best completed trial, if there is one."""
    if search.winner is not None:
        return search.by_id.get(search.winner["trial"])
    return next(iter(search.ranked()), None)


def ranking_warning(rows: Sequence[LeaderboardRow]) -> str:
    """A warning if `val_loss` and `val_ce` rank different configurations first; else empty."""
    first = [row for row in rows if row.loss_rank == 1]
    if not first or any(row.ce_rank == 1 for row in first):
        return ""
    best = next(row for row in rows if row.ce_rank == 1)
    return (
        f"The two rankings disagree: val_loss ranks trial {first[0].trial.id} first, but by "
        f"cross-entropy alone (val_ce) it is number {first[0].ce_rank}, and trial {best.trial.id} "
        f"is first ({best.epoch.val_ce:.4g} compared with {first[0].epoch.val_ce:.4g}). val_loss "
        "contains the L1 and L2 penalties, which are part of the search, so it favors weak "
        "penalties."
    )


def rank_correlation(rows: Sequence[LeaderboardRow]) -> float | None:
    """Spearman's correlation of the two rankings, -1 to 1; None as for `correlation`."""
    return correlation([row.loss_rank for row in rows], [row.ce_rank for row in rows])


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's correlation; None for fewer than three values, or where all are equal."""
    if len(first) < 3 or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return float(spearmanr(first, second).statistic)


def varying(search: Search) -> list[str]:
    """The parameters of which the trials have more than one value."""
    names = dict.fromkeys(name for trial in search.trials for name in trial.values)
    return [n for n in names if len({repr(trial.values.get(n)) for trial in search.trials}) > 1]


def num_possible(search: Search) -> int | None:
    """The number of configurations in the space; None where it has a range."""
    return search.study.get("possible")
