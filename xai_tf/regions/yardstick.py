"""How well a map finds what people marked, and maps that know nothing of the model beside it.

| figure | by chance | what it is |
|---|---|---|
| pointing | share of the area within the tolerance | is the strongest pixel on or near a mark? |
| strict pointing | area | is it on a mark? |
| share | area | share of the evidence for the class that is on the marks |
| density | 1 | that share divided by the area of the marks |
| iou | area / (2 - area) | overlap of the marks with as many of the strongest pixels |
| auc | 0.5 | how often a pixel on a mark is stronger than one beside it |

The pointing game is of Zhang et al. 2018 (arXiv:1608.00507); the share is the energy-based one of
Wang et al. 2020 (arXiv:1910.01279). Evidence for the class is the positive part of a signed map,
and the strength of an unsigned one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.errors import InputError

# 15 pixels of a picture of 224, as the pointing game is played.
TOLERANCE = 15 / 224

# How the figures of `MarkScores` are called where people read them.
FIGURES = {
    "pointing": "pointing",
    "strict_pointing": "strict pointing",
    "share": "share",
    "density": "density",
    "iou": "IoU",
    "auc": "AUC",
}


@dataclass(frozen=True, kw_only=True)
class MarkScores:
    """How well one map finds the marks of one file.

    Attributes:
        area: share of the picture that is marked, above 0 and below 1.
        pointing: whether the strongest pixel is on a mark, or within the tolerance of one. Where
            several are equally strong, at least half of them must be.
        strict_pointing: the same without a tolerance.
        share: share of the evidence for the class that is on the marks; None where there is none.
        density: the share divided by the area; 1 by chance.
        iou: intersection over union of the marks with as many of the strongest pixels.
        auc: area under the ROC curve of the map as a ranking of the pixels: 1 where all that are
            marked are stronger than all others, 0.5 by chance.
    """

    area: float
    pointing: bool
    strict_pointing: bool
    share: float | None
    density: float | None
    iou: float
    auc: float


def mark_scores(
    attribution: np.ndarray, mask: np.ndarray, tolerance: int | None = None
) -> MarkScores:
    """Judge a map by the marks of people.

    Args:
        attribution: float array of shape (height, width), more where more speaks for the class.
        mask: bool array of the same shape, the marks.
        tolerance: how far, in pixels, the strongest one may be from a mark and still count as on
            it; `tolerance_of` the picture if left out.

    Raises:
        InputError: the mask has another shape, or covers nothing or everything, so that every map
            is as good as any other; or the map has no signal.
    """
    check_mask(mask, attribution.shape)
    if not has_signal(attribution):
        raise InputError("The map has no signal, so it points nowhere. Try another method.")
    values, area = attribution.astype(np.float64), float(mask.mean())
    evidence = np.maximum(values, 0)
    share = float(evidence[mask].sum() / evidence.sum()) if evidence.any() else None
    reach = tolerance_of(mask.shape) if tolerance is None else tolerance
    strongest = values == values.max()
    return MarkScores(
        area=area,
        pointing=bool(_near(mask, reach)[strongest].mean() >= 0.5),
        strict_pointing=bool(mask[strongest].mean() >= 0.5),
        share=share,
        density=None if share is None else share / area,
        iou=_iou(values, mask),
        auc=_auc(values, mask),
    )


def check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise an InputError where no map could be right or wrong about the marks."""
    if mask.shape != shape:
        raise InputError(
            f"The marks have {mask.shape} pixels and the map {shape}. Use the marks of the sample "
            "that was explained."
        )
    if mask.all():
        raise InputError(
            "The marks cover the whole picture, so every map is as good as any other. Mark less."
        )
    if not mask.any():
        raise InputError(
            "The marks cover nothing of what the model sees, as that part was cropped away."
        )


def tolerance_of(shape: tuple[int, ...]) -> int:
    """The tolerance of the pointing game in pixels: 15 for a picture of 224."""
    return round(TOLERANCE * min(shape))


def _near(mask: np.ndarray, reach: int) -> np.ndarray:
    """The pixels on a mark or at most so many pixels away from one."""
    from scipy.ndimage import distance_transform_edt

    return mask if reach <= 0 else distance_transform_edt(~mask) <= reach


def _iou(values: np.ndarray, mask: np.ndarray) -> float:
    """Of the pixels that are as strong as the weakest that counts, their share on a mark counts."""
    count = int(mask.sum())
    least = np.partition(values, values.size - count, axis=None)[values.size - count]
    above, tied = values > least, values == least
    shared = mask[above].sum() + (count - above.sum()) * mask[tied].mean()
    return float(shared / (2 * count - shared))


def _auc(values: np.ndarray, mask: np.ndarray) -> float:
    from scipy.stats import rankdata

    inside, outside = int(mask.sum()), int((~mask).sum())
    ranks = rankdata(values)[mask.ravel()].sum()
    return float((ranks - inside * (inside + 1) / 2) / inside / outside)


def _center(image: np.ndarray, _seed: int) -> np.ndarray:
    """A Gaussian in the middle, whose standard deviation is a quarter of the side."""
    down, across = (np.linspace(-2, 2, side) for side in image.shape[:2])
    gaussian: np.ndarray = np.exp(-(down[:, None] ** 2 + across[None] ** 2) / 2)
    return gaussian


def _random(image: np.ndarray, seed: int) -> np.ndarray:
    """A random number for each pixel."""
    return np.random.default_rng(seed).random(image.shape[:2])


def _edges(image: np.ndarray, _seed: int) -> np.ndarray:
    """The Sobel gradient of the gray picture: what stands out, whatever the question."""
    from skimage.filters import sobel

    found: np.ndarray = sobel(image.mean(axis=-1))  # type: ignore[no-untyped-call]
    return found


# Maps that do not know the model: (image of shape (height, width, 3), seed) to (height, width).
BLIND_MAPS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "center": _center,
    "random": _random,
    "edges": _edges,
}
PRIOR = "usual place"  # the mean of the marks of the other files
BLIND_TITLES = {
    "center": "Centered Gaussian",
    "random": "Random",
    "edges": "Edges",
    PRIOR: "Usual place",
}
