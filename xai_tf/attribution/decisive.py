"""Explain a file by its decisive window: the one whose logits favor the explained class most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.attribution.question import resolve_classes
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import Reading, read_and_predict
from xai_tf.progress import Progress, silent


def explain_decisive_window(
    classifier: Classifier,
    path: str | Path,
    method: str = DEFAULT_METHOD,
    target: str | int | None = None,
    progress: Progress = silent,
) -> tuple[Reading, Explanation]:
    """Read a file, and explain the window that speaks most for a class.

    A file that is no long recording has one window. The explained sample has the warnings of the
    whole file.

    Args:
        classifier: the model.
        path: the file.
        method: a name in `METHODS`.
        target: the class to explain, by name or index; the predicted one if left out.
        progress: called with (passes done, passes in all).

    Raises:
        InputError: the file cannot be read.
        UnknownNameError: there is no such method or class.
    """
    reading = read_and_predict(classifier, path)
    label, _ = resolve_classes(classifier, reading.prediction, target)
    window = reading.most_decisive(classifier.target(label), 1)[0]
    sample = replace(reading.samples[window], warnings=reading.explanation_warnings)
    return reading, explain(classifier, sample, method, target=label, progress=progress)
