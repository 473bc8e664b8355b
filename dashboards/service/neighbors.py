"""The training samples that are most similar to a file: their features are kept in the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.service.requests import FindSimilar
from xai_tf.evaluation.nearest import (
    FeatureIndex,
    Neighbor,
    build_feature_index,
    nearest_neighbors,
)
from xai_tf.evaluation.predictions import LabelledFiles, find_labelled, training_files
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    from dashboards.service.worker_context import WorkerContext

INDEXES_KEPT = 4  # of some 4 MB for 800 files


def find_similar(context: WorkerContext, request: FindSimilar) -> list[Neighbor]:
    """Find the training samples nearest to a window of a file, the nearest first.

    Raises:
        InputError: the file or the training files cannot be read.
    """
    classifier = context.classifier(request.model)
    sample = context.sample(classifier, request.file, request.window)
    return nearest_neighbors(_feature_index(context, request), classifier, [sample], request.count)[
        0
    ]


def _feature_index(context: WorkerContext, request: FindSimilar) -> FeatureIndex:
    """The features of the training files, computed once for a model and the files as they are."""
    classifier, model = context.classifier(request.model), request.model
    task = TASKS.get(model.task or "")
    found = training_files(find_labelled(request.source, model.name, classifier.classes, task))
    asked = (model, request.source, _stamp(found))
    if asked not in context.feature_indexes:
        while len(context.feature_indexes) >= INDEXES_KEPT:
            context.feature_indexes.popitem(last=False)
        context.feature_indexes[asked] = build_feature_index(classifier, found, context.progress)
    context.feature_indexes.move_to_end(asked)
    return context.feature_indexes[asked]


def _stamp(found: LabelledFiles) -> int:
    """Another number whenever a file comes, goes or changes."""
    places = [(entry.path, entry.label, entry.path.stat()) for entry in found.entries]
    return hash(tuple((path, label, s.st_mtime_ns, s.st_size) for path, label, s in places))
