"""Where several explanations conflict: as a map, and the gravest places in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from xai_tf.attribution.cells import (
    GRID,
    SHARE,
    cell_means,
    cell_strength,
    resized,
    strongest_cells,
    weaker_share,
)
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.inputs.sample import Sound

APART = 4  # cells: conflicts that are nearer to each other are one
SERIOUS = 0.5  # of 1: less is no conflict worth a word


@dataclass(frozen=True)
class Disagreement:
    """A place that two methods see differently, a cell of the picture.

    Attributes:
        across, down: where its middle is, as shares of the width and the height, from the top left.
        place: the same in words: "32% from the left, 40% from the top", or "1.20 s, 2100 Hz".
        first, second: titles of the methods: that which makes most of the place and that which
            makes least, or that which says for the class and that which says against it.
        ranks: the share of the picture that is weaker than the place by each of the two.
        opposed: whether one says for the class and the other against it.
    """

    across: float
    down: float
    place: str
    first: str
    second: str
    ranks: tuple[float, float]
    opposed: bool

    @property
    def text(self) -> str:
        """What the two say: "Saliency ranks it above 98% of the picture, LIME above 12%"."""
        if self.opposed:
            return f"{self.first} says for, {self.second} against"
        return (
            f"{self.first} ranks it above {self.ranks[0]:.0%} of the picture, {self.second} above "
            f"{self.ranks[1]:.0%}"
        )


@dataclass(frozen=True, eq=False)
class DisagreementMap:
    """Where explanations conflict.

    Attributes:
        level: float32 (height, width) in [0, 1]: how far their ranks lie apart, twice the standard
            deviation (0 where all agree, 1 where half of them hold a place for the strongest and
            half for the weakest); 1 also where one is among its strongest tenth for the class and
            another among its own against it.
        disagreements: the places of the gravest conflicts, the gravest first; none where no level
            exceeds 0.5.
    """

    level: np.ndarray
    disagreements: tuple[Disagreement, ...]


def disagreement_map(explanations: Sequence[Explanation], count: int = 3) -> DisagreementMap:
    """Where explanations of one picture conflict, by the same ranks as the consensus.

    Args:
        explanations: of one question. Those without a signal are left out; of fewer than two there
            is no conflict. The map's size is that of the first.
        count: of disputes named, at most.
    """
    height, width = explanations[0].attribution.shape
    kept = [e for e in explanations if has_signal(e.attribution)]
    if len(kept) < 2:
        return DisagreementMap(np.zeros((height, width), np.float32), ())
    ranks = np.stack([weaker_share(cell_strength(e)) for e in kept])
    signs = np.stack([_strong_signs(e) for e in kept])
    opposed = (signs > 0).any(axis=0) & (signs < 0).any(axis=0)
    level = np.maximum(2 * ranks.std(axis=0), opposed)
    found = tuple(
        _dispute(kept, ranks[:, row, column], signs[:, row, column], (row, column))
        for row, column in _peaks(level, ranks.mean(axis=0), count)
    )
    return DisagreementMap(resized(level, (height, width), Image.Resampling.BILINEAR), found)


def _dispute(
    kept: list[Explanation], ranks: np.ndarray, signs: np.ndarray, cell: tuple[int, int]
) -> Disagreement:
    """Who disagrees at a cell. By signs where there are both, else by ranks."""
    opposed = bool((signs > 0).any() and (signs < 0).any())
    said = signs * ranks if opposed else ranks
    most, least = int(said.argmax()), int(said.argmin())
    down, across = ((place + 0.5) / GRID for place in cell)
    return Disagreement(
        across,
        down,
        _place(kept[0].sample.sound, across, down),
        kept[most].method.title,
        kept[least].method.title,
        (float(ranks[most]), float(ranks[least])),
        opposed,
    )


def _place(sound: Sound | None, across: float, down: float) -> str:
    if sound is None:
        return f"{across:.0%} from the left, {down:.0%} from the top"
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    bands = np.arange(len(sound.hertz))
    # Bands are named by their centres, so half a band hangs over at either end.
    hertz = np.interp((1 - down) * len(bands) - 0.5, bands, sound.hertz)
    return f"{start + across * (end - start):.2f} s, {hertz:.0f} Hz"


def _peaks(level: np.ndarray, mean: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The cells of the gravest conflicts; of those alike the one that most is made of."""
    found: list[tuple[int, int]] = []
    for place in np.lexsort((-mean.ravel(), -level.ravel())):
        row, column = divmod(int(place), GRID)
        if len(found) == count or level[row, column] <= SERIOUS:
            break
        if all(max(abs(row - r), abs(column - c)) >= APART for r, c in found):
            found.append((row, column))
    return found


def _strong_signs(explanation: Explanation) -> np.ndarray:
    """Float (GRID, GRID): 1 where a signed map is strongly for, -1 where against, else 0."""
    signs = np.sign(cell_means(explanation.attribution)) * strongest_cells(explanation, SHARE)
    return signs * explanation.method.signed
