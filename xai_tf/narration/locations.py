"""Where a map is strong, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xai_tf.inputs.sample import Sound

TENTH = 0.1
MOST = 0.8


def strongest_tenth(attribution: np.ndarray) -> np.ndarray:
    """How much of each pixel belongs to the strongest tenth of a map.

    Tied pixels, such as those of one segment, share the remainder of the tenth, so the result does
    not depend on the order of the pixels. Zeros never belong to it.

    Args:
        attribution: finite float array of shape (height, width), not constant.

    Returns:
        float64 array of the same shape in [0, 1].
    """
    strength = np.abs(attribution.astype(np.float64))
    size = TENTH * strength.size
    rank = strength.size - int(np.ceil(size))
    threshold = np.partition(strength, rank, axis=None)[rank]
    above, level = strength > threshold, (strength == threshold) & (threshold > 0)
    return above + level * max(0.0, size - above.sum()) / max(1, level.sum())


def concentration(attribution: np.ndarray, tenth: np.ndarray) -> float:
    """The share of a map's total strength in its `strongest_tenth`, from 0.1 to 1."""
    strength = np.abs(attribution.astype(np.float64))
    return float((strength * tenth).sum() / strength.sum())


def share_for(attribution: np.ndarray) -> float:
    """The share of a signed map's strength that supports the class, from 0 to 1."""
    total = np.abs(attribution.astype(np.float64)).sum()
    return float(np.maximum(attribution, 0).astype(np.float64).sum() / total)


def ninths(tenth: np.ndarray) -> np.ndarray:
    """The share of the strongest tenth in each ninth of the image.

    Returns:
        float64 array of shape (3, 3), from the upper left, summing to 1.
    """
    rows, columns = (np.rint(np.arange(3) * side / 3).astype(int) for side in tenth.shape)
    blocks = np.add.reduceat(np.add.reduceat(tenth, rows, axis=0), columns, axis=1)
    return blocks / tenth.sum()


def hertz_band(tenth: np.ndarray, sound: Sound) -> tuple[float, float]:
    """The narrowest frequency band, in Hz, with 80% of the strongest tenth of a map."""
    first, last = _narrowest(tenth.sum(axis=1)[::-1])  # low frequencies are at the bottom
    # Bands are given by their centers, so half a band extends beyond either end.
    edges = np.array([first, last]) * len(sound.hertz) - 0.5
    low, high = np.interp(edges, np.arange(len(sound.hertz)), sound.hertz)
    return float(low), float(high)


def seconds_span(tenth: np.ndarray, sound: Sound) -> tuple[float, float]:
    """The shortest time span, in seconds of the file, with 80% of the strongest tenth."""
    first, last = _narrowest(tenth.sum(axis=0))
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    return start + first * (end - start), start + last * (end - start)


def _narrowest(profile: np.ndarray) -> tuple[float, float]:
    """The ends, as shares of the length, of the shortest interval with `MOST` of a profile."""
    cumulative = np.concatenate([[0.0], np.cumsum(profile)])
    wanted = MOST * cumulative[-1]
    # Tolerates a rounding error.
    ends = np.searchsorted(cumulative, cumulative[:-1] + wanted * (1 - 1e-9))
    starts = np.flatnonzero(ends < len(cumulative))
    first = starts[np.argmin(ends[starts] - starts)]
    return first / len(profile), ends[first] / len(profile)
