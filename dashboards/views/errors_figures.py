"""Metrics of a classifier on labeled files: a table, the confusion matrix, and curves."""

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.matrix import Matrix
from dashboards.components.select import Select
from dashboards.language import library_text, mark, n, number, t
from dashboards.state.errors import ErrorStudy
from dashboards.views.errors_cell import CellMapView
from dashboards.views.errors_plots import CurvePlots, ReliabilityPlot
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.ood import OUT_OF_DISTRIBUTION
from xai_tf.evaluation.curves import calibration_error
from xai_tf.evaluation.results import EvaluationResults
from xai_tf.evaluation.unwarned import UNWARNED
from xai_tf.statistics import Share

MOST_SKIPPED = 20  # skipped files that are listed
NAMES = {
    "accuracy": mark("accuracy"),
    "auc": mark("area under the ROC curve"),
    "exact match": mark("files with all labels right"),
    "mean auc": mark("mean area under the ROC curve"),
    OUT_OF_DISTRIBUTION: mark("out of distribution"),
    UNWARNED: mark("wrong with p > 0.9, not warned of"),
    "sensitivity": mark("sensitivity"),
    "specificity": mark("specificity"),
    "precision": mark("precision"),
    "f1": mark("f1"),
}
OF_SEVERAL = mark(
    "The threshold applies to these curves only. With several classes, the most probable class is "
    "predicted."
)


class FiguresView(pn.viewable.Viewer):
    """Metrics of the whole set with confidence intervals, and the files that were skipped."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words("")
        self.study.param.watch(self._draw, ["results", "measures"])
        self._table = pmui.FileDownload(
            callback=self._csv, filename="errors.csv", label=t("Table (CSV)"), size="small"
        )

    def _draw(self, *_: Any) -> None:
        if self.study.results is not None:
            self._words.object = self._describe(self.study.results)

    def _describe(self, results: EvaluationResults) -> str:
        predictions, count = results.predictions, len(results.labels)
        html = paragraph(
            t(
                "{model} on {count} files of {folder}",
                model=predictions.model,
                count=count,
                folder=predictions.folder.name,
            ),
            "headline",
        )
        rows = [(m.name, m.value, m.low, m.high, m.count) for m in self.study.measures]
        html += _table([(name, Share(*row)) for name, *row in rows])
        if not {"auc", "mean auc"} & {name for name, *_ in rows}:
            html += paragraph(
                t("The area under the ROC curve needs at least one file of every class."), "note"
            )
        error = calibration_error(results.probabilities, results.labels)
        if self.study.several:
            text = mark("Expected calibration error of {name}: {error}.")
        else:
            text = mark("Expected calibration error: {error}.")
        html += paragraph(
            t(text, name=readable(predictions.classes[-1]), error=number(error, ".3f"))
            + " "
            + t("At 0, the confidence equals the accuracy.")
        )
        if num_ood := sum(predictions.out_of_distribution):
            html += paragraph(
                t(
                    "{count} of {total} files are unlike the training data of the model.",
                    count=num_ood,
                    total=count,
                ),
                "warning",
            )
        skipped = [library_text(reason) for _, reason in predictions.skipped]
        if skipped:
            left = len(skipped) - MOST_SKIPPED
            more = [t("And {count} more.", count=left)] if left > 0 else []
            html += heading(t("Skipped files: {count}", count=len(skipped)), 3)
            html += bullets([*skipped[:MOST_SKIPPED], *more], "warning")
        return html

    def _csv(self) -> BytesIO:
        study = self.study
        table = study.several.table() if study.several else study.results.table(study.threshold)
        # With a byte order mark, without which Excel misreads UTF-8.
        return BytesIO(table.encode("utf-8-sig"))

    def __panel__(self) -> pn.viewable.Viewable:
        return card(t("Performance"), self._words, self._table)


class MatrixView(pn.viewable.Viewer):
    """The confusion matrix; choosing a cell shows its files."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._matrix = Matrix()
        self._mean = CellMapView(cell_map=study.cell_map)
        self._matrix.param.watch(self._on_cell, "value")
        study.param.watch(self._draw, ["results", "threshold"])
        study.param.watch(self._mark, "cell")
        study.param.watch(self._on_files, ["ranking", "cell"])

    def _on_cell(self, event: Any) -> None:
        self.study.cell = tuple(event.new) or None

    async def _on_files(self, *_: Any) -> None:
        await self.study.cell_map.prepare()

    def _draw(self, *_: Any) -> None:
        results = self.study.results
        if results is not None:
            counts = results.counts(self.study.threshold).tolist()
            self._matrix.param.update(classes=list(results.predictions.classes), counts=counts)

    def _mark(self, *_: Any) -> None:
        self._matrix.value = list(self.study.cell or ())

    def __panel__(self) -> pn.viewable.Viewable:
        return card(t("Confusion matrix: choose a cell to see its files"), self._matrix, self._mean)


