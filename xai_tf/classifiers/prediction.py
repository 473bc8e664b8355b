"""The prediction of a classifier: logits, and the probabilities computed from them."""

from dataclasses import dataclass

import numpy as np

NO_FINDING = "no finding"
DEFAULT_THRESHOLD = 0.5  # of the probability from which a label is predicted


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The prediction for one sample or one file.

    Attributes:
        logits: float32 array of shape (logits,), the raw outputs; one logit for two classes.
        probabilities: float64 array of shape (classes,), with the sum 1 unless `multi_label`.
        classes: the names of the classes.
        multi_label: whether each class is a question of its own, so that several may be true.
        thresholds: with `multi_label` the probability of each class from which it is predicted; 0.5
            where they are left out.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]
    multi_label: bool = False
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.multi_label and not self.thresholds:
            object.__setattr__(self, "thresholds", (DEFAULT_THRESHOLD,) * len(self.classes))

    @property
    def ranked(self) -> list[int]:
        """The indices of all classes: the most probable one, or furthest above its threshold first.

        The distance to a threshold is measured in logits.
        """
        scores = self._over_threshold if self.multi_label else self.probabilities
        return [int(label) for label in np.argsort(-scores, kind="stable")]

    @property
    def label(self) -> int:
        """The index of the most probable class; with `multi_label` the first of `ranked`."""
        return self.ranked[0]

    @property
    def name(self) -> str:
        """The name of the class `label`."""
        return self.classes[self.label]

    @property
    def findings(self) -> tuple[int, ...]:
        """The indices of the predicted classes in the order of `ranked`: one, unless `multi_label`.

        With `multi_label` all whose probability reaches their threshold, which may be none.
        """
        if not self.multi_label:
            return (self.label,)
        return tuple(k for k in self.ranked if self.probabilities[k] >= self.thresholds[k])

    @property
    def answer(self) -> str:
        """The names of the `findings`, or "no finding"."""
        return ", ".join(self.classes[label] for label in self.findings) or NO_FINDING

    @property
    def summary(self) -> str:
        """The findings with their probabilities, for people: "Mass (81.0%), Edema (62.5%)"."""
        found = ", ".join(map(self._with_probability, self.findings))
        return found or f"{NO_FINDING}; closest: {self._with_probability(self.label)}"

    def __repr__(self) -> str:
        return f"<Prediction: {self.summary}>"

    @property
    def margin(self) -> float:
        """The logit of the most probable class minus that of the runner-up; 0 is undecided.

        With `multi_label` the logit of `label` minus that of its threshold, negative where nothing
        is found.
        """
        if self.multi_label:
            return float(self._over_threshold[self.label])
        if len(self.logits) == 1:
            return float(abs(self.logits[0]))
        first, second = np.sort(self.logits)[::-1][:2]
        return float(first - second)

    def agrees_with(self, other: "Prediction") -> bool:
        """Whether the same classes are predicted."""
        return set(self.findings) == set(other.findings)

    @property
    def _over_threshold(self) -> np.ndarray:
        from scipy.special import logit

        return np.asarray(self.logits - logit(np.array(self.thresholds)))

    def _with_probability(self, label: int) -> str:
        return f"{self.classes[label]} ({self.probabilities[label]:.1%})"


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
