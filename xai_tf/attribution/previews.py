"""The map so far, while a method that samples still runs.

A method's own estimator is given what is known so far: SmoothGrad, SquareGrad and VarGrad the
gradients, Integrated Gradients the points of its path, RISE the masks, LIME, Kernel SHAP and HSIC
the samples. Occlusion and Sobol go from place to place: the places to come are zero.
Methods of one pass have nothing to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from xai_tf.attribution.methods import Method

SECONDS = 1.0  # at least, from one partial map to the next
SHARE = 0.05  # at most, of the time, goes into estimating them


class Previews:
    """Takes the offers of a running explainer, and shows a map now and then.

    Args:
        show: called with a partial map, float32 of shape (height, width), made as the final one;
            raise in it to stop the work.
        method: what is running.
    """

    def __init__(self, show: Callable[[np.ndarray], None], method: Method) -> None:
        self._show, self._method = show, method
        self._due = time.monotonic() + SECONDS

    def __call__(self, estimate: Callable[..., Any], *known: Any) -> None:
        """Show the map that `estimate` makes of what is known, if it is time; None shows none."""
        start = time.monotonic()
        if start < self._due:
            return
        values = estimate(*known)
        took = time.monotonic() - start
        if values is not None:
            self._show(one_map(values, self._method))
        self._due = time.monotonic() + max(SECONDS, took / SHARE)


def one_map(values: Any, method: Method) -> np.ndarray:
    """What an explainer made of one image, (height, width) or with a 1 behind, as a float32 map."""
    attribution = np.asarray(values, np.float32)
    if attribution.ndim == 3:
        attribution = attribution.squeeze(-1)
    if method.signed:
        return attribution
    return np.maximum(attribution, 0)  # bicubic enlarging undershoots
