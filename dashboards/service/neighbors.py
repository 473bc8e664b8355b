"""The training samples most similar to a file; the worker caches their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.service.requests import FindSimilar
from xai_tf.evaluation.nearest import (
    FeatureIndex,
    Neighbor,
    build_feature_index,
    nearest_neighbors,
)
from xai_tf.evaluation.predictions import LabeledFiles, find_labeled, training_files
from xai_tf.tasks import known_task

if TYPE_CHECKING:
    from dashboards.service.worker_context import WorkerContext

INDEXES_KEPT = 4  # about 4 MB each for 800 files


def find_similar(context: WorkerContext, request: FindSimilar) -> list[Neighbor]:
    """Find the training samples nearest to a window of a file, the nearest first.

    Raises:
        InputError: the file or the training files cannot be read.
    """
    classifier = context.classifier(request.model)
    sample = context.sample(classifier, request.file, request.window)
    index = _feature_index(context, request)
    (neighbors,) = nearest_neighbors(index, classifier, [sample], request.count)
    return neighbors


def _feature_index(context: WorkerContext, request: FindSimilar) -> FeatureIndex:
    """The features of the training files, cached until a file changes."""
    classifier, model = context.classifier(request.model), request.model
    task = known_task(model.task)
    files = training_files(find_labeled(request.source, model.name, classifier.classes, task))
    key = (model, request.source, _stamp(files))
    if key not in context.feature_indexes:
        while len(context.feature_indexes) >= INDEXES_KEPT:
            context.feature_indexes.popitem(last=False)
        context.feature_indexes[key] = build_feature_index(classifier, files, context.progress)
    context.feature_indexes.move_to_end(key)
    return context.feature_indexes[key]


def _stamp(files: LabeledFiles) -> int:
    """A hash that changes whenever a file is added, removed or changed."""
    entries = [(entry.path, entry.label, entry.path.stat()) for entry in files.entries]
    return hash(tuple((path, label, s.st_mtime_ns, s.st_size) for path, label, s in entries))
