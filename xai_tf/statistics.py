"""Shares of a count, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NORMAL_95 = 1.959963984540054  # the 97.5th percentile of the normal distribution


@dataclass(frozen=True)
class Share:
    """A share of files, with its 95% interval.

    Attributes:
        value, low, high: from 0 to 1; all None where there is no file to take a share of.
        count: the files it is a share of.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def share(part: int, count: int) -> Share:
    """A share of files, with Wilson's interval."""
    return Share(part / count, *wilson(part, count), count) if count else Share(*[None] * 3, 0)


def wilson(part: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); there must be a file."""
    value, z2 = part / count, NORMAL_95**2 / count
    middle = (value + z2 / 2) / (1 + z2)
    reach = np.sqrt(z2 * (value * (1 - value) + z2 / 4)) / (1 + z2)
    # At the ends it is exact, which rounding would miss.
    low = 0.0 if part == 0 else float(middle - reach)
    return low, 1.0 if part == count else float(middle + reach)
