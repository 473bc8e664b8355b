"""The mean of the maps of several files, such as those of one cell of a confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Method
from xai_tf.errors import InputError

CAVEAT = "A mean map tells something only where the same things lie at the same place in all files."


@dataclass(frozen=True, eq=False, kw_only=True)
class MeanMap:
    """The mean of several maps, and of the pictures that were explained.

    Attributes:
        attribution: float32 array of shape (height, width), -1 to 1: each map was divided by its
            largest absolute value, so that all files count alike.
        picture: float32 array of shape (height, width, 3) in [0, 1], the mean of the model inputs.
        method: that made the maps.
        target_name: the class explained.
        count: number of files.
        num_empty: number of those whose map has no signal; it counts as zero everywhere.
    """

    attribution: np.ndarray
    picture: np.ndarray
    method: Method
    target_name: str
    count: int
    num_empty: int


def mean_map(explanations: Iterable[Explanation]) -> MeanMap:
    """The mean of explanations of one class by one method; only one at a time is in memory.

    Args:
        explanations: all by the same method, and of the same image size.

    Raises:
        InputError: there are none.
    """
    total, picture, count, num_empty = np.zeros(()), np.zeros(()), 0, 0
    for explanation in explanations:
        count += 1
        picture = picture + explanation.sample.image
        if has_signal(explanation.attribution):
            total = total + explanation.attribution / np.abs(explanation.attribution).max()
        else:
            num_empty += 1
    if not count:
        raise InputError("There is no file to explain, so there is no mean map.")
    size = picture.shape[:2]
    return MeanMap(
        attribution=np.broadcast_to(total / count, size).astype(np.float32),
        picture=(picture / count).astype(np.float32),
        method=explanation.method,
        target_name=explanation.target_name,
        count=count,
        num_empty=num_empty,
    )
