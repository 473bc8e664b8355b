"""What a classifier says: logits, and the probabilities made of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a classifier says of one sample.

    Attributes:
        logits: float32 array of shape (logits,), the raw outputs.
        probabilities: float64 array of shape (classes,), summing to 1.
        classes: the names of the classes.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    @property
    def label(self) -> int:
        """The index of the most probable class."""
        return int(self.probabilities.argmax())

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.classes[self.label]

    @property
    def margin(self) -> float:
        """The logit of the most probable class less that of the runner-up; 0 is undecided."""
        if len(self.logits) == 1:
            return float(abs(self.logits[0]))
        first, second = np.sort(self.logits)[::-1][:2]
        return float(first - second)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Class probabilities of linear outputs.

    One logit z is a binary question: (1 - sigmoid(z), sigmoid(z)). More are a softmax.

    Args:
        logits: float array of shape (batch, logits).

    Returns:
        float64 array of shape (batch, classes), rows summing to 1.
    """
    from scipy.special import expit, softmax

    z = np.asarray(logits, dtype=np.float64)
    if z.shape[-1] == 1:
        return np.concatenate([expit(-z), expit(z)], axis=-1)
    return softmax(z, axis=-1)
