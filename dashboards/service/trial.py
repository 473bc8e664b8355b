"""What is found when a visitor's own model is tried; without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from weights_keras import ModelCard


@dataclass(frozen=True, kw_only=True)
class TriedScaling:
    """What a model predicts for a file with one preprocessing.

    Attributes:
        name: the preprocessing, a name in `SCALINGS`.
        title: its name for people.
        label: the name of the predicted class.
        probability: its probability.
    """

    name: str
    title: str
    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class ModelTrial:
    """A model that could be loaded.

    Attributes:
        card: what is known of it, with the preprocessing that was found.
        certain: whether that is known; otherwise it is a guess.
        reason: why it was chosen, in words that follow "because".
        warnings: what a person should know about the model, a sentence each.
        tried: what it predicts with each preprocessing; empty without a file.
    """

    card: ModelCard
    certain: bool
    reason: str
    warnings: tuple[str, ...]
    tried: tuple[TriedScaling, ...]
