"""Agreement of several explanations: pairwise measures, and a consensus map.

Three measures of Krishna et al. 2022, The Disagreement Problem in Explainable Machine Learning,
arXiv:2202.01602: rank correlation (Spearman 1904, doi:10.2307/1412159), overlap of the strongest
cells as intersection over union, and sign agreement on the strongest cells of either map. (The
paper only counts cells that are strong in both maps, so its sign agreement drops with the overlap;
here the two measures are independent.)

Maps are compared by the means of 28x28 cells, not by pixels, because gradient maps are speckled.
Measured on the X-ray and the audio MobileNetV2 with two samples each: two SmoothGrad maps that
differ only in the seed have a rank correlation of 0.23 and an overlap of 0.26 by pixels, but 0.77
and 0.67 by cells. Region-based methods hardly change (RISE: 0.75 and 0.72 by pixels, 0.75 and 0.71
by cells), and neither do maps of different images, which have no correlation (-0.03, -0.04) and an
overlap at chance level (0.05 both). Maps of different image sizes can be compared too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from PIL import Image

from xai_tf.attribution.cells import (
    GRID,
    SHARE,
    cell_means,
    cell_strength,
    centered_ranks,
    cosine,
    resized,
    strongest_cells,
    weaker_share,
)
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.random_maps import random_maps

DRAWS = 200  # sets of random maps
ERROR_RATE = 0.05
PART = 0.3  # rank correlation of the least alike pair, below which maps agree in part only
_Remembered = dict[tuple[int, ...], tuple[tuple[ReferenceType[Explanation], ...], bool]]
_agreeing: WeakKeyDictionary[Explanation, _Remembered] = WeakKeyDictionary()
NO_CONSENSUS = "These maps agree no more than maps of random places do, so they have no consensus."


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """Pairwise agreement of explanations.

    Attributes:
        names: titles of the n methods compared, in the order given.
        positions: the index of each among the explanations given.
        correlations: float array of shape (n, n), -1 to 1: rank correlations, 0 for no relation.
        overlaps: float array of shape (n, n), 0 to 1: overlap of the strongest tenth; see
            `chance_overlap`.
        signs: float array of shape (n, n), 0 to 1: the share of the strongest cells with the same
            sign; NaN where one of the two maps is unsigned.
        left_out: titles of the maps without signal (NaN or constant).
        beyond_chance: whether the maps agree more than they would if the evidence of each were
            somewhere else; see `agree_beyond_chance`. If not, they have no consensus.
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    correlations: np.ndarray
    overlaps: np.ndarray
    signs: np.ndarray
    left_out: tuple[str, ...]
    beyond_chance: bool

    @property
    def unlike_pairs(self) -> list[tuple[str, str, float]]:
        """The pairs that disagree: both names and their rank correlation, the least alike first.

        A pair disagrees where its rank correlation is below `PART`.
        """
        pairs = zip(*np.triu_indices(len(self.names), 1), strict=True)
        unlike = [
            (self.names[i], self.names[j], float(self.correlations[i, j]))
            for i, j in pairs
            if self.correlations[i, j] < PART
        ]
        return sorted(unlike, key=lambda pair: pair[2])

    @property
    def sentence(self) -> str:
        """How far the maps agree, and what follows, in a sentence; empty for fewer than two."""
        pairs = self.correlations[np.triu_indices(len(self.names), 1)]
        if not pairs.size:
            return ""
        mean = f"mean rank correlation {pairs.mean():.2f}"
        if not self.beyond_chance:
            return (
                f"They disagree: no more alike than maps of random places ({mean}). Do not rely on "
                "any one of them."
            )
        if pairs.min() < PART:
            least = f"the least alike pair has {pairs.min():.2f}"
            return f"They agree in part ({mean}; {least}). Rely only on what they share."
        return f"They agree ({mean}), more than maps of random places do."


def agreement(explanations: Sequence[Explanation]) -> Agreement:
    """Compare explanations of one image pairwise."""
    positions = [i for i, e in enumerate(explanations) if has_signal(e.attribution)]
    maps = [explanations[i] for i in positions]
    ranks, strongest = cache(_ranks), cache(strongest_cells)  # once per map, not once per pair
    return Agreement(
        names=tuple(e.method.title for e in maps),
        positions=tuple(positions),
        correlations=_table(lambda one, other: _correlation(one, other, ranks), maps),
        overlaps=_table(
            lambda one, other: _overlap(strongest(one, SHARE), strongest(other, SHARE)), maps
        ),
        signs=_table(lambda one, other: _same_signs(one, other, strongest), maps),
        left_out=tuple(e.method.title for i, e in enumerate(explanations) if i not in positions),
        beyond_chance=agree_beyond_chance(maps),
    )


