"""What a classifier got wrong, looked at one by one: the called class, the true one, and why."""

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

THRESHOLD = 0.5  # of the second of two classes


@dataclass(frozen=True, eq=False)
class Mistake:
    """A file that is called wrongly.

    Attributes:
        name: the file's place below its folder.
        path: the file.
        truth, predicted: indices of the true class and of what it is called.
        probabilities: float array of shape (classes,), of the whole file.
        wrong_class_margin: how much speaks for the called class and against the true one, in logits.
        predicted_map, true_map: what speaks for either class, by one method; of a long recording, in
            the window that speaks most for the mistake.
        contrast_map: why the called class rather than the true one. With one logit it is the
            called class's own map.
        similar: training samples, the most similar first.
        warnings: what a person should know of the file, a sentence each.
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
        """What the maps are about."""
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
        classifier: what gave the answers.
        results: of labelled files.
        method: a name in `METHODS`.
        top: how many mistakes at most.
        index: training samples to find similar ones in.
        progress: called with (mistakes done, mistakes in all, what is done now).

    Returns:
        the mistakes, and (file, why) of those that cannot be read any more.
    """
    numbers = results.ranked(THRESHOLD, WRONG, None)[:top]
    found: list[Mistake] = []
    lost: list[tuple[Path, str]] = []
    for done, number in enumerate(numbers):
        progress(done, len(numbers), f"explaining {results.name(number)}")
        try:
            found.append(_mistake(classifier, results, number, method))
        except InputError as error:
            lost.append((results.predictions.files[number], str(error)))
    progress(len(numbers), len(numbers), "explaining")
    return (_with_similar(found, classifier, index) if index and found else found), lost


def one_logit(classifier: Classifier) -> bool:
    """Whether one logit stands for two classes: what speaks for one speaks against the other."""
    return classifier.model.output_shape[-1] == 1


def _mistake(
    classifier: Classifier, results: EvaluationResults, number: int, method: str
) -> Mistake:
    path, truth = results.predictions.files[number], int(results.labels[number])
    predicted = int(results.predicted(THRESHOLD)[number])
    reading = read_and_predict(classifier, path, truth)
    window = reading.most_decisive(classifier.target(predicted, truth), 1)[0]
    sample = reading.samples[window]
    for_called = explain(classifier, sample, method, target=predicted)
    contrast = (
        replace(for_called, question=replace(for_called.question, contrast=truth))
        if one_logit(classifier)
        else explain(classifier, sample, method, target=predicted, contrast=truth)
    )
    return Mistake(
        results.name(number),
        path,
        truth,
        predicted,
        results.probabilities[number],
        float(results.wrong_class_margin(THRESHOLD)[number]),
        for_called,
        explain(classifier, sample, method, target=truth),
        contrast,
        warnings=reading.warnings_explained,
    )


def _with_similar(
    mistakes: Sequence[Mistake], classifier: Classifier, index: FeatureIndex
) -> list[Mistake]:
    found = nearest_neighbors(index, classifier, [mistake.sample for mistake in mistakes])
    return [
        replace(mistake, similar=tuple(similar))
        for mistake, similar in zip(mistakes, found, strict=True)
    ]
