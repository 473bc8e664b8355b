"""Logits to probabilities."""

import numpy as np


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
