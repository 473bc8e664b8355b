"""The gate of a model: how far a picture's features lie from those of its training pictures.

The features are a layer's map, averaged over its places. Of the training pictures the mean and the
directions in which they differ most are kept, and no picture: along these directions each has its
variance, in all others one and the same (probabilistic PCA, Tipping and Bishop 1999: a covariance
that is shrunk where there are too few pictures to tell). The distance is Mahalanobis' (as in Lee et
al. 2018). It is measured before the network's end: there a classifier has dropped what does not
tell its classes apart, and an X-ray may look like an MRI slice (`benchmarks/ood.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

MAX_AXES = 32
SHARE = 0.01  # of the validation files that are warned about
FORMAT = 1


@dataclass(frozen=True, eq=False)
class OODDetector:
    """What tells whether a picture is like those a model was trained on.

    Attributes:
        layer: whose map is averaged.
        center: float32 array of shape (channels,), the mean of the training pictures.
        axes: float32 array of shape (axes, channels), orthonormal: where they differ most.
        variances: float32 array of shape (axes,), along each of them.
        rest: the variance along every other direction.
        threshold: the distance beyond which a file is unfamiliar.
        share: of the validation files that may lie beyond it, at most.
        trained, validated: how many pictures it was made from, and how many files set the
            threshold.
    """

    layer: str
    center: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float
    threshold: float
    share: float
    trained: int
    validated: int

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distances of features of shape (samples, channels): float64, (samples,)."""
        away = features.astype(np.float64) - self.center
        along = away @ self.axes.T
        others = np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        return np.sqrt((along**2 / self.variances).sum(axis=1) + others / self.rest)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays, to be stored."""
        stored = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        return {"format": np.asarray(FORMAT), **stored}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> OODDetector:
        """A gate that was stored.

        Raises:
            ValueError, TypeError: an array is missing, of another shape, or holds no numbers.
        """
        if missing := {field.name for field in fields(cls)} - set(arrays):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        if arrays.get("format") != FORMAT:
            raise ValueError("it is of another version")
        center, axes, variances = (arrays[name] for name in ("center", "axes", "variances"))
        if center.ndim != 1 or axes.shape != (len(variances), len(center)) or variances.ndim != 1:
            raise ValueError("its arrays do not fit each other")
        single = {name: arrays[name].item() for name in ("rest", "threshold", "share")}
        if not all(np.isfinite(part).all() for part in (center, axes, variances, *single.values())):
            raise ValueError("it holds values that are no numbers")
        if min(variances.min(), single["rest"], single["threshold"]) <= 0:
            raise ValueError("it holds a variance or a threshold that is not above zero")
        counts = {name: int(arrays[name]) for name in ("trained", "validated")}
        return cls(str(arrays["layer"]), center, axes, variances, **single, **counts)


def fit_detector(
    layer: str, train: np.ndarray, validation: np.ndarray, owners: np.ndarray
) -> OODDetector:
    """Make a gate of features.

    Args:
        layer: whose means they are.
        train: float array of shape (rows, channels), of the training pictures.
        validation: the same of the validation pictures.
        owners: int array, the file of each validation row; a file lies where the median of its
            rows does.
    """
    center = train.mean(axis=0)
    _, sizes, directions = np.linalg.svd(train - center, full_matrices=False)
    variances = sizes**2 / max(1, len(train) - 1)
    num_channels = train.shape[1]
    kept = max(1, min(MAX_AXES, num_channels // 2, len(train) // 4))
    # What never changed in training is not free to change at all: a floor keeps it finite.
    floor = 1e-6 * max(variances[0], 1e-12)
    rest = max(variances[kept:].sum() / max(1, num_channels - kept), floor)
    ood_detector = OODDetector(
        layer,
        center.astype(np.float32),
        directions[:kept].astype(np.float32),
        np.maximum(variances[:kept], floor).astype(np.float32),
        float(rest),
        1.0,
        SHARE,
        len(train),
        len(np.unique(owners)),
    )
    distances = by_file(ood_detector.distances(validation), owners)
    # The smallest distance that leaves no more than the share beyond it.
    threshold = np.quantile(distances, 1 - SHARE, method="higher")
    return OODDetector(**{**vars(ood_detector), "threshold": max(float(threshold), 1e-6)})


def by_file(distances: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """The median over the windows of each file, in the order of the files' numbers."""
    return np.array([np.median(distances[owners == owner]) for owner in np.unique(owners)])
