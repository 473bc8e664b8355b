"""The training samples that a classifier sees as most similar to a sample.

Samples are compared by the features that the classifier's own last layer weighs, by their Euclidean
distance (Xplique's `SimilarExamples`, called as it is: it finds what a plain search finds, see the
test). Features are computed once, in batches of the classifier's own passes: given the pictures,
Xplique would hold all of them at once, and trace the network anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xai_tf.classifiers.classifier import BATCH, Classifier
from xai_tf.classifiers.graph import cut_points
from xai_tf.datasets.listing import some
from xai_tf.errors import InputError, ModelError
from xai_tf.evaluation.predictions import LabelledFiles
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent

SEARCHED = 256  # rows at once: some 16 MB of 1,280 features for 12 samples


@dataclass(frozen=True)
class TrainingExample:
    """A training sample.

    Attributes:
        path: its file.
        label: the index of its class.
        sha256: of the file.
        window: its number, of a long recording; else 0.
    """

    path: Path
    label: int
    sha256: str
    window: int = 0


@dataclass(frozen=True, eq=False)
class FeatureIndex:
    """Training samples as a classifier sees them.

    Attributes:
        features: float32 array of shape (samples, features).
        samples: one a row.
        left_out: (file, why) of what could not be read.
    """

    features: np.ndarray
    samples: tuple[TrainingExample, ...]
    left_out: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Neighbor:
    """A training sample that is similar to a sample.

    Attributes:
        sample: the training sample.
        distance: Euclidean, between the features; 0 for equal ones.
        same_file: whether it is the very file: the sample was trained on.
    """

    sample: TrainingExample
    distance: float
    same_file: bool


def last_features(classifier: Classifier, samples: Sequence[Sample]) -> np.ndarray:
    """What the last layer of a classifier weighs: float32 array of shape (samples, features).

    Of a last layer that takes a map, its mean over the places.

    Raises:
        ModelError: the network is a single layer, so it has no features.
    """
    cuts = cut_points(classifier.model)
    if len(cuts) < 2:
        raise ModelError(
            f"{classifier.name!r} has no layer below its logits, so there are no features to "
            "compare by. Leave the training samples out."
        )
    features = classifier.feature_maps(cuts[-2])
    rows = [
        features(np.stack([sample.image for sample in samples[start : start + BATCH]])).numpy()
        for start in range(0, len(samples), BATCH)
    ]
    found = np.concatenate(rows).astype(np.float32)
    return found.mean(axis=(1, 2)) if found.ndim == 4 else found.reshape(len(found), -1)


def build_feature_index(
    classifier: Classifier, found: LabelledFiles, progress: Progress = silent
) -> FeatureIndex:
    """Compute the features of training files, all windows of a long recording. Bad files are left.

    Args:
        classifier: what was trained on them.
        found: the files.
        progress: called with (files done, files in all, what is done now); an exception raised in
            it stops the work.

    Raises:
        InputError: none of the files can be read.
    """
    known: list[TrainingExample] = []
    rows: list[np.ndarray] = []
    waiting: list[Sample] = []
    left_out: list[tuple[Path, str]] = []
    for number, entry in enumerate(found.entries):
        progress(number, len(found.entries), f"reading {entry.path.name}")
        try:
            windows = classifier.windows(entry.path)
        except InputError as error:
            left_out.append((entry.path, str(error)))
            continue
        for window, sample in enumerate(windows):
            known.append(TrainingExample(entry.path, entry.label, sample.sha256, window))
            waiting.append(sample)
        if len(waiting) >= BATCH:
            rows.append(last_features(classifier, waiting))
            waiting.clear()
    if waiting:
        rows.append(last_features(classifier, waiting))
    progress(len(found.entries), len(found.entries), "training samples")
    if not rows:
        why = some(why for _, why in left_out)
        raise InputError(f"No file of {found.source} can be read: {why}")
    return FeatureIndex(np.concatenate(rows), tuple(known), tuple(left_out))


def nearest_neighbors(
    index: FeatureIndex, classifier: Classifier, samples: Sequence[Sample], count: int = 3
) -> list[list[Neighbor]]:
    """The training samples nearest to each sample, the nearest first.

    Args:
        index: of the same classifier.
        classifier: whose features are compared.
        samples: what is looked up.
        count: how many; fewer where the bank holds fewer.
    """
    from xplique.example_based import SimilarExamples

    size = min(SEARCHED, len(index.samples))
    search = SimilarExamples(
        index.features,
        k=min(count, len(index.samples)),
        projection=lambda features: features,
        case_returns=["indices", "distances"],
        batch_size=size,
    )
    answer = search.explain(last_features(classifier, samples))
    batches, places = np.moveaxis(answer["indices"].numpy(), -1, 0)
    return [
        [
            Neighbor(
                index.samples[row], float(distance), index.samples[row].sha256 == sample.sha256
            )
            for row, distance in zip(rows, distances, strict=True)
        ]
        for sample, rows, distances in zip(
            samples, size * batches + places, answer["distances"].numpy(), strict=True
        )
    ]
