"""The OOD detector: how far the features of an input lie from those of the training data.

The features are the spatial means of a layer's feature maps. The detector stores no picture, only
the mean of the training features and the directions in which they vary most: each of these has its
own variance, all other directions share one (probabilistic PCA, Tipping and Bishop 1999: a
covariance that is shrunk where there are few pictures). The distance is the Mahalanobis distance
(as in Lee et al. 2018). It is measured in a layer before the last one, where a classifier has
already discarded what does not separate its classes, so that an X-ray may look like an MRI slice
(`benchmarks/ood.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

MAX_AXES = 32
SHARE = 0.01  # of the validation files may be flagged
FORMAT = 1  # the version of the stored arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class OODDetector:
    """Detects inputs that are unlike the training data of a model.

    Attributes:
        layer: the name of the layer whose features are used.
        center: float32 array of shape (channels,), the mean of the training features.
        axes: float32 array of shape (axes, channels), orthonormal: the directions in which the
            training features vary most.
        variances: float32 array of shape (axes,), the variance along each axis.
        rest: the variance along each other direction.
        threshold: the distance above which a file is out of distribution.
        share: the largest share of the validation files that lie above the threshold.
        trained, validated: the number of pictures it was fitted to, and of files that set the
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
        """All fields as arrays, to be saved."""
        stored = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        return {"format": np.asarray(FORMAT), **stored}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> OODDetector:
        """The detector that `arrays` returned the fields of.

        Raises:
            ValueError: an array is missing, has a wrong shape, or contains invalid values.
            TypeError: an array has a wrong type.
        """
        if missing := {field.name for field in fields(cls)} - set(arrays):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        if arrays.get("format") != FORMAT:
            raise ValueError("it has another version")
        center, axes, variances = (arrays[name] for name in ("center", "axes", "variances"))
        if center.ndim != 1 or axes.shape != (len(variances), len(center)) or variances.ndim != 1:
            raise ValueError("its arrays do not match each other")
        single = {name: arrays[name].item() for name in ("rest", "threshold", "share")}
        values = (center, axes, variances, *single.values())
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError("it contains values that are not finite")
        if min(variances.min(), single["rest"], single["threshold"]) <= 0:
            raise ValueError("it contains a variance or a threshold that is not positive")
        counts = {name: int(arrays[name]) for name in ("trained", "validated")}
        return cls(
            layer=str(arrays["layer"]),
            center=center,
            axes=axes,
            variances=variances,
            **single,
            **counts,
        )


def fit_detector(
    layer: str, train: np.ndarray, validation: np.ndarray, owners: np.ndarray
) -> OODDetector:
    """Fit an OOD detector to features.

    Args:
        layer: the name of the layer the features are from.
        train: float array of shape (rows, channels), the features of the training pictures.
        validation: float array of shape (rows, channels), those of the validation pictures.
        owners: int array of shape (rows,), the file of each validation row. The distance of a file
            is the median over its rows.
    """
    center = train.mean(axis=0)
    _, sizes, directions = np.linalg.svd(train - center, full_matrices=False)
    variances = sizes**2 / max(1, len(train) - 1)
    num_channels = train.shape[1]
    num_axes = max(1, min(MAX_AXES, num_channels // 2, len(train) // 4))
    # A floor keeps the distance finite along directions without any variance in training.
    floor = 1e-6 * max(variances[0], 1e-12)
    rest = max(variances[num_axes:].sum() / max(1, num_channels - num_axes), floor)
    ood_detector = OODDetector(
        layer=layer,
        center=center.astype(np.float32),
        axes=directions[:num_axes].astype(np.float32),
        variances=np.maximum(variances[:num_axes], floor).astype(np.float32),
        rest=float(rest),
        threshold=1.0,
        share=SHARE,
        trained=len(train),
        validated=len(np.unique(owners)),
    )
    distances = file_medians(ood_detector.distances(validation), owners)
    # The smallest distance with no more than the share above it.
    threshold = np.quantile(distances, 1 - SHARE, method="higher")
    return OODDetector(**{**vars(ood_detector), "threshold": max(float(threshold), 1e-6)})


def file_medians(distances: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """The median distance over the rows of each file, in the order of the file numbers."""
    return np.array([np.median(distances[owners == owner]) for owner in np.unique(owners)])
