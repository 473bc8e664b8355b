"""Preview estimators: the map of a method that is still running, from the batches so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from xai_tf.attribution.previews import Previews
    from xai_tf.attribution.setup import Run


Estimate = Callable[[Any, "Run", list[Any]], Any]


def preview_callback(
    explainer: Any, run: Run, estimate: Estimate, preview: Previews
) -> Callable[[Any], None]:
    """A callback that takes the results of each batch of passes and offers a preview.

    For explainers whose sampling loop is in Xplique, out of our reach.
    """
    batches: list[Any] = []

    def on_batch(results: Any) -> None:
        batches.append(results)
        preview(estimate, explainer, run, batches)

    return on_batch


def _sobol(explainer: Any, run: Run, batches: list[Any]) -> Any:
    """Sobol: the designs come first, then cell by cell; cells still missing have no effect."""
    scores, design = np.concatenate(batches), explainer.nb_design
    missing_cells = -(-(len(explainer.masks) - len(scores)) // design)
    complete = len(explainer.masks) - missing_cells * design
    if complete < 3 * design:
        return None
    # A cell without effect has the same scores as the design itself.
    filled = np.concatenate([scores[:complete], np.tile(scores[:design], missing_cells)])
    return _enlarged(explainer.estimator(explainer.masks, filled, design), run)


def _hsic(explainer: Any, run: Run, batches: list[Any]) -> Any:
    scores = np.concatenate(batches)
    masks = explainer.masks[: len(scores)]
    return _enlarged(explainer.estimator(masks, scores, len(scores)), run)


def _enlarged(cells: Any, run: Run) -> Any:
    """Indices of cells, (grid, grid, 1), resized to the image as Xplique does it."""
    return tf.image.resize(cells, run.classifier.image_size, tf.image.ResizeMethod.BICUBIC)


ESTIMATES: dict[str, Estimate] = {
    "SobolAttributionMethod": _sobol,
    "HsicAttributionMethod": _hsic,
}
