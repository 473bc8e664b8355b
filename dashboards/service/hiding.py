"""What the model answers when a part of its input is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dashboards.service.requests import Hide
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import InputError
from xai_tf.inputs.hiding import draw_shapes, hide, strongest
from xai_tf.inputs.sample import Sample
from xai_tf.regions import Regions


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIf:
    """The answer with and without a part of the input.

    Attributes:
        before: the prediction for the window as it is.
        after: the prediction for what is left of it.
        image: what is left, uint8 (height, width, 3).
        share: the share of the area that is hidden, 0 to 1.
    """

    before: Prediction
    after: Prediction
    image: np.ndarray
    share: float


def what_if(
    classifier: Classifier,
    sample: Sample,
    request: Hide,
    regions: Regions | None,
    explanation: Explanation | None,
) -> WhatIf:
    """Hide what a request names, and predict the sample before and after.

    Raises:
        InputError: nothing is marked, or a region is not in this picture.
    """
    mask = draw_shapes(request.shapes, classifier.image_size)
    for partition, region in request.regions:
        found = regions.partitions.get(partition, {}).get(region) if regions else None
        if found is None:
            raise InputError(f"There is no region {region!r} in this picture. Choose another one.")
        mask = mask | found
    if explanation is not None:
        mask = mask | strongest(explanation.attribution)
    if not mask.any():
        raise InputError("Nothing is marked. Draw a box or a stroke on the picture.")
    mask = ~mask if request.keep else mask
    image = hide(sample.image, mask, request.fill, classifier.baseline)
    before, after = classifier.predict([sample, replace(sample, image=image)])
    return WhatIf(
        before=before,
        after=after,
        image=np.rint(image * 255).astype(np.uint8),
        share=float(mask.mean()),
    )
