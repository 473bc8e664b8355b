"""What is known of a model once it was loaded: what it can do, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.service.requests import Explain, Judge
from xai_tf.attribution.methods import METHODS, Cost
from xai_tf.metrics.metric import METRICS


@dataclass(frozen=True)
class ModelFacts:
    """What loading a model tells.

    Attributes:
        name: of the model.
        classes: their names.
        image_size: (height, width).
        backbone: its name in `BACKBONES`, or None.
        feature_layers: names of the layers Grad-CAM can look at, in the order of the graph.
        resolution_layers: those at the end of each resolution.
        forward_seconds, gradient_seconds: of one image within a batch, measured here when warm.
        baseline: the level that means "nothing there".
        has_relu: whether Guided backprop and DeconvNet are methods of their own on it.
        description: `xai_tf.bundles.write.describe_classifier`'s.
    """

    name: str
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    backbone: str | None
    feature_layers: tuple[str, ...]
    resolution_layers: tuple[str, ...]
    forward_seconds: float
    gradient_seconds: float
    baseline: float
    has_relu: bool
    description: dict[str, Any]

    def cost(self, request: Explain | Judge) -> Cost:
        """The passes that an explanation, or judging it once it is made, will take."""
        asked = request.explanation if isinstance(request, Judge) else request
        method = METHODS[asked.method]
        own = method.cost(method.settings(asked.question.given, self.baseline), self.image_size)
        if asked is request:
            return own
        costs = [
            metric.cost(metric.settings({}, self.baseline), self.image_size, own)
            for metric in map(METRICS.get, request.metrics)
        ]
        return Cost(sum(cost.forward for cost in costs), sum(cost.gradient for cost in costs))

    def seconds(self, request: Explain | Judge) -> float:
        """How long it will take, when nobody else is asking."""
        cost = self.cost(request)
        return cost.forward * self.forward_seconds + cost.gradient * self.gradient_seconds
