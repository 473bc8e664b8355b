"""The inputs of an explainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_tf.attribution.methods import Value
from xai_tf.attribution.pass_counter import PassCounter
from xai_tf.attribution.previews import Previews
from xai_tf.classifiers.classifier import Classifier


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """What an explainer is built from.

    Attributes:
        classifier: the classifier to explain.
        settings: all settings of the method.
        image: float32 (height, width, 3), the image to explain.
        pass_counter: runs and counts the passes.
        seed: random seed of the method.
        layer: the feature layer to explain, for methods that need one.
        segments: int32 (height, width), for methods that weight segments.
        features: maps and gradients of the layer, where they are already computed.
        preview: takes the map so far; None where no previews are needed.
    """

    classifier: Classifier
    settings: dict[str, Value]
    image: np.ndarray
    pass_counter: PassCounter
    seed: int = 0
    layer: str | None = None
    segments: np.ndarray | None = None
    features: tuple[Any, Any] | None = None
    preview: Previews | None = None

    @property
    def model(self) -> Any:
        """The Keras model of the classifier."""
        return self.classifier.model

    @property
    def feature_layer(self) -> str:
        """The layer, for methods that need one."""
        assert self.layer is not None, "this method needs a layer"
        return self.layer
