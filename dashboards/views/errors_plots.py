"""Curves of a classifier on labeled files; the threshold moves in the browser."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure

from dashboards.language import t
from xai_tf.evaluation.curves import Bin, Curve
from xai_tf.statistics import wilson

BLUE, AMBER, GREY = "#2a7fbf", "#e07b00", "#8c8c8c"  # distinct on light and dark backgrounds
MOST_POINTS = 2000  # points per curve; more are not visible

# The last point whose threshold is at least the slider's: both predict the same files.
MOVE = """
const {threshold, alarms, found, precision} = curve.data
let at = 0
while (at + 1 < threshold.length && threshold[at + 1] >= source.value) at++
if (threshold.length) point.data = {
  threshold: [source.value], alarms: [alarms[at]], found: [found[at]], precision: [precision[at]],
}
"""


class CurvePlots:
    """One-vs-rest ROC and precision-recall curves, with a point at the threshold."""

    def __init__(self) -> None:
        columns = ("threshold", "alarms", "found", "precision")
        self._curve = ColumnDataSource({name: [] for name in columns})
        self._point = ColumnDataSource({name: [] for name in columns})
        self._base = ColumnDataSource({"x": [0, 1], "y": [0, 0]})
        self.roc = self._plot("ROC", "alarms", "found")
        self.roc.line([0, 1], [0, 1], color=GREY, line_dash="dashed")
        self.roc.xaxis.axis_label = t("false positive rate (1 - specificity)")
        self.roc.yaxis.axis_label = t("sensitivity")
        self.recall = self._plot(t("Precision and recall"), "found", "precision")
        self.recall.line("x", "y", source=self._base, color=GREY, line_dash="dashed")
        self.recall.xaxis.axis_label = t("recall (sensitivity)")
        self.recall.yaxis.axis_label = t("precision")

    def show(self, curve: Curve | None, threshold: float) -> None:
        """Draw a curve; None, where the class or the rest has no files, clears the plots."""
        if curve is None:
            for source in (self._curve, self._point):
                source.data = {name: [] for name in source.data}
            self._base.data = {"x": [], "y": []}
            return
        last = len(curve.thresholds) - 1
        rows = np.unique(np.linspace(0, last, min(last + 1, MOST_POINTS)).astype(int))
        at = int(np.flatnonzero(curve.thresholds >= threshold)[-1])
        self._curve.data = _columns(curve, rows)
        self._point.data = _columns(curve, np.array([at])) | {"threshold": [threshold]}
        share = float(
            curve.true_positives[-1] / (curve.true_positives[-1] + curve.false_positives[-1])
        )
        self._base.data = {"x": [0, 1], "y": [share, share]}

    def follow(self, slider: Any) -> None:
        """Move the point with a slider in the browser, without a round trip."""
        slider.jscallback(args={"curve": self._curve, "point": self._point}, value=MOVE)

    def _plot(self, title: str, x: str, y: str) -> figure:
        plot = _plot(title)
        line = plot.line(x, y, source=self._curve, color=BLUE, line_width=2.5)
        plot.scatter(x, y, source=self._point, size=14, color=AMBER, line_color="#222222")
        tooltips = [
            (t("threshold"), "@threshold{0.000}"),
            (t("sensitivity"), "@found{0.0%}"),
            (t("false positive rate"), "@alarms{0.0%}"),
            (t("precision"), "@precision{0.0%}"),
        ]
        plot.add_tools(HoverTool(tooltips=tooltips, renderers=[line]))
        return plot


class ReliabilityPlot:
    """The reliability diagram: accuracy by confidence, with intervals and file counts."""

    def __init__(self) -> None:
        names = ("confidence", "share", "low", "high", "count")
        self._bins = ColumnDataSource({name: [] for name in names})
        self.plot = plot = _plot(t("Reliability diagram"), end=1.12)  # room for the counts
        plot.line([0, 1], [0, 1], color=GREY, line_dash="dashed")
        plot.segment(
            "confidence",
            "low",
            "confidence",
            "high",
            source=self._bins,
            color=BLUE,
            line_width=2,
            line_alpha=0.7,
        )
        line = plot.line("confidence", "share", source=self._bins, color=BLUE, line_width=2)
        dots = plot.scatter("confidence", "share", source=self._bins, size=9, color=BLUE)
        plot.text(
            "confidence",
            "share",
            "count",
            source=self._bins,
            x_offset=7,
            y_offset=-5,
            text_font_size="11px",
            text_color=GREY,
        )
        plot.xaxis.axis_label = t("confidence (probability of the predicted class)")
        plot.yaxis.axis_label = t("accuracy")
        tooltips = [
            (t("files"), "@count"),
            (t("confidence"), "@confidence{0.0%}"),
            (t("accuracy"), "@share{0.0%}"),
            (t("95% interval"), t("{low} to {high}", low="@low{0.0%}", high="@high{0.0%}")),
        ]
        plot.add_tools(HoverTool(tooltips=tooltips, renderers=[line, dots]))

    def show(self, bins: list[Bin]) -> None:
        """Draw the bins that `curves.reliability` returns."""
        ends = [wilson(b.num_correct, b.count) for b in bins]
        self._bins.data = {
            "confidence": [b.confidence for b in bins],
            "share": [b.num_correct / b.count for b in bins],
            "low": [low for low, _ in ends],
            "high": [high for _, high in ends],
            "count": [b.count for b in bins],
        }


def _plot(title: str, end: float = 1.02) -> figure:
    return figure(
        title=title,
        height=290,
        min_width=250,
        sizing_mode="stretch_width",
        x_range=Range1d(-0.02, end),
        y_range=Range1d(-0.02, end + 0.02),
        tools="",
        toolbar_location=None,
    )


def _columns(curve: Curve, rows: np.ndarray) -> dict[str, Any]:
    # JSON has no infinity; 2 is above every probability.
    thresholds = np.minimum(curve.thresholds[rows], 2.0)
    return {
        "threshold": thresholds.tolist(),
        "alarms": curve.false_positive_rate[rows].tolist(),
        "found": curve.sensitivity[rows].tolist(),
        "precision": curve.precision[rows].tolist(),
    }
