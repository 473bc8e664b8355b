"""Hyperband's schedule as KerasTuner computes it, known before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """The trials of a bracket that train from one epoch to another.

    Attributes:
        trials: the number of trials.
        first_epoch, last_epoch: they train from the first (not included) to the last.
    """

    trials: int
    first_epoch: int
    last_epoch: int


@dataclass(frozen=True)
class Bracket:
    """A number of configurations, of which one in `factor` is promoted from round to round.

    Attributes:
        bracket: its number; the highest starts with the most trials and comes first.
        rounds: the first one starts new configurations.
    """

    bracket: int
    rounds: tuple[Round, ...]


def schedule(max_epochs: int, factor: int, iterations: int = 1) -> tuple[Bracket, ...]:
    """The brackets of a search (Li et al. 2018, with KerasTuner 1.4's rounding)."""
    count, epochs = 0, float(max_epochs)
    while epochs >= 1:
        epochs, count = epochs / factor, count + 1
    brackets = [_bracket(number, max_epochs, factor) for number in reversed(range(count))]
    return tuple(brackets * iterations)


def num_trials(brackets: tuple[Bracket, ...]) -> int:
    """The number of trials, continued ones included."""
    return sum(r.trials for bracket in brackets for r in bracket.rounds)


def num_epochs(brackets: tuple[Bracket, ...]) -> int:
    """The number of epochs of all trials."""
    rounds = [r for bracket in brackets for r in bracket.rounds]
    return sum(r.trials * (r.last_epoch - r.first_epoch) for r in rounds)


def num_configurations(brackets: tuple[Bracket, ...]) -> int:
    """The number of configurations that are tried."""
    return sum(bracket.rounds[0].trials for bracket in brackets)


def _bracket(number: int, max_epochs: int, factor: int) -> Bracket:
    end = math.ceil(1 + math.log(max_epochs, factor)) / (number + 1)
    rounds, first = [], 0
    for position in range(number + 1):
        last = math.ceil(max_epochs / factor ** (number - position))
        rounds.append(Round(math.ceil(end * factor ** (number - position)), first, last))
        first = last
    return Bracket(number, tuple(rounds))
