"""What the samples so far say: the map of a method that is still running."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from xai_tf.attribution.setup import Run


Estimate = Callable[[Any, "Run", list[Any]], Any]


def watch(explainer: Any, run: Run, estimate: Estimate) -> Callable[[Any], None]:
    """What to call with the results of each batch of passes, for loops that are Xplique's own."""
    known: list[Any] = []

    def seen(results: Any) -> None:
        known.append(results)
        run.preview(estimate, explainer, run, known)

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
