"""The results of an evaluation: confusion matrix, curves, calibration and ranked mistakes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from weights_keras import Measure
from xai_tf.evaluation.classification import accuracy, evaluate, predicted_counts
from xai_tf.evaluation.curves import Bin, Curve, Outcome, curve, outcome, reliability
from xai_tf.evaluation.predictions import Predictions
from xai_tf.evaluation.unwarned import unwarned_errors, warning_measures
from xai_tf.files import spreadsheet_cell

ALL, RIGHT, WRONG = "all", "right", "wrong"


@dataclass(frozen=True, eq=False)
class EvaluationResults:
    """The results of a classifier on labeled files.

    With two classes, the second is predicted from a threshold on its probability. With more, the
    most probable class is predicted, and thresholds only matter to the curves. For a model of
    several labels see `xai_tf.evaluation.labels`.

    Attributes:
        predictions: the predictions for the files.
    """

    predictions: Predictions

    @cached_property
    def labels(self) -> np.ndarray:
        """Index of the true class of each file: int array of shape (files,)."""
        return np.array(self.predictions.labels)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Class probabilities: float array of shape (files, classes)."""
        return np.array(self.predictions.probabilities)

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.predictions.classes) == 2

    @property
    def classes_with_curve(self) -> tuple[int, ...]:
        """The labels of the classes that have a curve: some files are of it, and some are not."""
        candidates = [1] if self.binary else range(len(self.predictions.classes))
        return tuple(
            label for label in candidates if 0 < (self.labels == label).sum() < len(self.labels)
        )

    def measures(self) -> tuple[Measure, ...]:
        """Accuracy, the area under the ROC curve if all classes occur, and `warning_measures`.

        Takes a second.
        """
        warned = warning_measures(self.predictions.flagged, self.unwarned)
        if len(np.unique(self.labels)) < len(self.predictions.classes):
            return accuracy(self.probabilities, self.labels, "files"), *warned
        return *evaluate(self.probabilities, self.labels, "files"), *warned

    @cached_property
    def unwarned(self) -> np.ndarray:
        """Which files are wrong with p > 0.9 and not warned of: bool array of shape (files,)."""
        return unwarned_errors(self.probabilities, self.labels, self.predictions.flagged)

    def of_files(self, numbers: Sequence[int]) -> EvaluationResults:
        """The results on some of the files, by their numbers."""
        found = self.predictions
        flags = found.out_of_distribution
        return EvaluationResults(
            replace(
                found,
                files=tuple(found.files[number] for number in numbers),
                labels=tuple(found.labels[number] for number in numbers),
                logits=tuple(found.logits[number] for number in numbers),
                probabilities=tuple(found.probabilities[number] for number in numbers),
                out_of_distribution=tuple(flags[number] for number in numbers) if flags else (),
            )
        )

    @property
    def correct(self) -> np.ndarray:
        """Whether the most probable class is the true one: bool array of shape (files,)."""
        return self.probabilities.argmax(axis=1) == self.labels

    def curve(self, label: int) -> Curve:
        """The curve of one of the `classes_with_curve`."""
        return curve(self.probabilities[:, label], self.labels == label)

    def outcome(self, label: int, threshold: float) -> Outcome:
        """One class versus the rest at a threshold."""
        return outcome(self.probabilities[:, label], self.labels == label, threshold)

    def reliability(self) -> list[Bin]:
        """The calibration of the probabilities, by bins of confidence."""
        return reliability(self.probabilities, self.labels)

    def predicted(self, threshold: float) -> np.ndarray:
        """Index of the predicted class of each file: int array of shape (files,)."""
        if self.binary:
            return (self.probabilities[:, 1] >= threshold).astype(int)
        return self.probabilities.argmax(axis=1)

    def counts(self, threshold: float) -> np.ndarray:
        """The confusion matrix: files by true (rows) and predicted (columns) class."""
        return predicted_counts(
            self.predicted(threshold), self.labels, len(self.predictions.classes)
        )

    def wrong_class_margin(self, threshold: float) -> np.ndarray:
        """The evidence against the true class, in logits: float array of shape (files,).

        With two classes the distance to the threshold; with more the highest logit of another class
        minus that of the true one. A file with a value above 0 is predicted wrongly.
        """
        logits = np.array(self.predictions.logits)
        if self.binary:
            second = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
            clipped = np.clip(threshold, 1e-9, 1 - 1e-9)
            margin = second - np.log(clipped / (1 - clipped))
            return np.where(self.labels == 1, -margin, margin)
        rows = np.arange(len(logits))
        true = logits[rows, self.labels]
        logits[rows, self.labels] = -np.inf
        return logits.max(axis=1) - true

    def ranked(self, threshold: float, shown: str, cell: tuple[int, int] | None) -> list[int]:
        """The numbers of the files to show, the worst mistakes first.

        Args:
            threshold: as in `predicted`.
            shown: "all", "right" or "wrong".
            cell: (true, predicted) labels of a cell of the confusion matrix: its files instead.
        """
        predicted = self.predicted(threshold)
        selected = np.ones(len(predicted), bool)
        if shown != ALL:
            selected = (predicted == self.labels) == (shown == RIGHT)
        if cell is not None:
            selected = (self.labels == cell[0]) & (predicted == cell[1])
        order = np.argsort(-self.wrong_class_margin(threshold), kind="stable")
        return [int(number) for number in order if selected[number]]

    def contrast_class(self, number: int, threshold: float) -> int:
        """The class to contrast the true one with: the predicted one, or else the runner-up."""
        predicted, truth = int(self.predicted(threshold)[number]), int(self.labels[number])
        if predicted != truth:
            return predicted
        ranking = np.argsort(-self.probabilities[number], kind="stable")
        return int(next(label for label in ranking if label != truth))

    def name(self, number: int) -> str:
        """The path of a file below the folder."""
        return self.predictions.name_of(self.predictions.files[number])

    def table(self, threshold: float) -> str:
        """All files as CSV, the worst mistakes first; then the skipped files with the reasons."""
        classes = self.predictions.classes
        predicted, margins = self.predicted(threshold), self.wrong_class_margin(threshold)
        text = io.StringIO()
        writer = csv.writer(text)
        columns = [spreadsheet_cell(f"probability {name}") for name in classes]
        writer.writerow(
            ["file", "truth", "predicted", "correct", "wrong-class margin", *columns, "skipped"]
        )
        for number in self.ranked(threshold, ALL, None):
            true_label, label = self.labels[number], predicted[number]
            writer.writerow(
                [
                    spreadsheet_cell(self.name(number)),
                    spreadsheet_cell(classes[true_label]),
                    spreadsheet_cell(classes[label]),
                    "yes" if true_label == label else "no",
                    f"{margins[number]:.4f}",
                    *(f"{probability:.6f}" for probability in self.probabilities[number]),
                    "",
                ]
            )
        for path, reason in self.predictions.skipped:
            writer.writerow(
                [spreadsheet_cell(path.name), *[""] * (4 + len(classes)), spreadsheet_cell(reason)]
            )
        return text.getvalue()
