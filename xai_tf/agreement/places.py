"""Whether methods point at the same place, which is less than that their maps are alike."""

from __future__ import annotations

import numpy as np
from PIL import Image

from xai_tf.attribution.cells import resized
from xai_tf.attribution.explanation import Explanation

TENTH = 0.1


def shares_strongest_place(explanation: Explanation, other: Explanation) -> bool:
    """Whether the strongest place of a map is among the strongest tenth of another's pixels.

    Where several pixels are the strongest, as in a segment, at least half of them are. Both maps
    must have a signal.

    Examples:
        >>> import xai_tf
        >>> classifier = xai_tf.load("dogs_mobilenetv2")
        >>> methods = ["squared_ig", "rise"]
        >>> shares_strongest_place(*xai_tf.explain(classifier, "dog.jpg", methods))
        True

    Args:
        explanation: the map whose strongest place is looked for.
        other: a map of the same input, of any size.
    """
    strength, strength_there = (np.abs(one.attribution) for one in (explanation, other))
    if strength_there.shape != strength.shape:
        strength_there = resized(strength_there, strength.shape, Image.Resampling.BILINEAR)
    rank = round((1 - TENTH) * (strength_there.size - 1))
    threshold = np.partition(strength_there, rank, axis=None)[rank]
    strong = (strength_there >= threshold) & (strength_there > 0)
    return bool(strong[strength == strength.max()].mean() >= 0.5)
