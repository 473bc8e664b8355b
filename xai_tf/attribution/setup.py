"""What an explainer is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_tf.attribution.pass_counter import PassCounter
from xai_tf.attribution.previews import Previews
from xai_tf.classifiers.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Run:
    """What an explainer is built for.

    Attributes:
        classifier: what is explained.
        settings: all settings of the method.
        seed: of its random draws.
        layer: the feature layer it looks at, for methods that look at one.
        segments: int32 (height, width), for methods that weigh segments.
        features: maps and gradients of the layer, where they are known already.
        pass_counter: runs and counts the passes.
        image: float32 (height, width, 3), what is explained.
        preview: takes the map so far, or None where nobody looks at it.
    """

    classifier: Classifier
    settings: dict[str, float]
    seed: int
    layer: str | None
    segments: np.ndarray | None
    features: tuple[Any, Any] | None
    pass_counter: PassCounter
    image: np.ndarray
    preview: Previews | None

    @property
    def model(self) -> Any:
        return self.classifier.model
