"""The report of the mistakes of a model of several labels: each label, and its map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_tf.bundles.write import describe_explanation
from xai_tf.datasets.listing import counted
from xai_tf.evaluation.labels import LABEL_COLUMNS, LabelResult, LabelResults
from xai_tf.evaluation.mistakes import LabelMistake
from xai_tf.evaluation.nearest import Neighbor
from xai_tf.reports.html import table
from xai_tf.reports.mistakes import MistakesReport
from xai_tf.reports.panels import panel_row
from xai_tf.reports.sections import map_warnings


class LabelMistakesReport(MistakesReport[LabelResults, LabelMistake]):
    """The report of a model of several labels: each mistake is a label of a file."""

    def _summary(self) -> tuple[int, str]:
        results, wrong = self.results, len(self.results.ranked_mistakes())
        return wrong, (
            f"{counted(wrong, 'mistake')}, each a label of a file, in "
            f"{counted(len(results.truth), 'file')} with "
            f"{counted(len(results.predictions.classes), 'label')}."
        )

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]], str]:
        rows = [
            [self._explained(m), kind_of_mistake(m), m.probability, m.threshold]
            for m in self.mistakes
        ]
        return ("label", "mistake", "its probability", "threshold"), rows, ""

    def _counts(self) -> tuple[str, str, str]:
        caption = (
            "Each label is a question of its own. Files by truth and prediction, and shares with "
            "95% intervals; - where no file tells"
        )
        rows = [result.cells for result in self.results.labels]
        return "labels", "Labels", table(LABEL_COLUMNS, rows, caption)

    def _statement(self, mistake: LabelMistake) -> tuple[str, str, str]:
        name = self._explained(mistake)
        what = "is true, and was missed" if mistake.true else "was found, and is not true"
        probabilities = (
            f"Its probability is {mistake.probability:.1%}, its threshold {mistake.threshold:.1%}"
        )
        return f": {name}", f"{name} {what}.", probabilities

    def _explained(self, mistake: LabelMistake) -> str:
        return self.classifier.classes[mistake.label]

    def _maps(self, mistake: LabelMistake, opacity: float, marked: np.ndarray | None) -> str:
        return panel_row([mistake.map], opacity, marked=marked) + map_warnings(mistake.map)

    def _shares_answer(self, mistake: LabelMistake, neighbor: Neighbor) -> bool:
        return mistake.label in neighbor.sample.labels

    def _answer(self, mistake: LabelMistake) -> str:
        return f"have the label {self._explained(mistake)}"

    def _described_counts(self) -> dict[str, Any]:
        return {"labels": [_described(result) for result in self.results.labels]}

    def _described(self, mistake: LabelMistake) -> dict[str, Any]:
        return {
            "label": self._explained(mistake),
            "true": mistake.true,
            "probability": mistake.probability,
            "threshold": mistake.threshold,
            "margin": mistake.margin,
            "map": describe_explanation(mistake.map),
        }


def kind_of_mistake(mistake: LabelMistake) -> str:
    """Which of the two mistakes it is, in words."""
    return "missed" if mistake.true else "found, not true"


def _described(result: LabelResult) -> dict[str, Any]:
    names = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    shares = {name: vars(share) for name, share in vars(result.outcome).items()}
    return {
        "label": result.name,
        "threshold": result.threshold,
        **dict(zip(names, result.counts, strict=True)),
        **shares,
        "auc": result.area and vars(result.area),
    }
