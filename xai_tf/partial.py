"""The map so far, while a method that samples still runs.

A method's own estimator is given what is known so far: SmoothGrad, SquareGrad and VarGrad the
gradients, Integrated Gradients the points of its path, RISE the masks, LIME, Kernel SHAP and HSIC
the samples. Occlusion and Sobol go from place to place: the places to come are zero.
Methods of one pass have nothing to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from xai_tf.methods import Method

if TYPE_CHECKING:
    from xai_tf.explainers import Run

SECONDS = 1.0  # at least, from one partial map to the next
SHARE = 0.05  # at most, of the time, goes into estimating them

Estimate = Callable[[Any, "Run", list[Any]], Any]


class Offers:
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


def watch(explainer: Any, run: Run, estimate: Estimate) -> Callable[[Any], None]:
    """What to call with the results of each batch of passes, for loops that are Xplique's own."""
    known: list[Any] = []

    def seen(results: Any) -> None:
        known.append(results)
        run.offer(estimate, explainer, run, known)

    return seen


def _path(_explainer: Any, run: Run, gradients: list[Any]) -> Any:
    """Integrated Gradients: as if the way to come were like the way so far, from the baseline."""
    mean = sum(tf.reduce_sum(batch, axis=0) for batch in gradients) / sum(map(len, gradients))
    return tf.reduce_sum((run.image - run.settings["baseline"]) * mean, axis=-1)


def _sobol(explainer: Any, run: Run, scores: list[Any]) -> Any:
    """Sobol: the designs come first, then cell after cell; a cell not seen has no effect yet."""
    known, design = np.concatenate(scores), explainer.nb_design
    to_come = -(-(len(explainer.masks) - len(known)) // design)
    whole = len(explainer.masks) - to_come * design
    if whole < 3 * design:
        return None
    # A cell without effect gives the scores of the design itself.
    filled = np.concatenate([known[:whole], np.tile(known[:design], to_come)])
    return _enlarged(explainer.estimator(explainer.masks, filled, design), run)


def _hsic(explainer: Any, run: Run, scores: list[Any]) -> Any:
    known = np.concatenate(scores)
    masks = explainer.masks[: len(known)]
    return _enlarged(explainer.estimator(masks, known, len(known)), run)


def _enlarged(cells: Any, run: Run) -> Any:
    """Indices of cells, (grid, grid, 1), as a map, the way Xplique does it."""
    return tf.image.resize(cells, run.classifier.image_size, tf.image.ResizeMethod.BICUBIC)


ESTIMATES: dict[str, Estimate] = {
    "IntegratedGradients": _path,
    "SobolAttributionMethod": _sobol,
    "HsicAttributionMethod": _hsic,
}
