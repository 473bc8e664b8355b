"""How the configurations of a search stand: by the objective, and without the penalty in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import rankdata, spearmanr

from tuning.trials import Epoch, Search, Trial


@dataclass(frozen=True)
class LeaderboardRow:
    """A configuration, its best completed trial, and how that stands among the others.

    Attributes:
        trial: the best of the trials with this configuration.
        kept: the epoch whose weights were kept.
        by_loss: its rank by `val_loss`, from 1; equals share the smaller rank.
        by_ce: its rank by `val_ce`, the same without the L1 and L2 penalties.
    """

    trial: Trial
    kept: Epoch
    by_loss: int
    by_ce: int

    @property
    def penalty(self) -> float:
        """The L1 and L2 part of `val_loss`; rounding may leave less than nothing of none."""
        return max(0.0, self.kept.val_loss - self.kept.val_ce)


def leaderboard_rows(search: Search) -> list[LeaderboardRow]:
    """Each configuration with a completed trial and a curve, the best by the objective first."""
    pairs = [(t, t.best(search.objective, search.direction)) for t in search.distinct()]
    known = [(t, e) for t, e in pairs if e and math.isfinite(e.val_loss + e.val_ce)]
    by_loss = rankdata([epoch.val_loss for _, epoch in known], method="min")
    by_ce = rankdata([epoch.val_ce for _, epoch in known], method="min")
    return [
        LeaderboardRow(trial, epoch, int(loss), int(ce))
        for (trial, epoch), loss, ce in zip(known, by_loss, by_ce, strict=True)
    ]


def leader(search: Search) -> Trial | None:
    """The winner; before the export the best completed trial, if there is one."""
    if search.winner is not None:
        return search.by_id.get(search.winner["trial"])
    return next(iter(search.ranked()), None)


def disagreement(rows: Sequence[LeaderboardRow]) -> str:
    """A sentence where `val_loss` and `val_ce` have different favourites; else empty."""
    first = [row for row in rows if row.by_loss == 1]
    if not first or any(row.by_ce == 1 for row in first):
        return ""
    best = next(row for row in rows if row.by_ce == 1)
    return (
        f"The two rankings disagree: val_loss puts trial {first[0].trial.id} first, cross-entropy "
        f"alone (val_ce) puts it at {first[0].by_ce} and trial {best.trial.id} first "
        f"({best.kept.val_ce:.4g} against {first[0].kept.val_ce:.4g}). val_loss contains the L1 "
        "and L2 penalties that are searched for, so it favours the weakest of them."
    )


def agreement(rows: Sequence[LeaderboardRow]) -> float | None:
    """Spearman's correlation of the two rankings, -1 to 1; None where it can't be told."""
    return correlation([row.by_loss for row in rows], [row.by_ce for row in rows])


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's correlation; None for fewer than three values, or where all are equal."""
    if len(first) < 3 or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return float(spearmanr(first, second).statistic)


def varying(search: Search) -> list[str]:
    """The parameters of which the trials have more than one value."""
    names = dict.fromkeys(name for trial in search.trials for name in trial.values)
    return [n for n in names if len({repr(trial.values.get(n)) for trial in search.trials}) > 1]


def possible(search: Search) -> int | None:
    """How many configurations the space holds; None where they can't be counted."""
    return search.study.get("possible")