class CurvesView(pn.viewable.Viewer):
    """ROC and precision-recall curves with a threshold, and the reliability diagram."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._curves, self._reliability = CurvePlots(), ReliabilityPlot()
        self._label = Select(label=t("Class (one vs. rest)"), width=260, visible=False)
        self._slider = pmui.FloatSlider(
            label=t("Decision threshold"),
            start=0,
            end=1,
            step=0.005,
            value=study.threshold,
            format="0.000",
            sizing_mode="stretch_width",
        )
        self._curves.follow(self._slider)
        self._text = words("")
        self._label.param.watch(self._on_class, "value")
        self._slider.param.watch(self._on_threshold, "value_throttled")
        study.param.watch(self._draw, ["results", "label"])
        study.param.watch(self._describe, "threshold")

    def _on_class(self, event: Any) -> None:
        if event.new is not None:
            self.study.label = event.new

    def _on_threshold(self, event: Any) -> None:
        self.study.threshold = event.new

    def _draw(self, *_: Any) -> None:
        study, results = self.study, self.study.results
        if results is None:
            return
        names = results.predictions.classes
        self._label.param.update(
            options={names[label]: label for label in results.classes_with_curve},
            value=study.label if results.classes_with_curve else None,
            visible=not results.binary,
        )
        self._slider.param.update(
            label=t("Decision threshold for {name}", name=readable(names[study.label])),
            value=study.threshold,
        )
        # Bokeh models may only change under the document's lock, which this task does not hold.
        pn.state.execute(self._draw_plots, schedule=True)
        self._describe()

    def _draw_plots(self) -> None:
        study, results = self.study, self.study.results
        drawn = study.label in results.classes_with_curve
        self._curves.show(results.curve(study.label) if drawn else None, study.threshold)
        self._reliability.show(results.reliability())

    def _describe(self, *_: Any) -> None:
        study, results = self.study, self.study.results
        if results is None:
            return
        if study.label not in results.classes_with_curve:
            self._text.object = paragraph(
                t("All files belong to one class, so there are no curves."), "note"
            )
            return
        outcome = results.outcome(study.label, study.threshold)
        measures = ("sensitivity", "specificity", "precision", "f1")
        rows = [(name, getattr(outcome, name)) for name in measures]
        average = results.curve(study.label).average_precision
        html = _table(rows) + paragraph(
            t("Average precision {value}.", value=number(average, ".3f"))
        )
        self._text.object = html + paragraph("" if results.binary else t(OF_SEVERAL), "note")

    def __panel__(self) -> pn.viewable.Viewable:
        drawn = (self._curves.roc, self._curves.recall, self._reliability.plot)
        plots = [pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=4) for plot in drawn]
        return card(
            t("Decision threshold"),
            self._label,
            self._slider,
            self._text,
            side_by_side(*plots, least=260),
        )


def _table(rows: list[tuple[str, Share]]) -> str:
    """Shares with their confidence intervals and file counts."""
    body = "".join(
        f"<tr><th scope=row>{escape(t(NAMES.get(name, name)))}</th><td>{_share(share)}</td>"
        f"<td>{escape(n('{count} file', '{count} files', share.count))}</td></tr>"
        for name, share in rows
    )
    titles = (t("metric"), t("value (95% interval)"), t("files"))
    head = "".join(f"<th scope=col>{escape(title)}</th>" for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _share(share: Share) -> str:
    if share.value is None:
        return escape(t("no files"))
    low, high = number(share.low, ".3f"), number(share.high, ".3f")
    return f"<b>{number(share.value, '.3f')}</b> ({t('{low} to {high}', low=low, high=high)})"
