"""How far several explanations agree, in numbers, and what they have in common as a map.

Three measures of Krishna et al. 2022, The Disagreement Problem in Explainable Machine Learning,
arXiv:2202.01602: rank correlation (Spearman 1904, doi:10.2307/1412159), the overlap of the
strongest places, taken as intersection over union, and sign agreement, taken on the strongest
places of either map. (The paper counts places that are strong in both, so that its sign agreement
falls with the overlap; here the two say different things.)

Maps are compared by the means of 28x28 cells, not by pixels, since those of gradient methods are
speckled. Measured on the X-ray and the audio MobileNetV2 with two samples each: two SmoothGrad maps
that differ in nothing but the seed have a rank correlation of 0.23 and an overlap of 0.26 by
pixels, 0.77 and 0.67 by cells. Methods of regions stay as they were (RISE: 0.75 and 0.72 by pixels,
0.75 and 0.71 by cells), and so do maps of different pictures, at no correlation (-0.03, -0.04) and
the overlap of chance (0.05 both). Maps of models with different image sizes compare as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from xai_tf.attribution.cells import (
    GRID,
    SHARE,
    _cosine,
    _ranked,
    cell_means,
    cell_strength,
    resized,
    strongest_cells,
    weaker_share,
)
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far explanations agree, each with each.

    Attributes:
        names: titles of the methods compared, n of them, in the order given.
        positions: where each stood in what was given.
        correlations: float array of shape (n, n), -1 to 1: rank correlations, 0 for no relation.
        overlaps: float array of shape (n, n), 0 to 1: of the strongest tenth; see `chance_overlap`.
        signs: float array of shape (n, n), 0 to 1: the share of the strongest places with the same
            sign; NaN where one of the two has no signs.
        left_out: titles of those without a signal (NaN or the same everywhere).
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    correlations: np.ndarray
    overlaps: np.ndarray
    signs: np.ndarray
    left_out: tuple[str, ...]


def agreement(explanations: Sequence[Explanation]) -> Agreement:
    """Compare explanations of one picture, each with each."""
    sound = [i for i, e in enumerate(explanations) if has_signal(e.attribution)]
    kept = [explanations[i] for i in sound]
    ranks, strongest = cache(_ranks), cache(strongest_cells)  # of each map once, not of each pair
    return Agreement(
        names=tuple(e.method.title for e in kept),
        positions=tuple(sound),
        correlations=_table(lambda *pair: _correlation(*pair, ranks), kept),
        overlaps=_table(lambda *pair: _overlap(*(strongest(e, SHARE) for e in pair)), kept),
        signs=_table(lambda *pair: _same_signs(*pair, strongest), kept),
        left_out=tuple(e.method.title for i, e in enumerate(explanations) if i not in sound),
    )


def rank_correlation(first: Explanation, second: Explanation) -> float:
    """Spearman's rank correlation of two maps, cell by cell: -1 to 1, 0 for no relation.

    Two signed maps are compared with their signs. If one of the two has none, strengths (absolute
    values) are compared, so that what speaks against the class counts as what matters. It is 0
    where all cells of a map are the same.
    """
    return _correlation(first, second, _ranks)


def overlap(first: Explanation, second: Explanation, share: float = SHARE) -> float:
    """Intersection over union of the strongest cells of two maps: 0 to 1.

    Args:
        first, second: by strength, whatever the sign.
        share: of all cells that count as the strongest, above 0 and at most 1. Cells as strong as
            the last of them count too (a segment comes in whole), cells of zero never do. So the
            order of the cells decides nothing.
    """
    return _overlap(strongest_cells(first, share), strongest_cells(second, share))


def sign_agreement(first: Explanation, second: Explanation) -> float:
    """The share of the strongest places on which two signed maps have the same sign: 0 to 1.

    Of the cells that are among the strongest tenth of either map. A cell of zero has no sign, and
    so not the same. Maps that have nothing to do with each other have 0.5 where each speaks for and
    against the class as often. NaN where one of the two methods tells no signs, or both maps are
    zero everywhere.
    """
    return _same_signs(first, second, strongest_cells)


def chance_overlap(share: float = SHARE) -> float:
    """The overlap of two maps that have nothing to do with each other, about 0.05 for a tenth.

    Two random sets with a share s of all cells have s^2 in common and 2s - s^2 together.
    """
    return share / (2 - share)


def consensus(explanations: Sequence[Explanation]) -> np.ndarray:
    """What explanations of one picture have in common: float32 (height, width) in [0, 1].

    Each method gives a place the share of the picture that is weaker than it, by strength (so what
    speaks against the class counts too); the consensus is the mean of these shares. Ranks, because
    the methods' units have nothing in common (a gradient, a share of the score, a share of its
    variance), and because in a mean of scaled maps the broad ones would drown those with a few hot
    spots: how far a map is spread out says nothing about how right it is.

    Explanations without a signal are left out; if all are, the map is zero, and so without one too.
    The size is that of the first.
    """
    height, width = explanations[0].attribution.shape
    maps = [weaker_share(cell_strength(e)) for e in explanations if has_signal(e.attribution)]
    mean = np.mean(maps, axis=0) if maps else np.zeros((GRID, GRID))
    return resized(mean, (height, width), Image.Resampling.BILINEAR)


def _correlation(
    first: Explanation, second: Explanation, ranks: Callable[..., np.ndarray]
) -> float:
    both_signed = first.method.signed and second.method.signed
    return _cosine(ranks(first, both_signed), ranks(second, both_signed))


def _overlap(strong: np.ndarray, other: np.ndarray) -> float:
    either = (strong | other).sum()
    return float((strong & other).sum() / either) if either else 0.0


def _same_signs(
    first: Explanation, second: Explanation, strongest: Callable[..., np.ndarray]
) -> float:
    if not (first.method.signed and second.method.signed):
        return float("nan")
    either = strongest(first, SHARE) | strongest(second, SHARE)
    sign, other = (np.sign(cell_means(e.attribution)) for e in (first, second))
    return float((sign * other > 0)[either].mean()) if either.any() else float("nan")


def _table(
    measure: Callable[[Explanation, Explanation], float], explanations: list[Explanation]
) -> np.ndarray:
    count = len(explanations)
    return np.array(
        [measure(first, second) for first in explanations for second in explanations]
    ).reshape(count, count)


def _ranks(explanation: Explanation, signed: bool) -> np.ndarray:
    """The ranks of the cells, less their mean: float64, as many as cells."""
    values = explanation.attribution if signed else np.abs(explanation.attribution)
    return _ranked(values)