def agree_beyond_chance(explanations: Sequence[Explanation]) -> bool:
    """Whether explanations of one image agree more than by chance, with an error rate of 5%.

    The measure is the mean rank correlation of all pairs, by absolute value, as for the consensus.
    It is compared with that of 200 sets of random maps: each map mirrored, rotated and shifted on
    its own (see `random_maps`), so that texture and size of the spots are those of the maps.
    Fewer than two maps with a signal have nothing to agree on. The answer is remembered as long as
    the first explanation lives, because the random maps take some 20 ms.
    """
    if not explanations:
        return False
    first, *others = explanations
    known = _agreeing.setdefault(first, {})
    refs, agree = known.get(tuple(map(id, others)), ((), False))
    # Python reuses the id of what is gone.
    if len(refs) != len(others) or any(r() is not o for r, o in zip(refs, others, strict=True)):
        agree = _agree_beyond_chance(explanations)
        known[tuple(map(id, others))] = tuple(map(ref, others)), agree
    return agree


def _agree_beyond_chance(explanations: Sequence[Explanation]) -> bool:
    maps = [_unit_ranks(e) for e in explanations if has_signal(e.attribution)]
    if len(maps) < 2:
        return False
    moved = np.sum([random_maps(one, DRAWS, seed) for seed, one in enumerate(maps)], axis=0)
    # The squared length of a sum of unit vectors is their number plus the sum over all pairs.
    observed, by_chance = (np.sum(maps, axis=0) ** 2).sum(), (moved**2).sum(axis=(1, 2))
    return bool((1 + (by_chance >= observed).sum()) / (1 + DRAWS) <= ERROR_RATE)


def rank_correlation(first: Explanation, second: Explanation) -> float:
    """Spearman's rank correlation of two maps, cell by cell: -1 to 1, 0 for no relation.

    Two signed maps are compared with their signs. If one of them is unsigned, absolute values are
    compared, so that evidence against the class counts as important. It is 0 where all cells of a
    map are equal.
    """
    return _correlation(first, second, _ranks)


def overlap(first: Explanation, second: Explanation, share: float = SHARE) -> float:
    """Intersection over union of the strongest cells of two maps: 0 to 1.

    Args:
        first: compared by absolute value.
        second: compared by absolute value.
        share: share of the cells that count as the strongest, above 0 and at most 1. Cells that
            tie with the last of them count too (so a segment is never cut), cells of zero never
            do. So the result does not depend on the order of the cells.
    """
    return _overlap(strongest_cells(first, share), strongest_cells(second, share))


def sign_agreement(first: Explanation, second: Explanation) -> float:
    """The share of the strongest cells where two signed maps have the same sign: 0 to 1.

    Counts cells that are among the strongest tenth of either map. A cell of zero has no sign, and
    counts as different. Unrelated maps have 0.5 if each is as often positive as negative. NaN
    where one of the methods is unsigned, or both maps are zero everywhere.
    """
    return _same_signs(first, second, strongest_cells)


def chance_overlap(share: float = SHARE) -> float:
    """The expected overlap of two unrelated maps, about 0.05 for the strongest tenth.

    Two random sets of a share s of all cells have an intersection of s^2 and a union of 2s - s^2.
    """
    return share / (2 - share)


def consensus(explanations: Sequence[Explanation]) -> np.ndarray:
    """The consensus of explanations of one image: float32 (height, width) in [0, 1].

    Each method assigns a cell the share of the image that is weaker, by absolute value (so evidence
    against the class counts too); the consensus is the mean of these shares. Ranks are used because
    the units of the methods differ (a gradient, a share of the score, a share of its variance), and
    because in a mean of scaled maps, broad maps would dominate those with a few hot spots, although
    the spread of a map says nothing about its quality.

    Explanations without signal are left out; without any, the consensus is zero everywhere. Its
    size is that of the first explanation. Maps that do not agree have no consensus, though their
    ranks have a mean: see `agree_beyond_chance`.
    """
    height, width = explanations[0].attribution.shape
    maps = [weaker_share(cell_strength(e)) for e in explanations if has_signal(e.attribution)]
    mean = np.mean(maps, axis=0) if maps else np.zeros((GRID, GRID))
    return resized(mean, (height, width), Image.Resampling.BILINEAR)


def _correlation(
    first: Explanation, second: Explanation, ranks: Callable[..., np.ndarray]
) -> float:
    both_signed = first.method.signed and second.method.signed
    return cosine(ranks(first, both_signed), ranks(second, both_signed))


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else 0.0


def _same_signs(
    first: Explanation, second: Explanation, strongest: Callable[..., np.ndarray]
) -> float:
    if not (first.method.signed and second.method.signed):
        return float("nan")
    either = strongest(first, SHARE) | strongest(second, SHARE)
    sign, other = (np.sign(cell_means(e.attribution)) for e in (first, second))
    return float((sign * other > 0)[either].mean()) if either.any() else float("nan")


def _unit_ranks(explanation: Explanation) -> np.ndarray:
    ranks = centered_ranks(np.abs(explanation.attribution)).reshape(GRID, GRID)
    return ranks / (np.linalg.norm(ranks) or 1)


def _table(
    measure: Callable[[Explanation, Explanation], float], explanations: list[Explanation]
) -> np.ndarray:
    count = len(explanations)
    return np.array(
        [measure(first, second) for first in explanations for second in explanations]
    ).reshape(count, count)


def _ranks(explanation: Explanation, signed: bool) -> np.ndarray:
    values = explanation.attribution if signed else np.abs(explanation.attribution)
    return centered_ranks(values)
