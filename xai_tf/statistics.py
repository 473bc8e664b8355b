"""Shares of a count, and means, with their confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NORMAL_95 = 1.959963984540054  # the 97.5th percentile of the normal distribution
NUM_DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True)
class _Estimate:
    """A figure of files with its 95% confidence interval."""

    value: float | None
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.low is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Share(_Estimate):
    """A share of files with its 95% confidence interval.

    Attributes:
        value, low, high: 0 to 1; all None where there are no files.
        count: the number of files it is a share of.
    """


@dataclass(frozen=True)
class Mean(_Estimate):
    """A mean over files with its 95% confidence interval.

    Attributes:
        value: the mean; None where there are no files.
        low, high: None with fewer than two files, because one says nothing of how files differ.
        count: the number of files.
    """


def mean(values: Sequence[float] | np.ndarray) -> Mean:
    """The mean of one value per file, with the interval of `bootstrap`."""
    if not len(values):
        return Mean(None, None, None, 0)
    low, high = bootstrap(values)
    return Mean(float(np.mean(values)), low, high, len(values))


def bootstrap(
    values: Sequence[float] | np.ndarray,
) -> tuple[float, float] | tuple[None, None]:
    """The 95% interval of a mean: percentile bootstrap over the values (Efron 1979).

    1,000 draws with a fixed seed. Fewer than two values have none.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return None, None
    draws = np.random.default_rng(0).integers(len(values), size=(NUM_DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def share(hits: int, count: int) -> Share:
    """The share `hits / count` with its Wilson interval."""
    return Share(hits / count, *wilson(hits, count), count) if count else Share(None, None, None, 0)


def wilson(hits: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); `count` must be at least 1.

    Hits of half count where two inputs that belong together are one trial.

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
