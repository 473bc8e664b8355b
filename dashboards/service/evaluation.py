"""A classifier on a folder of labelled files."""

from __future__ import annotations

from dashboards.service.labelled import find_files
from dashboards.service.requests import Evaluate
from xai_tf.classifiers.classifier import Classifier
from xai_tf.evaluation.predictions import Predictions, predict_labelled
from xai_tf.progress import Progress


def evaluate(classifier: Classifier, request: Evaluate, progress: Progress) -> Predictions:
    """Predict every labelled file of a folder, as `predict_labelled` does.

    Raises:
        InputError: there are no labelled files, or none of them can be read.
    """
    return predict_labelled(classifier, find_files(request, classifier.classes), progress)
