"""Previews: the map so far, while a method that samples is still running.

Each method's own estimator gets the samples so far: gradients for SmoothGrad, SquareGrad and
VarGrad, path points for Integrated Gradients, masks for RISE, perturbed images for LIME, Kernel
SHAP and HSIC. Occlusion and Sobol go from place to place; places still missing are zero. Methods
of one pass have no previews.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from xai_tf.attribution.methods import Method

SECONDS = 1.0  # minimum time between two previews
SHARE = 0.05  # maximum share of the running time spent on previews


class Previews:
    """Limits how often a running explainer computes and shows a preview.

    Args:
        show: called with the map so far, float32 of shape (height, width), computed like the final
            one; may raise to stop the work.
        method: the method that runs.
    """

    def __init__(self, show: Callable[[np.ndarray], None], method: Method) -> None:
        self._show, self._method = show, method
        self._due = time.monotonic() + SECONDS

    def __call__(self, estimate: Callable[..., Any], *arguments: Any) -> None:
        """Show `estimate(*arguments)` if a preview is due; None means there is no map yet."""
        start = time.monotonic()
        if start < self._due:
            return
        values = estimate(*arguments)
        duration = time.monotonic() - start
        if values is not None:
            self._show(one_map(values, self._method))
        self._due = time.monotonic() + max(SECONDS, duration / SHARE)


def one_map(values: Any, method: Method) -> np.ndarray:
    """An explainer's output for one image as a float32 map of shape (height, width).

    Args:
        values: of shape (height, width) or (height, width, 1).
        method: values of unsigned methods are clipped at zero.
    """
    attribution = np.asarray(values, np.float32)
    if attribution.ndim == 3:
        attribution = attribution.squeeze(-1)
    if method.signed:
        return attribution
    return np.maximum(attribution, 0)  # bicubic resizing undershoots
