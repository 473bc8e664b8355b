"""Diagnostics: detect maps that look like an explanation but carry no usable information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BORDER = 0.06  # width of the border, as a share of each side


@dataclass(frozen=True)
class Diagnosis:
    """Something wrong with a map.

    Attributes:
        name: "nan", "constant", "saturated", "single_spot" or "border".
        text: the problem and what to try, in a sentence each.
    """

    name: str
    text: str


def diagnose(attribution: np.ndarray) -> tuple[Diagnosis, ...]:
    """Check a map for known problems.

    Args:
        attribution: float array of shape (height, width).

    Returns:
        The problems, the most serious first; empty for a sound map. With "nan" or "constant" the
        map has no signal.
    """
    no_signal = _without_signal(attribution)
    if no_signal:
        return (no_signal,)
    strength = np.abs(attribution.astype(np.float64))
    diagnoses = [check(strength) for check in (_saturated, _single_spot, _border)]
    return tuple(diagnosis for diagnosis in diagnoses if diagnosis)


def has_signal(attribution: np.ndarray) -> bool:
    """Whether a map is finite and not constant, so that there is something to draw."""
    return _without_signal(attribution) is None


def _without_signal(attribution: np.ndarray) -> Diagnosis | None:
    finite = np.isfinite(attribution)
    if not finite.all():
        share = 1 - finite.mean()
        return Diagnosis(
            "nan",
            f"{share:.0%} of the map is not a number (NaN or infinite). The network or the "
            "method overflowed. Try another method, or check the weights of the model.",
        )
    if np.ptp(attribution) <= 1e-6 * max(np.abs(attribution).max(), 1e-12):
        return Diagnosis(
            "constant",
            "No signal: the map is constant, so it explains nothing. With Grad-CAM, this layer "
            "has no evidence for this class. Try another class, an earlier layer, or a gradient "
            "method.",
        )
    return None


def _saturated(strength: np.ndarray) -> Diagnosis | None:
    share = float((strength >= 0.98 * strength.max()).mean())
    if share < 0.25:
        return None
    return Diagnosis(
        "saturated",
        f"{share:.0%} of the map is at its maximum, so it does not localize anything. Try a later "
        "layer, smaller patches, or more samples.",
    )


def _single_spot(strength: np.ndarray) -> Diagnosis | None:
    count = max(1, strength.size // 1000)
    top = np.partition(strength, -count, axis=None)[-count:]
    share = float(top.sum() / strength.sum())
    if share < 0.5:
        return None
    return Diagnosis(
        "single_spot",
        f"{count} pixels hold {share:.0%} of the map. Try SmoothGrad, or a method that works on "
        "regions, such as occlusion.",
    )


def _border(strength: np.ndarray) -> Diagnosis | None:
    height, width = strength.shape
    rows, columns = (max(1, round(BORDER * side)) for side in (height, width))
    total = strength.sum()
    inner = strength[rows : height - rows, columns : width - columns].sum()
    area = 1 - (height - 2 * rows) * (width - 2 * columns) / (height * width)
    if total == 0 or 1 - inner / total < 0.7:
        return None
    return Diagnosis(
        "border",
        f"{1 - inner / total:.0%} of the map lies on the border ({area:.0%} of the area). The "
        "cause may be padding in the network, or a mark at the edge of the image. Crop the image "
        "and explain it again.",
    )
