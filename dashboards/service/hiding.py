"""What the model answers when a part of its input is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dashboards.service.requests import TRIM, Hide
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.prediction import Prediction
from xai_tf.errors import InputError
from xai_tf.inputs.audio import trimmed
from xai_tf.inputs.hiding import ERASE, draw_shapes, hide, strongest
from xai_tf.inputs.sample import Sample
from xai_tf.regions import Regions


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIf:
    """The answer with and without a part of the input.

    Attributes:
        before: the prediction for the window as it is.
        after: the prediction for what is left of it.
        image: what is left, uint8 (height, width, 3); of a trimmed sound at its original times.
        share: the share of the area that is hidden, 0 to 1; of a trimmed sound, of its time.
        trimmed: whether the marked times of a sound were cut out.
    """

    before: Prediction
    after: Prediction
    image: np.ndarray
    share: float
    trimmed: bool = False


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
    if request.fill == TRIM:
        mask = np.broadcast_to(mask.any(axis=0), mask.shape)  # a box stands for its times
    mask = ~mask if request.keep else mask
    rest = _rest(classifier, sample, mask, request.fill)
    before, after = classifier.predict([sample, rest])
    # A trimmed sound is shown with gaps, so that its times and what is marked stay where they are.
    shown = (
        hide(sample.image, mask, ERASE, classifier.baseline) if request.fill == TRIM else rest.image
    )
    return WhatIf(
        before=before,
        after=after,
        image=np.rint(shown * 255).astype(np.uint8),
        share=float(mask.mean()),
        trimmed=request.fill == TRIM,
    )


def _rest(classifier: Classifier, sample: Sample, mask: np.ndarray, fill: str) -> Sample:
    if fill != TRIM:
        return replace(sample, image=hide(sample.image, mask, fill, classifier.baseline))
    recipe = classifier.task.recipe if classifier.task else None
    if recipe is None or sample.sound is None:
        raise InputError("Only a sound can be trimmed. Choose another way to hide.")
    return trimmed(sample, ~mask[0], recipe)
