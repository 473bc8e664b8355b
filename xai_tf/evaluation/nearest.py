"""The training samples that are most similar to a sample from the classifier's point of view.

Samples are compared by the Euclidean distance of the inputs of the classifier's last layer
(Xplique's `SimilarExamples`; a test compares it with a plain search). The features are computed
once, in batches, with the compiled passes of the classifier: Xplique itself would keep all pictures
in memory and trace the network again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.classifiers.access import gives
from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.graph import cut_points
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError, ModelError
from xai_tf.evaluation.predictions import LabeledFiles
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent

SEARCH_BATCH = 256  # rows at once: about 16 MB for 1,280 features and 12 samples


@dataclass(frozen=True)
class TrainingExample:
    """A training sample.

    Attributes:
        path: its file.
        labels: the index of its class; of several labels, the indices of all that are true.
        sha256: the SHA-256 of the file.
        window: the number of the window of a long recording; else 0.
    """

    path: Path
    labels: tuple[int, ...]
    sha256: str
    window: int = 0

    @property
    def label(self) -> int:
        """The index of its class, where a file has one class."""
        (label,) = self.labels
        return label


@dataclass(frozen=True, eq=False)
class FeatureIndex:
    """Training samples with their features in a classifier.

    Attributes:
        features: float32 array of shape (samples, features).
        samples: the sample of each row.
        left_out: (file, reason) for files that could not be read.
    """

    features: np.ndarray
    samples: tuple[TrainingExample, ...]
    left_out: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Neighbor:
    """A training sample that is similar to a sample.

    Attributes:
        sample: the training sample.
        distance: Euclidean distance of the features; 0 for equal ones.
        same_file: whether both are the same file, so that the model was trained on it.
    """

    sample: TrainingExample
    distance: float
    same_file: bool


def penultimate_features(classifier: Classifier, samples: Sequence[Sample]) -> np.ndarray:
    """The input of a classifier's last layer: float32 array of shape (samples, features).

    Feature maps are averaged over space.

    Raises:
        ModelError: the network has only one layer, so it has no features.
    """
    cuts = cut_points(classifier.model) if gives(classifier.access, "layers") else []
    if len(cuts) < 2:
        raise ModelError(
            f"{classifier.name!r} has no layer below its logits that can be seen, so there are no "
            "features to compare. Omit the training samples."
        )
    features = classifier.feature_maps(cuts[-2])
    rows = [
        features(np.stack([sample.image for sample in samples[start : start + BATCH]])).numpy()
        for start in range(0, len(samples), BATCH)
    ]
    outputs = np.concatenate(rows).astype(np.float32)
    return outputs.mean(axis=(1, 2)) if outputs.ndim == 4 else outputs.reshape(len(outputs), -1)


def build_feature_index(
    classifier: Classifier, labeled: LabeledFiles, progress: Progress = silent
) -> FeatureIndex:
    """Compute the features of training files, with all windows of long recordings.

    Files that cannot be read are skipped and listed in the index.

    Args:
        classifier: the classifier that was trained on them.
        labeled: the files.
        progress: called with (files done, files in all, what is done now); an exception raised in
            it stops the work.

    Raises:
        InputError: none of the files can be read.
    """
    examples: list[TrainingExample] = []
    rows: list[np.ndarray] = []
    waiting: list[Sample] = []
    left_out: list[tuple[Path, str]] = []
    for number, entry in enumerate(labeled.entries):
        progress(number, len(labeled.entries), f"reading {entry.path.name}")
        try:
            windows = classifier.windows(entry.path)
        except InputError as error:
            left_out.append((entry.path, str(error)))
            continue
        for window, sample in enumerate(windows):
            examples.append(TrainingExample(entry.path, entry.labels, sample.sha256, window))
            waiting.append(sample)
        if len(waiting) >= BATCH:
            rows.append(penultimate_features(classifier, waiting))
            waiting.clear()
    if waiting:
        rows.append(penultimate_features(classifier, waiting))
    progress(len(labeled.entries), len(labeled.entries), "training samples")
    if not rows:
        reasons = some(reason for _, reason in left_out)
        raise InputError(f"Cannot read any file of {labeled.source}: {reasons}")
    return FeatureIndex(np.concatenate(rows), tuple(examples), tuple(left_out))


def nearest_neighbors(
    index: FeatureIndex, classifier: Classifier, samples: Sequence[Sample], count: int = 3
) -> list[list[Neighbor]]:
    """The training samples nearest to each sample, the nearest first.

    Args:
        index: the features of the training samples in the same classifier.
        classifier: the classifier.
        samples: the samples to find neighbors of.
        count: the number of neighbors of each; fewer where the index has fewer.
    """
    from xplique.example_based import SimilarExamples

    size = min(SEARCH_BATCH, len(index.samples))
    search = SimilarExamples(
        index.features,
        k=min(count, len(index.samples)),
        projection=lambda features: features,
        case_returns=["indices", "distances"],
        batch_size=size,
    )
    result = search.explain(penultimate_features(classifier, samples))
    batches, places = np.moveaxis(result["indices"].numpy(), -1, 0)
    return [
        [
            Neighbor(
                index.samples[row], float(distance), index.samples[row].sha256 == sample.sha256
            )
            for row, distance in zip(rows, distances, strict=True)
        ]
        for sample, rows, distances in zip(
            samples, size * batches + places, result["distances"].numpy(), strict=True
        )
    ]
