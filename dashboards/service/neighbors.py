"""The training samples that are most similar to a file: their features are kept in the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.service.requests import FindSimilar
from xai_tf.evaluation.nearest import Bank, Similar, build_bank, most_similar
from xai_tf.evaluation.predictions import LabelledFiles, find_labelled, training_files
from xai_tf.tasks import TASKS

if TYPE_CHECKING:
    from dashboards.service.worker_context import Desk

BANKS_KEPT = 4  # of some 4 MB for 800 files


def find_similar(desk: Desk, request: FindSimilar) -> list[Similar]:
    """Find the training samples nearest to a window of a file, the nearest first.

    Raises:
        InputError: the file or the training files cannot be read.
    """
    classifier = desk.classifier(request.model)
    sample = desk.sample(classifier, request.file, request.window)
    return most_similar(_bank(desk, request), classifier, [sample], request.count)[0]


def _bank(desk: Desk, request: FindSimilar) -> Bank:
    """The features of the training files, computed once for a model and the files as they are."""
    classifier, model = desk.classifier(request.model), request.model
    task = TASKS.get(model.task or "")
    found = training_files(find_labelled(request.source, model.name, classifier.classes, task))
    asked = (model, request.source, _stamp(found))
    if asked not in desk.banks:
        while len(desk.banks) >= BANKS_KEPT:
            desk.banks.popitem(last=False)
        desk.banks[asked] = build_bank(classifier, found, desk.progress)
    desk.banks.move_to_end(asked)
    return desk.banks[asked]


def _stamp(found: LabelledFiles) -> int:
    """Another number whenever a file comes, goes or changes."""
    places = [(entry.path, entry.label, entry.path.stat()) for entry in found.entries]
    return hash(tuple((path, label, s.st_mtime_ns, s.st_size) for path, label, s in places))
