"""The card of a model that came without one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weights_keras import ModelCard
from xai_tf.classifiers.preprocessing import scaling_of

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier


def card_of(classifier: Classifier, name: str, text: str, returns: str = "") -> ModelCard:
    """What is known of a classifier as a card: its own, brought up to date, or a new one.

    Args:
        classifier: the classifier.
        name: the name of the model, for a new card.
        text: the text of a new card.
        returns: what the outputs are, where that was given; else the last layer shows it.
    """
    card = classifier.card or ModelCard(
        name=name,
        task="",
        classes=classifier.classes,
        backbone=classifier.backbone or "",
        license="unknown",
        text=text,
    )
    card = replace(
        card,
        task=classifier.task.key if classifier.task else card.task,
        classes=classifier.classes if classifier.classes_source else (),
        image_size=classifier.image_size,
        resize=classifier.read_options.resize if classifier.read_options else card.resize,
        output=classifier.output,
        inputs={name: _typed(value) for name, value in classifier.held.items()},
        returns=returns or card.returns,
    )
    return with_scaling(card, classifier.preprocessing)


def with_scaling(card: ModelCard, scaling: str) -> ModelCard:
    """A card with another preprocessing, a name as for `scaling_of`."""
    return replace(card, preprocessing=scaling_of(scaling).title, scaling=scaling)


def _typed(value: np.ndarray) -> Any:
    """The value of a held input as it is typed: float32 0.1 as 0.1, one number without a list."""
    numbers = value if value.dtype.kind == "f" else value.astype(float)
    shortest = np.array([float(str(number)) for number in np.ravel(numbers)])
    return shortest.item() if shortest.size == 1 else shortest.reshape(value.shape).tolist()
