"""From results to ranks: which method finds the plants, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.ground_truth.baselines import BASELINES
from benchmarks.ground_truth.puzzle import SMALL
from benchmarks.ground_truth.puzzles import CHOSEN_ON, PUZZLES
from benchmarks.ground_truth.scoring import SCORES, chance, interval
from xai_tf.attribution.methods import METHODS


@dataclass(frozen=True, eq=False)
class Round:
    """One puzzle on one backbone, with all entries (methods and baselines).

    Attributes:
        puzzle, backbone: names.
        area: mean share of the picture that the plant covers.
        scores: lists over the files by entry and score.
        skills: by entry, float array over the files: the mean over the scores of how far from
            chance (0) to perfect (1); below 0 is worse than chance.
        ranks: by entry, 1 for the most skilled; equals share theirs.
    """

    puzzle: str
    backbone: str
    area: float
    scores: Mapping[str, Mapping[str, Sequence[float]]]
    skills: Mapping[str, np.ndarray]
    ranks: Mapping[str, float]

    @property
    def kind(self) -> str:
        return PUZZLES[self.puzzle].kind

    @property
    def small(self) -> bool:
        return self.area < SMALL


@dataclass(frozen=True)
class Standing:
    """An entry over several rounds.

    Attributes:
        entry: a name in `METHODS` or `BASELINES`.
        rank: mean over the rounds.
        skill, low, high: mean over the rounds, and its 95% bootstrap interval over files.
        scores: means over the rounds, by score.
        beats_blind: in how many rounds it is more skilled than every entry of `BASELINES`.
        rounds: how many there are.
    """

    entry: str
    rank: float
    skill: float
    low: float
    high: float
    scores: Mapping[str, float]
    beats_blind: int
    rounds: int


@dataclass(frozen=True)
class Spent:
    """What an entry finds for its passes.

    Attributes:
        entry: a name in `METHODS` or `CANDIDATES`, with "@passes" where it is not at its defaults.
        passes: that it takes, the most over the rounds.
        chosen: mean skill over the rounds on `CHOSEN_ON`.
        skill, low, high: mean skill over the other rounds, and its 95% bootstrap interval.
        pointing: mean over the other rounds.
    """

    entry: str
    passes: int
    chosen: float
    skill: float
    low: float
    high: float
    pointing: float


def spent(results: Sequence[Mapping[str, Any]]) -> list[Spent]:
    """Every method, at its defaults and with other numbers of passes, and every candidate.

    In the order of the skill on the rounds that one may choose on. Entries that some network could
    not be asked for (too few passes for its size) are left out.
    """
    ranked = [result for result in results if "scores" in result]
    halves = [
        [one for one in ranked if (one["puzzle"] in CHOSEN_ON) is half] for half in (True, False)
    ]
    if not all(halves):
        return []
    found = []
    for entry in ranked[0]["passes"]:
        rows = [[_rows(one).get(entry) for one in half] for half in halves]
        if not all(row is not None for half in rows for row in half):
            continue
        skills = [
            np.concatenate([_skills(row, one) for row, one in zip(half, ones, strict=True)])
            for half, ones in zip(rows, halves, strict=True)
        ]
        found.append(
            Spent(
                entry,
                max(one["passes"][entry] for one in ranked),
                float(np.nanmean(skills[0])),
                *interval(skills[1]),
                float(np.nanmean(np.concatenate([row["pointing"] for row in rows[1]]))),
            )
        )
    return sorted(found, key=lambda one: -one.chosen)


def _rows(result: Mapping[str, Any]) -> dict[str, Mapping[str, Sequence[float]]]:
    return {**result["scores"], **result["budgets"], **result["candidates"]}


def rounds_of(results: Sequence[Mapping[str, Any]]) -> list[Round]:
    """The rounds of the results whose networks passed the check."""
    return [_round(result) for result in results if "scores" in result]


def standings(
    rounds: Sequence[Round], which: Callable[[Round], bool] = lambda _: True
) -> list[Standing]:
    """All entries over the rounds chosen, the best mean rank first; [] where there is none."""
    chosen = [one for one in rounds if which(one)]
    if not chosen:
        return []
    found = []
    for entry in chosen[0].skills:
        skill, low, high = interval(np.concatenate([one.skills[entry] for one in chosen]))
        found.append(
            Standing(
                entry,
                float(np.mean([one.ranks[entry] for one in chosen])),
                skill,
                low,
                high,
                {
                    name: float(np.nanmean([np.nanmean(one.scores[entry][name]) for one in chosen]))
                    for name in SCORES
                },
                sum(bool(np.nanmean(one.skills[entry]) > best_blind(one)) for one in chosen),
                len(chosen),
            )
        )
    return sorted(found, key=lambda one: one.rank)


def best_blind(one: Round) -> float:
    """The skill of the best that knows nothing of the network."""
    return float(max(np.nanmean(one.skills[name]) for name in BASELINES))


def is_method(entry: str) -> bool:
    return entry in METHODS and entry not in BASELINES


def _round(result: Mapping[str, Any]) -> Round:
    from scipy.stats import rankdata

    skills = {entry: _skills(rows, result) for entry, rows in result["scores"].items()}
    means = np.array([np.nanmean(values) for values in skills.values()])
    return Round(
        result["puzzle"],
        result["backbone"],
        float(np.mean(result["areas"])),
        result["scores"],
        skills,
        dict(zip(skills, map(float, rankdata(-means)), strict=True)),
    )


def _skills(rows: Mapping[str, Sequence[float]], result: Mapping[str, Any]) -> np.ndarray:
    """The skill of an entry on each file of a result."""
    return np.mean([_skill(name, rows[name], result["areas"]) for name in SCORES], axis=0)


def _skill(name: str, values: Sequence[float], areas: Sequence[float]) -> np.ndarray:
    by_chance = np.array([chance(area)[name] for area in areas])
    return (np.array(values) - by_chance) / (1 - by_chance)
