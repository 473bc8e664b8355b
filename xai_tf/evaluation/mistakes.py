"""The mistakes of a classifier: for each the maps of the predicted and of the true class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.evaluation.nearest import FeatureIndex, Neighbor, nearest_neighbors
from xai_tf.evaluation.results import WRONG, EvaluationResults
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent

THRESHOLD = 0.5  # on the probability of the second of two classes


@dataclass(frozen=True, eq=False, kw_only=True)
class Mistake:
    """A file that is predicted wrongly.

    Attributes:
        name: the path of the file below its folder.
        path: the file.
        truth, predicted: indices of the true and of the predicted class.
        probabilities: float array of shape (classes,), of the whole file.
        wrong_class_margin: the logit of the predicted class minus that of the true class.
        predicted_map, true_map: the explanations of the two classes, by the same method; for a long
            recording, of the window that speaks most for the mistake.
        contrast_map: why the predicted class rather than the true one. With one logit it equals
            `predicted_map`.
        similar: training samples, the most similar first.
        warnings: what a person should know about the file, one sentence each.
    """

    name: str
    path: Path
    truth: int
    predicted: int
    probabilities: np.ndarray
    wrong_class_margin: float
    predicted_map: Explanation
    true_map: Explanation
    contrast_map: Explanation
    similar: tuple[Neighbor, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sample(self) -> Sample:
        """The explained sample."""
        return self.predicted_map.sample


def study_mistakes(
    classifier: Classifier,
    results: EvaluationResults,
    method: str = "grad_cam",
    top: int = 12,
    index: FeatureIndex | None = None,
    progress: Progress = silent,
) -> tuple[list[Mistake], list[tuple[Path, str]]]:
    """Explain the most confident mistakes, the worst first.

    Args:
        classifier: the classifier that made the predictions.
        results: the predictions for labeled files.
        method: a name in `METHODS`.
        top: the number of mistakes at most.
        index: training samples to search for similar ones.
        progress: called with (mistakes done, mistakes in all, what is done now).

    Returns:
        The mistakes, and (file, reason) for those that cannot be read any more.
    """
    numbers = results.ranked(THRESHOLD, WRONG, None)[:top]
    mistakes: list[Mistake] = []
    unreadable: list[tuple[Path, str]] = []
    for done, number in enumerate(numbers):
        progress(done, len(numbers), f"explaining {results.name(number)}")
        try:
            mistakes.append(_mistake(classifier, results, number, method))
        except InputError as error:
            unreadable.append((results.predictions.files[number], str(error)))
    progress(len(numbers), len(numbers), "explaining")
    if index and mistakes:
        mistakes = _with_similar(mistakes, classifier, index)
    return mistakes, unreadable


def has_one_logit(classifier: Classifier) -> bool:
    """Whether one logit stands for two classes, so that evidence for one is against the other."""
    return classifier.model.output_shape[-1] == 1


def _mistake(
    classifier: Classifier, results: EvaluationResults, number: int, method: str
) -> Mistake:
    path, truth = results.predictions.files[number], int(results.labels[number])
    predicted = int(results.predicted(THRESHOLD)[number])
    reading = read_and_predict(classifier, path, truth)
    window = reading.most_decisive(classifier.target(predicted, truth), 1)[0]
    sample = reading.samples[window]
    predicted_map = explain(classifier, sample, method, target=predicted)
    contrast = (
        replace(predicted_map, question=replace(predicted_map.question, contrast=truth))
        if has_one_logit(classifier)
        else explain(classifier, sample, method, target=predicted, contrast=truth)
    )
    return Mistake(
        name=results.name(number),
        path=path,
        truth=truth,
        predicted=predicted,
        probabilities=results.probabilities[number],
        wrong_class_margin=float(results.wrong_class_margin(THRESHOLD)[number]),
        predicted_map=predicted_map,
        true_map=explain(classifier, sample, method, target=truth),
        contrast_map=contrast,
        warnings=reading.explanation_warnings,
    )


def _with_similar(
    mistakes: Sequence[Mistake], classifier: Classifier, index: FeatureIndex
) -> list[Mistake]:
    neighbors = nearest_neighbors(index, classifier, [mistake.sample for mistake in mistakes])
    return [
        replace(mistake, similar=tuple(similar))
        for mistake, similar in zip(mistakes, neighbors, strict=True)
    ]
