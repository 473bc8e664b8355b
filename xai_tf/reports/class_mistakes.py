"""The report of mistakes where each file is of one class: confusion, and maps of both classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xai_tf.bundles.write import describe_explanation
from xai_tf.datasets.listing import counted
from xai_tf.evaluation.mistakes import THRESHOLD, ClassMistake, has_one_logit
from xai_tf.evaluation.nearest import Neighbor
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.rendering import heatmaps
from xai_tf.reports.html import paragraph, table
from xai_tf.reports.mistakes import MistakesReport
from xai_tf.reports.panels import panel_row
from xai_tf.reports.sections import map_warnings

NUM_CLASSES = 4  # whose probabilities are named


class ClassMistakesReport(MistakesReport[EvaluationResults, ClassMistake]):
    """The report of a model of one class per file."""

    def _summary(self) -> tuple[int, str]:
        results = self.results
        wrong = int((results.predicted(THRESHOLD) != results.labels).sum())
        return wrong, f"{counted(wrong, 'mistake')} in {counted(len(results.labels), 'file')}."

    def _table(self) -> tuple[Sequence[str], Sequence[Sequence[Any]], str]:
        classes = self.classifier.classes
        rows = [
            [
                classes[m.truth],
                classes[m.predicted],
                float(m.probabilities[m.predicted]),
                float(m.probabilities[m.truth]),
                m.wrong_class_margin,
            ]
            for m in self.mistakes
        ]
        head = (
            "true class",
            "predicted as",
            "its probability",
            "probability of the true class",
            "margin",
        )
        more = ". Margin: the logit of the predicted class minus that of the true class."
        return head, rows, more

    def _counts(self) -> tuple[str, str, str]:
        classes, counts = self.results.predictions.classes, self.results.counts(THRESHOLD)
        rows = [
            [name, *(_cell(count, row.sum()) for count in row), int(row.sum())]
            for name, row in zip(classes, counts, strict=True)
        ]
        head = ("true class", *(f"predicted as {name}" for name in classes), "files")
        caption = "Files by true class (rows) and predicted class (columns)"
        return "confusion", "Confusion matrix", table(head, rows, caption)

    def _statement(self, mistake: ClassMistake) -> tuple[str, str, str]:
        classes = self.classifier.classes
        truth, predicted = classes[mistake.truth], classes[mistake.predicted]
        ranked = np.argsort(-mistake.probabilities, kind="stable")[:NUM_CLASSES]
        probabilities = ", ".join(f"{classes[k]} {mistake.probabilities[k]:.1%}" for k in ranked)
        return "", f"The true class is {truth}; it was predicted as {predicted}.", probabilities

    def _explained(self, mistake: ClassMistake) -> str:
        return self.classifier.classes[mistake.predicted]

    def _maps(self, mistake: ClassMistake, opacity: float, marked: np.ndarray | None) -> str:
        """The maps of both classes on one scale, and their contrast on its own scale."""
        warnings = map_warnings(mistake.map)
        if not has_one_logit(self.classifier):
            warnings += map_warnings(mistake.true_map)
        return self._panels(mistake, opacity, marked) + warnings

    def _panels(self, mistake: ClassMistake, opacity: float, marked: np.ndarray | None) -> str:
        truth, predicted = (self.classifier.classes[k] for k in (mistake.truth, mistake.predicted))
        pair = [mistake.map, mistake.true_map]
        end = heatmaps.limit(pair)
        captions = [f"For {predicted} (predicted)", f"For {truth} (true), same scale"]
        if not mistake.map.method.class_specific:
            note = f"{mistake.map.method.title} has the same map for every class."
            return panel_row(pair[:1], opacity, marked=marked) + paragraph(note, "warning")
        if has_one_logit(self.classifier):
            note = (
                f"The network has one logit, so the map of {predicted} is also the map of "
                f"{predicted} rather than {truth}."
            )
            row = panel_row(pair, opacity, captions, [end, end], marked)
            return row + paragraph(note, "soft")
        captions.append(f"{predicted} rather than {truth}, its own scale")
        maps = [*pair, mistake.contrast_map]
        return panel_row(maps, opacity, captions, [end, end, None], marked)

    def _shares_answer(self, mistake: ClassMistake, neighbor: Neighbor) -> bool:
        return neighbor.sample.label == mistake.predicted

    def _answer(self, mistake: ClassMistake) -> str:
        return f"are {self.classifier.classes[mistake.predicted]}"

    def _described_counts(self) -> dict[str, Any]:
        return {"confusion": self.results.counts(THRESHOLD).tolist()}

    def _described(self, mistake: ClassMistake) -> dict[str, Any]:
        classes = self.classifier.classes
        return {
            "truth": classes[mistake.truth],
            "predicted": classes[mistake.predicted],
            "probabilities": dict(zip(classes, mistake.probabilities.tolist(), strict=True)),
            "wrong_class_margin": mistake.wrong_class_margin,
            "predicted_map": describe_explanation(mistake.map),
            "true_map": describe_explanation(mistake.true_map),
            "contrast_map": describe_explanation(mistake.contrast_map),
        }

    def _described_names(self, one: Neighbor) -> dict[str, Any]:
        return {"class": self.classifier.classes[one.sample.label]}


def _cell(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})" if total else "0"
