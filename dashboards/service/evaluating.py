"""A classifier on a folder of labelled files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dashboards.service.labelled import find_files
from dashboards.service.requests import Evaluate, Evaluation
from xai_tf.classifier import BATCH, Classifier
from xai_tf.errors import InputError
from xai_tf.listing import Entry, some
from xai_tf.prediction import probabilities
from xai_tf.sample import Sample


def evaluate(
    classifier: Classifier, request: Evaluate, progress: Callable[[int, int], None]
) -> Evaluation:
    """Predict every labelled file of a folder; of a long recording, the mean of its windows.

    Files that cannot be read are skipped. Held at a time are the windows of a batch of files.

    Args:
        classifier: what predicts.
        request: what it is tried on.
        progress: called with (files done, files in all); raise in it to stop the work.

    Raises:
        InputError: there are no such files, or none can be read.
    """
    found = find_files(request, classifier.classes)
    skipped, waiting = list(found.left_out), []
    entries: list[Entry] = []
    logits: list[np.ndarray] = []

    def predict_waiting() -> None:
        logits.extend(_file_logits(classifier, [samples for _, samples in waiting]))
        entries.extend(entry for entry, _ in waiting)
        waiting.clear()

    for number, entry in enumerate(found.entries):
        progress(number, len(found.entries))
        try:
            waiting.append((entry, classifier.windows(entry.path)))
        except InputError as error:
            why = str(error).replace(str(entry.path), entry.path.name)
            skipped.append((entry.path, why))
        if sum(len(samples) for _, samples in waiting) >= BATCH:
            predict_waiting()
    predict_waiting()
    progress(len(found.entries), len(found.entries))
    if not entries:
        raise InputError(
            f"No file of {request.folder} can be read: {some(why for _, why in skipped)}"
        )
    return Evaluation(
        model=request.model.name,
        folder=request.folder,
        classes=classifier.classes,
        files=tuple(entry.path for entry in entries),
        labels=tuple(entry.label for entry in entries),
        logits=tuple(tuple(row.tolist()) for row in logits),
        probabilities=tuple(tuple(row) for row in probabilities(np.stack(logits)).tolist()),
        skipped=tuple(skipped),
    )


def _file_logits(classifier: Classifier, files: Sequence[list[Sample]]) -> list[np.ndarray]:
    """The logits of each file, the mean of its windows."""
    if not files:
        return []
    predictions = iter(classifier.predict([sample for samples in files for sample in samples]))
    return [np.mean([next(predictions).logits for _ in samples], axis=0) for samples in files]
