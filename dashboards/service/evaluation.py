"""A classifier on a folder of labeled files."""

from __future__ import annotations

from dashboards.service.labeled import find_files
from dashboards.service.requests import Evaluate
from xai_tf.classifiers.classifier import Classifier
from xai_tf.evaluation.predictions import Predictions, predict_labeled
from xai_tf.progress import Progress


def evaluate(classifier: Classifier, request: Evaluate, progress: Progress) -> Predictions:
    """Predict every labeled file of a folder, as `predict_labeled` does.

    Raises:
        InputError: there are no labeled files, or none of them can be read.
    """
    files = find_files(request, classifier.classes, classifier.head.multi_label)
    return predict_labeled(classifier, files, progress)
