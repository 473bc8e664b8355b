"""The mistakes of a model of several labels: for each the map of the label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xai_tf.attribution.explain import explain
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.errors import InputError
from xai_tf.evaluation.labels import LabelResults
from xai_tf.progress import Progress, silent


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelMistake:
    """A label of a file that is found and not true, or true and missed.

    Attributes:
        name: the path of the file below its folder.
        path: the file.
        label: index of the label.
        true: whether the file has the label, so that it was missed.
        probability: of the label, for the whole file.
        threshold: the probability from which the label is predicted.
        margin: how far the logit is on the wrong side of the threshold.
        map: the explanation of the label; for a long recording, of the window that speaks most for
            it.
        warnings: what a person should know about the file, one sentence each.
    """

    name: str
    path: Path
    label: int
    true: bool
    probability: float
    threshold: float
    margin: float
    map: Explanation
    warnings: tuple[str, ...] = ()


def study_label_mistakes(
    classifier: Classifier,
    results: LabelResults,
    method: str = "grad_cam",
    top: int = 12,
    progress: Progress = silent,
) -> tuple[list[LabelMistake], list[tuple[Path, str]]]:
    """Explain the most confident mistakes, the worst first.

    Args:
        classifier: the classifier that made the predictions.
        results: its results on labeled files.
        method: a name in `METHODS`.
        top: the number of mistakes at most.
        progress: called with (mistakes done, mistakes in all, what is done now).

    Returns:
        The mistakes, and (file, reason) for those that cannot be read any more.
    """
    ranked = results.ranked_mistakes()[:top]
    mistakes: list[LabelMistake] = []
    unreadable: list[tuple[Path, str]] = []
    for done, (number, label) in enumerate(ranked):
        path = results.predictions.files[number]
        progress(done, len(ranked), f"explaining {results.predictions.name_of(path)}")
        try:
            mistakes.append(_mistake(classifier, results, number, label, method))
        except InputError as error:
            unreadable.append((path, str(error)))
    progress(len(ranked), len(ranked), "explaining")
    return mistakes, unreadable


def _mistake(
    classifier: Classifier, results: LabelResults, number: int, label: int, method: str
) -> LabelMistake:
    predictions = results.predictions
    path = predictions.files[number]
    reading = read_and_predict(classifier, path)
    window = reading.most_decisive(classifier.target(label), 1)[0]
    return LabelMistake(
        name=predictions.name_of(path),
        path=path,
        label=label,
        true=bool(results.truth[number, label]),
        probability=float(results.probabilities[number, label]),
        threshold=predictions.thresholds[label],
        margin=float(results.margins[number, label]),
        map=explain(classifier, reading.samples[window], method, target=label),
        warnings=reading.explanation_warnings,
    )
