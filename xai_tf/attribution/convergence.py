"""Convergence of sampled maps: how stable a map is, and when to stop sampling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DEFAULT_STABILITY = 0.9  # at which a run until stable stops
LIMIT_FACTOR = 8  # limit of samples of a run until stable, in multiples of the default number
CHECKS = 2  # in a row that must find the map stable, because one may do so by chance
STEP = 1.2  # ratio of the samples from one check to the next
MAX_STATE = 2**22  # bytes; larger states are not stored (SmoothGrad at 224x224 takes 3.2 MB)


@dataclass(frozen=True, eq=False, kw_only=True)
class Convergence:
    """How a sampled map converged.

    Attributes:
        samples: numbers of samples at which stability was checked; int32 of shape (checks,).
        stability: stability at each check, -1 to 1, see `stability`; float32 of shape (checks,).
        wanted: the stability at which the run should stop; None for a fixed number of samples.
        limit: the maximum number of samples.
        exact: whether the map does not depend on random draws, so that more samples change nothing.
        state: what is needed to continue the run, arrays by name; None where it was not stored or
            not read.
        kept: whether the state was stored; without it, a continued run starts over.
    """

    samples: np.ndarray
    stability: np.ndarray
    wanted: float | None
    limit: int
    exact: bool = False
    state: Mapping[str, np.ndarray] | None = None
    kept: bool = True

    def stops_before(self, wanted: float) -> bool:
        """Whether a run until stable would have stopped before the latest check."""
        return any(is_stable(self.stability[:end], wanted) for end in range(len(self.stability)))

    @property
    def latest(self) -> float | None:
        """The stability of the map; None where it could not be computed."""
        return float(self.stability[-1]) if len(self.stability) else None

    @property
    def reached(self) -> bool:
        """Whether the wanted stability was reached."""
        return self.wanted is None or self.exact or is_stable(self.stability, self.wanted)


def stability(quarters: float, halves: float) -> float:
    """Estimate how well two runs with different seeds would agree, from parts of one run.

    For a test twice as long, the Spearman-Brown formula (Spearman 1910,
    doi:10.1111/j.2044-8295.1910.tb00206.x; Brown 1910, doi:10.1111/j.2044-8295.1910.tb00207.x)
    doubles r / (1 - r). Rank correlations may grow more slowly, where few places stand out and
    chance orders the rest. So the growth of r / (1 - r) from quarters to halves is taken as the
    growth from halves to the whole, at most 2.

    Args:
        quarters: mean rank correlation of the maps of disjoint quarters of the samples, -1 to 1,
            on 28x28 cells (see `xai_tf.attribution.cells`).
        halves: the same of disjoint halves. Where halves do not agree (0 or less), nothing can be
            extrapolated, and the value is returned unchanged.
    """
    if halves <= 0 or halves > 1 - 1e-6:
        return min(halves, 1.0)
    odds, before = (max(r, 0) / (1 - min(r, 1 - 1e-6)) for r in (halves, quarters))
    odds *= min(max(odds / before, 1), 2) if before else 2
    return odds / (1 + odds)


def is_stable(values: Sequence[float] | np.ndarray, wanted: float) -> bool:
    """Whether the latest checks all reached the wanted stability."""
    return len(values) >= CHECKS and bool(min(values[-CHECKS:]) >= wanted)


def checkpoints(block: int) -> Iterator[int]:
    """Numbers of samples at which to check: one block, then a fifth more each, in whole blocks."""
    samples = block
    while True:
        yield samples
        samples = block * max(samples // block + 1, int(samples * STEP) // block)


def convergence_text(convergence: Convergence) -> str:
    """Whether there were enough samples, in a sentence."""
    if convergence.latest is None:
        return "Stability is unknown: there are too few samples, or all have the same score."
    if convergence.exact:
        return "All combinations of segments were used, so more samples change nothing."
    return (
        f"Stability {convergence.latest:.2f}: the expected rank correlation with the map of "
        "another seed (1 means identical), estimated from the halves of the samples."
    )


def curve(
    samples: Sequence[int] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    wanted: float | None = None,
    label: str = "",
) -> str:
    """Stability by number of samples as a small inline SVG in the text color; "" without checks.

    The scale runs from 0 at the bottom to 1 at the top.

    Args:
        samples: numbers of samples, ascending.
        values: the stability at each of them.
        wanted: drawn as a dashed line.
        label: the accessible name; empty for an English one.
    """
    if not len(samples):
        return ""
    last = samples[-1]
    points = [(8 + 210 * n / last, _height(y)) for n, y in zip(samples, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    label = label or f"Stability {values[-1]:.2f} after {last} samples"
    goal = ""
    if wanted is not None:
        goal = f'<path d="M8 {_height(wanted):.1f}H218" stroke-dasharray="4 3" opacity=".6" />'
    return (
        f'<svg class="curve" role="img" aria-label="{label}" viewBox="0 0 240 72" width="240" '
        f'height="72" fill="none" stroke="currentColor"><title>{label}</title>'
        f'<path d="M8 4V60H218" opacity=".4" />{goal}<polyline points="{line}" stroke-width="2" />'
        f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="2.5" fill="currentColor" />'
        '<g fill="currentColor" stroke="none" font-size="9"><text x="0" y="9">1</text>'
        f'<text x="0" y="63">0</text><text x="218" y="71" text-anchor="end">{last}</text></g></svg>'
    )


def _height(value: float) -> float:
    return 60 - 56 * min(max(value, 0), 1)
