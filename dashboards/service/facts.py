"""Facts about a loaded model: what it supports, and how fast it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.service.requests import Explain, Judge
from xai_tf.attribution.methods import METHODS, Cost
from xai_tf.metrics.metric import METRICS


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Facts about a model that are known once it is loaded.

    Attributes:
        name: the name of the model.
        classes: the names of the classes.
        image_size: (height, width) in pixels.
        backbone: its name in `BACKBONES`, or None.
        feature_layers: names of the layers that CAM methods can explain, in graph order.
        resolution_layers: the last feature layer of each resolution.
        forward_seconds, gradient_seconds: time per image in a batch, measured on this machine
            after warm-up.
        baseline: the input value that stands for missing information.
        access: how much of the network can be seen, a name in `ACCESS`.
        has_relu: whether Guided backprop and DeconvNet differ from the plain gradient.
        description: the output of `xai_tf.bundles.write.describe_classifier`.
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
    access: str
    has_relu: bool
    description: dict[str, Any]

    def cost(self, request: Explain | Judge) -> Cost:
        """The passes that an explanation takes, or that scoring a computed one takes."""
        explained = request.explanation if isinstance(request, Judge) else request
        method = METHODS[explained.method]
        own = method.cost(method.settings(explained.question.given, self.baseline), self.image_size)
        if explained is request:
            return own
        costs = [
            metric.cost(metric.settings({}, self.baseline), self.image_size, own)
            for metric in map(METRICS.get, request.metrics)
        ]
        return Cost(sum(cost.forward for cost in costs), sum(cost.gradient for cost in costs))

    def passes(self, request: Explain) -> str:
        """The number of passes of an explanation in words: "1" or "64 to 512"."""
        method = METHODS[request.method]
        return method.passes(
            method.settings(request.question.given, self.baseline), self.image_size
        )

    def seconds(self, request: Explain | Judge) -> float:
        """Estimated seconds of a request on an idle server."""
        cost = self.cost(request)
        return cost.forward * self.forward_seconds + cost.gradient * self.gradient_seconds
