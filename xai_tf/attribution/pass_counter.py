"""Runs the passes of a network in batches, and counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from xai_tf.attribution.methods import Cost
from xai_tf.classifiers.forward import Passes

FORWARD_BATCH, GRADIENT_BATCH = 32, 16

Progress = Callable[[int], None]
OnBatch = Callable[[Any], None]


def _ignore(_results: Any) -> None:
    """The default `on_batch`: does nothing."""


class PassCounter:
    """Runs a network's passes in batches, counts them, and reports progress.

    Explainers use this instead of Xplique's own functions, which trace the network again for every
    explainer and every batch size. `progress` is called with the number of passes done and may
    raise to stop the work. `on_batch` is called with the results of each batch and may raise too.

    Attributes:
        forward: forward passes so far.
        gradient: forward and backward passes so far.
    """

    def __init__(self, passes: Passes, progress: Progress | None = None) -> None:
        self._passes, self._progress = passes, progress or (lambda _: None)
        self.forward = 0
        self.gradient = 0

    @property
    def cost(self) -> Cost:
        """The passes so far."""
        return Cost(self.forward, self.gradient)

    def scores(
        self,
        _model: Any,
        images: Any,
        targets: Any,
        _batch: int | None = None,
        on_batch: OnBatch = _ignore,
    ) -> Any:
        """Scores of images: float tensor of shape (batch,). The signature is Xplique's."""
        run = self._passes.scores
        return self._batched(run, images, targets, "forward", FORWARD_BATCH, on_batch)

    def gradients(
        self,
        _model: Any,
        images: Any,
        targets: Any,
        _batch: int | None = None,
        on_batch: OnBatch = _ignore,
    ) -> Any:
        """Gradients of the scores, of the shape of the images. The signature is Xplique's."""
        run = self._passes.gradients
        return self._batched(run, images, targets, "gradient", GRADIENT_BATCH, on_batch)

    def scores_and_gradients(self, images: Any, targets: Any) -> tuple[Any, Any]:
        """One batch: scores of shape (batch,) and gradients of the shape of the images."""
        results = self._passes.scores_and_gradients(images, targets)
        self.count("gradient", len(images))
        return results

    def count(self, kind: str, number: int) -> None:
        """Count passes that ran elsewhere, and report progress.

        Args:
            kind: "forward" or "gradient".
            number: how many.
        """
        setattr(self, kind, getattr(self, kind) + number)
        self._progress(self.forward + self.gradient)

    def _batched(
        self, run: Any, images: Any, targets: Any, kind: str, size: int, on_batch: OnBatch
    ) -> Any:
        results = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            results.append(run(batch, targets[start : start + size]))
            self.count(kind, len(batch))
            on_batch(results[-1])
        return tf.concat(results, axis=0)
