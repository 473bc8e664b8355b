"""The passes of a network, in batches and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from xai_tf.attribution.methods import Cost
from xai_tf.classifiers.forward import Passes

FORWARD_BATCH, GRADIENT_BATCH = 32, 16

Progress = Callable[[int], None]
Seen = Callable[[Any], None]


def _nobody(_results: Any) -> None:
    """Nobody looks at the results of a batch."""


class PassCounter:
    """Runs a network's passes in batches, counts them, and tells how many are done.

    Explainers are given this in place of Xplique's own functions, which trace the network anew
    for every explainer and every size of batch. `progress` may raise to stop the work. `seen` is
    called with the results of each batch, and may raise as well.
    """

    def __init__(self, passes: Passes, progress: Progress | None = None) -> None:
        self._passes, self._progress = passes, progress or (lambda _: None)
        self.forward = 0
        self.gradient = 0

    @property
    def cost(self) -> Cost:
        return Cost(self.forward, self.gradient)

    def scores(
        self,
        _model: Any,
        images: Any,
        targets: Any,
        _batch: int | None = None,
        seen: Seen = _nobody,
    ) -> Any:
        run = self._passes.scores
        return self._batched(run, images, targets, "forward", FORWARD_BATCH, seen)

    def gradients(
        self,
        _model: Any,
        images: Any,
        targets: Any,
        _batch: int | None = None,
        seen: Seen = _nobody,
    ) -> Any:
        run = self._passes.gradients
        return self._batched(run, images, targets, "gradient", GRADIENT_BATCH, seen)

    def count(self, kind: str, number: int) -> None:
        setattr(self, kind, getattr(self, kind) + number)
        self._progress(self.forward + self.gradient)

    def _batched(
        self, run: Any, images: Any, targets: Any, kind: str, size: int, seen: Seen
    ) -> Any:
        parts = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            parts.append(run(batch, targets[start : start + size]))
            self.count(kind, len(batch))
            seen(parts[-1])
        return tf.concat(parts, axis=0)
