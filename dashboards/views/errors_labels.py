"""The labels of a model of several labels: how well each is found."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.components.table import Table
from dashboards.language import library_text, mark, t
from dashboards.state.errors import ErrorStudy
from dashboards.views.text import paragraph
from dashboards.views.theme import card, words
from xai_tf.evaluation.labels import LabelResult

COLUMNS = (
    {"name": "label", "label": mark("Label")},
    {"name": "positives", "label": mark("Files with it"), "number": True, "digits": 0},
    {"name": "mistakes", "label": mark("Mistakes"), "number": True, "digits": 0},
    {"name": "auc", "label": mark("AUC (95% interval)")},
    {"name": "sensitivity", "label": mark("Sensitivity (95% interval)")},
    {"name": "specificity", "label": mark("Specificity (95% interval)")},
    {"name": "threshold", "label": mark("Threshold"), "number": True, "digits": 2},
)
ABOUT = mark(
    "The model has several labels, and each is a question of its own. What follows is about the "
    "label chosen here."
)


class LabelsView(pn.viewable.Viewer):
    """A row for each label; choosing one shows its figures and mistakes."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._table = Table(
            columns=[column | {"label": t(str(column["label"]))} for column in COLUMNS],
            label=t("Labels"),
        )
        self._card = card(t("Labels"), words(paragraph(t(ABOUT))), self._table, visible=False)
        self._table.param.watch(self._on_label, "value")
        study.param.watch(self._draw, ["several", "finding"])

    def _on_label(self, event: Any) -> None:
        several = self.study.several
        if several is not None and event.new in several.predictions.classes:
            self.study.finding = several.predictions.classes.index(event.new)

    def _draw(self, *_: Any) -> None:
        several = self.study.several
        self._card.visible = several is not None
        if several is not None:
            self._table.param.update(
                rows=[_row(one) for one in several.labels],
                value=several.predictions.classes[self.study.finding],
            )

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def _row(result: LabelResult) -> dict[str, Any]:
    hits, false_alarms, missed, _ = result.counts
    return {
        "label": result.name,
        "positives": hits + missed,
        "mistakes": false_alarms + missed,
        "auc": library_text(str(result.area)) if result.area else "-",
        "sensitivity": library_text(str(result.outcome.sensitivity)),
        "specificity": library_text(str(result.outcome.specificity)),
        "threshold": result.threshold,
    }
