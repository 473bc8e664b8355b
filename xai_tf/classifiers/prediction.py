"""The prediction of a classifier: logits, and the probabilities computed from them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction for one sample or one file.

    Attributes:
        logits: float32 array of shape (logits,), the raw outputs; one logit for two classes.
        probabilities: float64 array of shape (classes,), with the sum 1 unless `multi_label`.
        classes: the names of the classes.
        multi_label: whether each class is a question of its own, so that several may be true.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]
    multi_label: bool = False

    @property
    def label(self) -> int:
        """The index of the most probable class."""
        return int(self.probabilities.argmax())

    @property
    def name(self) -> str:
        """The name of the most probable class."""
        return self.classes[self.label]

    @property
    def margin(self) -> float:
        """The logit of the most probable class minus that of the runner-up; 0 is undecided."""
        if len(self.logits) == 1:
            return float(abs(self.logits[0]))
        first, second = np.sort(self.logits)[::-1][:2]
        return float(first - second)


def probabilities(logits: np.ndarray, multi_label: bool = False) -> np.ndarray:
    """Class probabilities of logits.

    One logit z stands for two classes: (1 - sigmoid(z), sigmoid(z)). More go through a softmax,
    or with `multi_label` each through a sigmoid.

    >>> probabilities(np.array([[0.0]])).tolist()
    [[0.5, 0.5]]

    Args:
        logits: float array of shape (batch, logits).
        multi_label: whether each logit is that of a question of its own.

    Returns:
        float64 array of shape (batch, classes), each row with the sum 1 unless `multi_label`.
    """
    from scipy.special import expit, softmax

    z = np.asarray(logits, dtype=np.float64)
    if multi_label:
        return np.asarray(expit(z))
    if z.shape[-1] == 1:
        return np.concatenate([expit(-z), expit(z)], axis=-1)
    return softmax(z, axis=-1)
