"""Shares of a count with their confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NORMAL_95 = 1.959963984540054  # the 97.5th percentile of the normal distribution


@dataclass(frozen=True)
class Share:
    """A share of files with its 95% confidence interval.

    Attributes:
        value, low, high: 0 to 1; all None where there are no files.
        count: the number of files it is a share of.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(hits: int, count: int) -> Share:
    """The share `hits / count` with its Wilson interval."""
    return Share(hits / count, *wilson(hits, count), count) if count else Share(None, None, None, 0)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); `count` must be at least 1.

    >>> low, high = wilson(9, 10)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.596 to 0.982
    """
    value, z2 = hits / count, NORMAL_95**2 / count
    middle = (value + z2 / 2) / (1 + z2)
    reach = np.sqrt(z2 * (value * (1 - value) + z2 / 4)) / (1 + z2)
    # The ends are exact by definition; rounding would miss them.
    low = 0.0 if hits == 0 else float(middle - reach)
    return low, 1.0 if hits == count else float(middle + reach)
