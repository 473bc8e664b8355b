"""Where several explanations disagree: as a map, and the strongest disagreements in words."""

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

MIN_DISTANCE = 4  # cells between two disagreements that are listed
MIN_LEVEL = 0.5  # weaker disagreements are not listed


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A cell of the image that two methods rate differently.

    Attributes:
        across, down: its center, as shares of the width and the height, from the top left.
        place: its center in words: "32% from the left, 40% from the top", or "1.20 s, 2100 Hz".
        first, second: titles of the methods that rank the cell highest and lowest; or of one with
            evidence for the class and one with evidence against it.
        ranks: the share of the image that is weaker than the cell, by each of the two.
        opposed: whether one has evidence for the class and the other against it.
    """

    across: float
    down: float
    place: str
    first: str
    second: str
    ranks: tuple[float, float]
    opposed: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of its surroundings, as shares of the image.

        They are as wide as the distance of two disagreements that are listed, so no two overlap
        but at an edge of the image, where they are moved inside.
        """
        side = MIN_DISTANCE / GRID
        left, top = (min(max(at - side / 2, 0), 1 - side) for at in (self.across, self.down))
        return left, top, side, side

    @property
    def text(self) -> str:
        """The two ratings: "Saliency ranks it above 98% of the image, LIME above 12%"."""
        if self.opposed:
            return f"evidence for the class in {self.first}, against it in {self.second}"
        return (
            f"{self.first} ranks it above {self.ranks[0]:.0%} of the image, {self.second} above "
            f"{self.ranks[1]:.0%}"
        )


@dataclass(frozen=True, eq=False)
class DisagreementMap:
    """Where explanations disagree.

    Attributes:
        level: float32 (height, width) in [0, 1]: twice the standard deviation of the ranks (0 where
            all agree, 1 where half of the maps rank a cell highest and half lowest). Also 1 where a
            cell is among the strongest tenth of one map as evidence for the class, and of another
            as evidence against it.
        disagreements: the strongest disagreements, the strongest first; empty where no level
            exceeds 0.5.
    """

    level: np.ndarray
    disagreements: tuple[Disagreement, ...]


def disagreement_map(explanations: Sequence[Explanation], count: int = 3) -> DisagreementMap:
    """Where explanations of one image disagree, by the same ranks as the consensus.

    Args:
        explanations: answers to one question. Those without signal are left out; fewer than two
            cannot disagree. The size of the map is that of the first.
        count: maximum number of disagreements to list.
    """
    height, width = explanations[0].attribution.shape
    maps = [e for e in explanations if has_signal(e.attribution)]
    if len(maps) < 2:
        return DisagreementMap(np.zeros((height, width), np.float32), ())
    ranks = np.stack([weaker_share(cell_strength(e)) for e in maps])
    signs = np.stack([_strong_signs(e) for e in maps])
    opposed = (signs > 0).any(axis=0) & (signs < 0).any(axis=0)
    level = np.maximum(2 * ranks.std(axis=0), opposed)
    disagreements = tuple(
        _disagreement(maps, ranks[:, row, column], signs[:, row, column], (row, column))
        for row, column in _peaks(level, ranks.mean(axis=0), count)
    )
    level = resized(level, (height, width), Image.Resampling.BILINEAR)
    return DisagreementMap(level, disagreements)


def _disagreement(
    maps: list[Explanation], ranks: np.ndarray, signs: np.ndarray, cell: tuple[int, int]
) -> Disagreement:
    """Which maps disagree at a cell: by sign where both signs occur, else by rank."""
    opposed = bool((signs > 0).any() and (signs < 0).any())
    ratings = signs * ranks if opposed else ranks
    most, least = int(ratings.argmax()), int(ratings.argmin())
    down, across = ((index + 0.5) / GRID for index in cell)
    return Disagreement(
        across=across,
        down=down,
        place=_place(maps[0].sample.sound, across, down),
        first=maps[most].method.title,
        second=maps[least].method.title,
        ranks=(float(ranks[most]), float(ranks[least])),
        opposed=opposed,
    )


def _place(sound: Sound | None, across: float, down: float) -> str:
    if sound is None:
        return f"{across:.0%} from the left, {down:.0%} from the top"
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    bands = np.arange(len(sound.hertz))
    # Bands are given by their centers, so half a band extends beyond either end.
    hertz = np.interp((1 - down) * len(bands) - 0.5, bands, sound.hertz)
    return f"{start + across * (end - start):.2f} s, {hertz:.0f} Hz"


def _peaks(level: np.ndarray, mean: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The cells of the strongest disagreements; ties are ordered by their mean rank."""
    peaks: list[tuple[int, int]] = []
    for index in np.lexsort((-mean.ravel(), -level.ravel())):
        row, column = divmod(int(index), GRID)
        if len(peaks) == count or level[row, column] <= MIN_LEVEL:
            break
        if all(max(abs(row - r), abs(column - c)) >= MIN_DISTANCE for r, c in peaks):
            peaks.append((row, column))
    return peaks


def _strong_signs(explanation: Explanation) -> np.ndarray:
    """Signs of the strongest cells: float (GRID, GRID), 1 or -1, else 0; 0 for unsigned maps."""
    signs = np.sign(cell_means(explanation.attribution)) * strongest_cells(explanation, SHARE)
    return signs * explanation.method.signed
