"""How well a map finds a plant. A constant map scores what chance does, whatever the mask.

| score | chance | what it is |
|---|---|---|
| pointing | area | is the strongest place in the mask? (Zhang et al. 2016, arXiv:1608.00507) |
| energy | area | share of the evidence that is in the mask (Wang et al. 2020, arXiv:1910.01279) |
| iou | area / (2 - area) | overlap of the mask with as many of the strongest pixels |
| auc | 0.5 | how often a pixel in the mask is stronger than one outside |

Evidence is what speaks for the plant's class: the positive values of a signed map, the strength of
an unsigned one. Where pixels are equally strong, their share in the mask counts. Pointing has no
tolerance around the mask, which was 15 pixels in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xai_tf.errors import InputError

DRAWS = 1000


def scores(attribution: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Score a map against the mask of the plant.

    Args:
        attribution: float array of shape (height, width), more where more speaks for the class.
        mask: bool array of the same shape.

    Returns:
        A value of 0 to 1 by each name in `SCORES`; NaN for a map with values that are no numbers.

    Raises:
        InputError: the mask has another shape, or covers nothing or everything.
    """
    check_mask(mask, attribution.shape)
    if not np.isfinite(attribution).all():
        return dict.fromkeys(SCORES, float("nan"))
    values = attribution.astype(np.float64)
    return {name: float(score(values, mask)) for name, score in SCORES.items()}


def check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise an InputError where no map could be right or wrong about a mask."""
    if mask.shape != shape:
        raise InputError(
            f"The mask is {mask.shape} pixels, the map {shape}. Give the mask of the picture that "
            "was explained."
        )
    if mask.all() or not mask.any():
        raise InputError(
            f"The mask covers {'everything' if mask.all() else 'nothing'}, so every map is as "
            "good as any other. Give a mask of where the plant is."
        )


def chance(area: float) -> dict[str, float]:
    """What a constant map scores, for a mask that covers a share of the picture."""
    return {"pointing": area, "energy": area, "iou": area / (2 - area), "auc": 0.5}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% percentile bootstrap interval over files; values that are NaN are left out."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan"), float("nan"), float("nan")
    draws = np.random.default_rng(0).integers(len(known), size=(DRAWS, len(known)))
    low, high = np.percentile(known[draws].mean(axis=1), (2.5, 97.5))
    return float(known.mean()), float(low), float(high)


def _pointing(values: np.ndarray, mask: np.ndarray) -> float:
    return mask[values == values.max()].mean()


def _energy(values: np.ndarray, mask: np.ndarray) -> float:
    evidence = np.maximum(values, 0)
    return evidence[mask].sum() / evidence.sum() if evidence.any() else mask.mean()


def _iou(values: np.ndarray, mask: np.ndarray) -> float:
    count = int(mask.sum())
    least = np.partition(values, values.size - count, axis=None)[values.size - count]
    above, tied = values > least, values == least
    shared = mask[above].sum() + (count - above.sum()) * mask[tied].mean()
    return shared / (2 * count - shared)


def _auc(values: np.ndarray, mask: np.ndarray) -> float:
    from scipy.stats import rankdata

    inside, outside = int(mask.sum()), int((~mask).sum())
    return (rankdata(values)[mask.ravel()].sum() - inside * (inside + 1) / 2) / inside / outside


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pointing": _pointing,
    "energy": _energy,
    "iou": _iou,
    "auc": _auc,
}
