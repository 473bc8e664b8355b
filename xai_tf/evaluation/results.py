"""What a classifier said of labelled files, and what of it was wrong. Arithmetic only."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from weights_keras import Measure
from xai_tf.evaluation.classification import accuracy, evaluate, predicted_counts
from xai_tf.evaluation.curves import Bin, Curve, Outcome, curve, outcome, reliability
from xai_tf.evaluation.predictions import Predictions

ALL, RIGHT, WRONG = "all", "right", "wrong"


@dataclass(frozen=True, eq=False)
class EvaluationResults:
    """An evaluation, ready to be asked.

    Of two classes, the second is called from a threshold of its probability; of more, the most
    probable one is called and thresholds matter to the curves only.
    """

    predictions: Predictions

    @cached_property
    def labels(self) -> np.ndarray:
        """Index of the true class: int array of shape (files,)."""
        return np.array(self.predictions.labels)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Float array of shape (files, classes)."""
        return np.array(self.predictions.probabilities)

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.predictions.classes) == 2

    @property
    def drawable(self) -> tuple[int, ...]:
        """The classes that have a curve: some files are of it and some are not."""
        tried = [1] if self.binary else range(len(self.predictions.classes))
        return tuple(
            label for label in tried if 0 < (self.labels == label).sum() < len(self.labels)
        )

    def measures(self) -> tuple[Measure, ...]:
        """Accuracy, and the area under the ROC curve if no class is absent. Takes a second."""
        if len(np.unique(self.labels)) < len(self.predictions.classes):
            return (accuracy(self.probabilities, self.labels, "files"),)
        return evaluate(self.probabilities, self.labels, "files")

    def curve(self, label: int) -> Curve:
        """The curve of a class that is `drawable`."""
        return curve(self.probabilities[:, label], self.labels == label)

    def outcome(self, label: int, threshold: float) -> Outcome:
        """A class against the rest."""
        return outcome(self.probabilities[:, label], self.labels == label, threshold)

    def reliability(self) -> list[Bin]:
        """Whether the probabilities hold."""
        return reliability(self.probabilities, self.labels)

    def predicted(self, threshold: float) -> np.ndarray:
        """Index of the class each file is called: int array of shape (files,)."""
        if self.binary:
            return (self.probabilities[:, 1] >= threshold).astype(int)
        return self.probabilities.argmax(axis=1)

    def counts(self, threshold: float) -> np.ndarray:
        """Files by truth (rows) and what they are called (columns)."""
        return predicted_counts(
            self.predicted(threshold), self.labels, len(self.predictions.classes)
        )

    def wrong_class_margin(self, threshold: float) -> np.ndarray:
        """How much speaks against the truth, in logits: above 0 it is wrong; of shape (files,).

        The highest logit of another class less that of the true one, and of two classes the
        distance to the threshold.
        """
        logits = np.array(self.predictions.logits)
        if self.binary:
            second = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
            line = np.clip(threshold, 1e-9, 1 - 1e-9)
            beyond = second - np.log(line / (1 - line))
            return np.where(self.labels == 1, -beyond, beyond)
        rows = np.arange(len(logits))
        true = logits[rows, self.labels]
        logits[rows, self.labels] = -np.inf
        return logits.max(axis=1) - true

    def ranked(self, threshold: float, shown: str, cell: tuple[int, int] | None) -> list[int]:
        """The numbers of the files shown, the worst mistakes first.

        Args:
            threshold: as in `predicted`.
            shown: "all", "right" or "wrong".
            cell: (true, called): the files of this cell instead, right or wrong.
        """
        predicted = self.predicted(threshold)
        wanted = np.ones(len(predicted), bool)
        if shown != ALL:
            wanted = (predicted == self.labels) == (shown == RIGHT)
        if cell is not None:
            wanted = (self.labels == cell[0]) & (predicted == cell[1])
        order = np.argsort(-self.wrong_class_margin(threshold), kind="stable")
        return [int(number) for number in order if wanted[number]]

    def rival(self, number: int, threshold: float) -> int:
        """What to hold against the truth of a file: what it is called, or the next after that."""
        predicted, truth = int(self.predicted(threshold)[number]), int(self.labels[number])
        if predicted != truth:
            return predicted
        ranking = np.argsort(-self.probabilities[number], kind="stable")
        return int(next(label for label in ranking if label != truth))

    def name(self, number: int) -> str:
        """A file's place below the folder."""
        path, folder = self.predictions.files[number], self.predictions.folder
        base = folder.parent if folder.suffix else folder
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name

    def table(self, threshold: float) -> str:
        """All files as CSV, the worst mistakes first; and those left out, with the reason."""
        classes = self.predictions.classes
        predicted, wrong_class_margin = (
            self.predicted(threshold),
            self.wrong_class_margin(threshold),
        )
        text = io.StringIO()
        writer = csv.writer(text)
        heads = [_cell(f"probability {name}") for name in classes]
        writer.writerow(["file", "truth", "called", "right", "against", *heads, "left out"])
        for number in self.ranked(threshold, ALL, None):
            truth, said = self.labels[number], predicted[number]
            chances = [f"{chance:.6f}" for chance in self.probabilities[number]]
            writer.writerow(
                [
                    _cell(self.name(number)),
                    _cell(classes[truth]),
                    _cell(classes[said]),
                    "yes" if truth == said else "no",
                    f"{wrong_class_margin[number]:.4f}",
                    *chances,
                    "",
                ]
            )
        for path, why in self.predictions.skipped:
            writer.writerow([_cell(path.name), *[""] * (4 + len(classes)), _cell(why)])
        return text.getvalue()


def _cell(text: str) -> str:
    """Text that a spreadsheet takes for text: a name that starts as a formula gets a quote."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
