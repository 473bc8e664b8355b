"""Figures of a classifier on labelled files: in numbers, as a matrix, as curves."""

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.matrix import Matrix
from dashboards.state.errors import ErrorStudy
from dashboards.views.errors_plots import CurvePlots, ReliabilityPlot
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from xai_tf.evaluation.curves import calibration_error
from xai_tf.statistics import Share

MOST_SKIPPED = 20  # that are named
NAMES = {"accuracy": "accuracy", "auc": "area under the ROC curve"}
OF_SEVERAL = "The threshold moves the curves; of several classes the most probable one is called."


class FiguresView(pn.viewable.Viewer):
    """The figures of the whole, with intervals, and what was left out."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words(pn.bind(self._say, self.study.param.results))
        self._table = pmui.FileDownload(
            callback=self._csv, filename="errors.csv", label="Table (CSV)", size="small"
        )

    def _say(self, results: Any) -> str:
        if results is None:
            return ""
        predictions, count = results.predictions, len(results.labels)
        said = paragraph(
            f"{predictions.model} on {count} files of {predictions.folder.name}", "headline"
        )
        rows = [(m.name, m.value, m.low, m.high, m.count) for m in self.study.measures]
        said += _table(
            [(n if n != "auc" else "area under the ROC curve", Share(*r)) for n, *r in rows]
        )
        if len(rows) == 1:
            said += paragraph(
                "There is no area under the curve, for a class has no file here.", "note"
            )
        error = calibration_error(results.probabilities, results.labels)
        said += paragraph(
            f"Calibration error {error:.3f}; at 0, confidence is what it claims to be."
        )
        if odd := sum(predictions.out_of_distribution):
            said += paragraph(
                f"{odd} of {count} files are unlike what the model was trained on.", "warning"
            )
        skipped = [why for _, why in predictions.skipped]
        if skipped:
            more = (
                [f"and {len(skipped) - MOST_SKIPPED} more"] if len(skipped) > MOST_SKIPPED else []
            )
            said += heading(f"Left out: {len(skipped)}", 3)
            said += bullets([*skipped[:MOST_SKIPPED], *more], "warning")
        return said

    def _csv(self) -> BytesIO:
        # With a byte order mark, or Excel takes UTF-8 for something else.
        return BytesIO(self.study.results.table(self.study.threshold).encode("utf-8-sig"))

    def __panel__(self) -> pn.viewable.Viewable:
        return card("How good it is", self._words, self._table)


class MatrixView(pn.viewable.Viewer):
    """The confusion matrix; a cell shows its files."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._matrix = Matrix()
        self._matrix.param.watch(self._chosen, "value")
        study.param.watch(self._draw, ["results", "threshold"])
        study.param.watch(self._mark, "cell")

    def _chosen(self, event: Any) -> None:
        self.study.cell = tuple(event.new) or None

    def _draw(self, *_: Any) -> None:
        results = self.study.results
        if results is not None:
            counts = results.counts(self.study.threshold).tolist()
            self._matrix.param.update(classes=list(results.predictions.classes), counts=counts)

    def _mark(self, *_: Any) -> None:
        self._matrix.value = list(self.study.cell or ())

    def __panel__(self) -> pn.viewable.Viewable:
        return card("What was called what: choose a cell to see its files", self._matrix)


class CurvesView(pn.viewable.Viewer):
    """ROC, precision and recall, with a threshold; reliability."""

    study = param.ClassSelector(class_=ErrorStudy)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        study = self.study
        self._curves, self._reliability = CurvePlots(), ReliabilityPlot()
        self._label = pmui.Select(
            label="Class against the rest", size="small", width=260, visible=False
        )
        self._slider = pmui.FloatSlider(
            label="Called from a probability of",
            start=0,
            end=1,
            step=0.005,
            value=study.threshold,
            format="0.000",
            sizing_mode="stretch_width",
        )
        self._curves.follow(self._slider)
        self._said = words("")
        self._label.param.watch(self._class_chosen, "value")
        self._slider.param.watch(self._moved, "value_throttled")
        study.param.watch(self._draw, ["results", "label"])
        study.param.watch(self._say, "threshold")

    def _class_chosen(self, event: Any) -> None:
        if event.new is not None:
            self.study.label = event.new

    def _moved(self, event: Any) -> None:
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
            label=f"Called {names[study.label]} from a probability of", value=study.threshold
        )
        # Bokeh's own models may only change under the document's lock, which a task has lost.
        pn.state.execute(self._draw_plots, schedule=True)
        self._say()

    def _draw_plots(self) -> None:
        study, results = self.study, self.study.results
        drawn = study.label in results.classes_with_curve
        self._curves.show(results.curve(study.label) if drawn else None, study.threshold)
        self._reliability.show(results.reliability())

    def _say(self, *_: Any) -> None:
        study, results = self.study, self.study.results
        if results is None:
            return
        if study.label not in results.classes_with_curve:
            self._said.object = paragraph(
                "All files are of one class: there are no curves.", "note"
            )
            return
        found = results.outcome(study.label, study.threshold)
        rows = [(n, getattr(found, n)) for n in ("sensitivity", "specificity", "precision", "f1")]
        average = results.curve(study.label).average_precision
        said = _table(rows) + paragraph(f"Average precision {average:.3f}.")
        self._said.object = said + paragraph("" if results.binary else OF_SEVERAL, "note")

    def __panel__(self) -> pn.viewable.Viewable:
        drawn = (self._curves.roc, self._curves.recall, self._reliability.plot)
        plots = [pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=4) for plot in drawn]
        return card(
            "Where to draw the line",
            self._label,
            self._slider,
            self._said,
            side_by_side(*plots, least=260),
        )


def _table(rows: list[tuple[str, Share]]) -> str:
    """Shares with their intervals and files."""
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{_share(share)}</td>"
        f"<td>{share.count} files</td></tr>"
        for name, share in rows
    )
    head = "<tr><th scope=col>figure</th><th scope=col>value and 95%</th><th scope=col>of</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _share(share: Share) -> str:
    if share.value is None:
        return "none to judge"
    return f"<b>{share.value:.3f}</b> ({share.low:.3f} to {share.high:.3f})"
