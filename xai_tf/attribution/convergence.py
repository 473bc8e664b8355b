"""Whether a map that is sampled has settled: its stability, and when to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WANTED = 0.9
TIMES = 8  # as many samples as by default are the limit of a run until stable
LOOKS = 2  # in a row that have to find it stable: one may by luck
STEP = 1.2  # from one look to the next, in samples
MAX_STATE = 2**20  # bytes of a state that are worth to be kept


@dataclass(frozen=True, eq=False)
class Convergence:
    """How a sampled map settled.

    Attributes:
        samples: after how many of them it was looked at; int32 of shape (looks,).
        stability: how stable it was then, -1 to 1, see `stability`; float32 of shape (looks,).
        wanted: the stability at which the run was to stop; None where the number was given.
        limit: of the samples.
        exact: whether nothing is left to chance, so that more samples change nothing.
        state: what it takes to go on, arrays by name; None where it was not kept, or not asked for.
        kept: whether the state was kept; without it, more samples start over.
    """

    samples: np.ndarray
    stability: np.ndarray
    wanted: float | None
    limit: int
    exact: bool = False
    state: Mapping[str, np.ndarray] | None = None
    kept: bool = True

    def stops_before(self, wanted: float) -> bool:
        """Whether a run until stable would have stopped before the latest look."""
        return any(settled(self.stability[:end], wanted) for end in range(len(self.stability)))

    @property
    def latest(self) -> float | None:
        """The stability of the map; None where it could not be told."""
        return float(self.stability[-1]) if len(self.stability) else None

    @property
    def reached(self) -> bool:
        """Whether what was wanted was reached."""
        return self.wanted is None or self.exact or settled(self.stability, self.wanted)


def stability(quarters: float, halves: float) -> float:
    """What two runs of other seeds would agree to, from how far parts of one run agree.

    For a test twice as long, Spearman (1910, doi:10.1111/j.2044-8295.1910.tb00206.x) and Brown
    (1910, doi:10.1111/j.2044-8295.1910.tb00207.x) have r / (1 - r) doubled. Rank correlations may
    grow slower, where few places stand out and chance orders the rest. So what r / (1 - r) grew by
    from quarters to halves is taken to be what it grows by from halves to the whole: by 2 at most.

    Args:
        quarters, halves: mean rank correlation of the maps of disjoint quarters, and halves, of the
            samples, -1 to 1; on 28x28 cells (see `xai_tf.agreement.agreement`). Halves that do not
            agree tell nothing of the whole: 0 or less stays as it is.
    """
    if halves <= 0 or halves > 1 - 1e-6:
        return min(halves, 1.0)
    odds, before = (max(r, 0) / (1 - min(r, 1 - 1e-6)) for r in (halves, quarters))
    odds *= min(max(odds / before, 1), 2) if before else 2
    return odds / (1 + odds)


def settled(found: Sequence[float] | np.ndarray, wanted: float) -> bool:
    """Whether the latest looks all found it stable."""
    return len(found) >= LOOKS and bool(min(found[-LOOKS:]) >= wanted)


def looks(block: int) -> Iterator[int]:
    """After how many samples to look: a block, then a fifth more each time, in whole blocks."""
    samples = block
    while True:
        yield samples
        samples = block * max(samples // block + 1, int(samples * STEP) // block)


def convergence_text(found: Convergence) -> str:
    """Whether the samples suffice, in a sentence."""
    if found.latest is None:
        return "Whether the samples suffice cannot be told: they are too few, or all alike."
    if found.exact:
        return "All combinations of segments were taken, so more samples change nothing."
    return (
        f"Stability {found.latest:.2f}: so far would the map of another seed agree with this "
        "one (rank correlation, 1 for the same), as told from the halves of its samples."
    )


def curve(samples: Sequence[int], found: Sequence[float], wanted: float | None = None) -> str:
    """Stability over samples as a small SVG picture in the colour of the text; "" for no looks.

    From 0 at the bottom to 1 at the top, with a dashed line at what was wanted.
    """
    if not len(samples):
        return ""
    last = samples[-1]
    places = [(8 + 210 * n / last, _height(value)) for n, value in zip(samples, found, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    told = f"Stability {found[-1]:.2f} after {last} samples"
    goal = (
        ""
        if wanted is None
        else (f'<path d="M8 {_height(wanted):.1f}H218" stroke-dasharray="4 3" opacity=".6" />')
    )
    return (
        f'<svg class="curve" role="img" aria-label="{told}" viewBox="0 0 240 72" width="240" '
        f'height="72" fill="none" stroke="currentColor"><title>{told}</title>'
        f'<path d="M8 4V60H218" opacity=".4" />{goal}<polyline points="{line}" stroke-width="2" />'
        f'<circle cx="{places[-1][0]:.1f}" cy="{places[-1][1]:.1f}" r="2.5" fill="currentColor" />'
        '<g fill="currentColor" stroke="none" font-size="9"><text x="0" y="9">1</text>'
        f'<text x="0" y="63">0</text><text x="218" y="71" text-anchor="end">{last}</text></g></svg>'
    )


def _height(value: float) -> float:
    return 60 - 56 * min(max(value, 0), 1)
