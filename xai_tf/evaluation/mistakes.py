"""The mistakes of a classifier, each with the maps that explain it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.evaluation.labels import LabelResults
from xai_tf.evaluation.nearest import FeatureIndex, Neighbor, nearest_neighbors
from xai_tf.evaluation.results import WRONG, EvaluationResults
from xai_tf.inputs.sample import Sample
from xai_tf.progress import Progress, silent

THRESHOLD = 0.5  # on the probability of the second of two classes


@dataclass(frozen=True, eq=False, kw_only=True)
class Mistake:
    """Something that is predicted wrongly of a file.

    Attributes:
        name: the path of the file below its folder.
        path: the file.
        map: the explanation of what was predicted; for a long recording, of the window that speaks
            most for it.
        similar: training samples, the most similar first.
        warnings: what a person should know about the file, one sentence each.
    """

    name: str
    path: Path
    map: Explanation
    similar: tuple[Neighbor, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sample(self) -> Sample:
        """The explained sample."""
        return self.map.sample


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassMistake(Mistake):
    """A file that is predicted as another class.

    Attributes:
        truth, predicted: indices of the true and of the predicted class.
        probabilities: float array of shape (classes,), of the whole file.
        wrong_class_margin: the logit of the predicted class minus that of the true class.
        map, true_map: the explanations of the predicted and of the true class, by the same method.
        contrast_map: why the predicted class rather than the true one. With one logit it equals
            `map`.
    """

    truth: int
    predicted: int
    probabilities: np.ndarray
    wrong_class_margin: float
    true_map: Explanation
    contrast_map: Explanation


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelMistake(Mistake):
    """A label of a file that is found and not true, or true and missed.

    Attributes:
        label: index of the label, which `map` explains.
        true: whether the file has the label, so that it was missed.
        probability: of the label, for the whole file.
        threshold: the probability from which the label is predicted.
        margin: how far the logit is on the wrong side of the threshold.
    """

    label: int
    true: bool
    probability: float
    threshold: float
    margin: float


def study_mistakes(
    classifier: Classifier,
    results: EvaluationResults | LabelResults,
    method: str = DEFAULT_METHOD,
    top: int = 12,
    index: FeatureIndex | None = None,
    progress: Progress = silent,
) -> tuple[list[Mistake], list[tuple[Path, str]]]:
    """Explain the most confident mistakes, the worst first.

    Args:
        classifier: the classifier that made the predictions.
        results: its results on labeled files.
        method: a name in `METHODS`.
        top: the number of mistakes at most.
        index: training samples to search for similar ones.
        progress: called with (mistakes done, mistakes in all, what is done now).

    Returns:
        Each a `ClassMistake`, or of a model of several labels a `LabelMistake`; and (file, reason)
        for those that cannot be read any more.
    """
    ranked, explained = _ranked(classifier, results, method)
    ranked, files = ranked[:top], results.predictions.files
    mistakes: list[Mistake] = []
    unreadable: list[tuple[Path, str]] = []
    for done, (number, label) in enumerate(ranked):
        progress(done, len(ranked), f"explaining {results.predictions.name_of(files[number])}")
        try:
            mistakes.append(explained(number, label))
        except InputError as error:
            unreadable.append((files[number], str(error)))
    progress(len(ranked), len(ranked), "explaining")
    if index and mistakes:
        mistakes = _with_similar(mistakes, classifier, index)
    return mistakes, unreadable


def has_one_logit(classifier: Classifier) -> bool:
    """Whether one logit stands for two classes, so that evidence for one is against the other."""
    return classifier.model.output_shape[-1] == 1


def _ranked(
    classifier: Classifier, results: EvaluationResults | LabelResults, method: str
) -> tuple[list[tuple[int, int]], Callable[[int, int], Mistake]]:
    """All mistakes as (number of the file, label), the most confident first; what explains one."""
    if isinstance(results, LabelResults):
        return results.ranked_mistakes(), partial(_label_mistake, classifier, results, method)
    predicted = results.predicted(THRESHOLD)
    ranked = [(n, int(predicted[n])) for n in results.ranked(THRESHOLD, WRONG, None)]
    return ranked, partial(_class_mistake, classifier, results, method)


def _class_mistake(
    classifier: Classifier, results: EvaluationResults, method: str, number: int, predicted: int
) -> ClassMistake:
    path, truth = results.predictions.files[number], int(results.labels[number])
    reading = read_and_predict(classifier, path, truth)
    window = reading.most_decisive(classifier.target(predicted, truth), 1)[0]
    sample = reading.samples[window]
    predicted_map = explain(classifier, sample, method, target=predicted)
    contrast = (
        replace(predicted_map, question=replace(predicted_map.question, contrast=truth))
        if has_one_logit(classifier)
        else explain(classifier, sample, method, target=predicted, contrast=truth)
    )
    return ClassMistake(
        name=results.name(number),
        path=path,
        map=predicted_map,
        truth=truth,
        predicted=predicted,
        probabilities=results.probabilities[number],
        wrong_class_margin=float(results.wrong_class_margin(THRESHOLD)[number]),
        true_map=explain(classifier, sample, method, target=truth),
        contrast_map=contrast,
        warnings=reading.explanation_warnings,
    )


def _label_mistake(
    classifier: Classifier, results: LabelResults, method: str, number: int, label: int
) -> LabelMistake:
    predictions = results.predictions
    path = predictions.files[number]
    reading = read_and_predict(classifier, path)
    window = reading.most_decisive(classifier.target(label), 1)[0]
    return LabelMistake(
        name=predictions.name_of(path),
        path=path,
        map=explain(classifier, reading.samples[window], method, target=label),
        label=label,
        true=bool(results.truth[number, label]),
        probability=float(results.probabilities[number, label]),
        threshold=predictions.thresholds[label],
        margin=float(results.margins[number, label]),
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
