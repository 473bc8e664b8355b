"""The Explain tab: picture and sound, prediction, methods, and diagnostics of the map."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.choices import Choices
from dashboards.state.explorer import Explorer
from dashboards.state.workspace import Workspace
from dashboards.views.classes import class_options
from dashboards.views.method import MethodView
from dashboards.views.text import bullets, facts, heading, paragraph
from dashboards.views.theme import card, side_by_side, words
from dashboards.views.view import View
from xai_tf.attribution.convergence import Convergence, convergence_text, curve
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.methods import METHODS, shown
from xai_tf.classifiers.prediction import Prediction
from xai_tf.datasets.listing import counted
from xai_tf.rendering.viewer import partial_viewer_data, sample_viewer_data, viewer_data

MAX_CLASSES = 12  # classes shown as bars


class PictureView(View):
    """The model's input with the map over it, and the sound."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._viewer = AttributionViewer(
            controls=True, group="explain", visible=False, margin=(4, 8)
        )
        self._empty = words(paragraph("To begin, drop a file, record a sound, or choose a sample."))
        for state, names in (
            (self.explorer.workspace, ["reading", "window"]),
            (self.explorer, ["explanation", "partial"]),
        ):
            state.param.watch(self._draw, names)
        self._draw()

    def _draw(self, *_: Any) -> None:
        sample, explorer = self.explorer.workspace.sample, self.explorer
        self._empty.visible = sample is None and self.explorer.workspace.file is None
        if sample is None:
            self._viewer.visible = False
            return
        if explorer.explanation is not None:
            layers = viewer_data(explorer.explanation)
        elif explorer.partial is not None:
            layers = partial_viewer_data(sample, METHODS[explorer.method], explorer.partial)
        else:
            layers = sample_viewer_data(sample)
        self._viewer.param.update(visible=True, **layers)

    def layout(self) -> pn.viewable.Viewable:
        """The viewer, or a hint while there is no file."""
        return pn.Column(self._empty, self._viewer, sizing_mode="stretch_width")


class PredictionView(View):
    """The prediction; choosing a class explains it."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.explorer.workspace
        self._words = words(
            pn.bind(self._describe, workspace.param.reading, workspace.param.window)
        )
        self._classes = Choices(label="Class to explain", layout="bars")
        self._any = pmui.Select(
            label="Any class",
            searchable=True,
            size="small",
            sizing_mode="stretch_width",
            visible=False,
        )
        self._contrast = pmui.Select(
            label="rather than",
            options={"(any other)": -1},
            searchable=True,
            size="small",
            sizing_mode="stretch_width",
        )
        self._windows = Choices(label="Window of the recording", layout="tiles", visible=False)
        workspace.param.watch(self._fill, ["reading", "window"])
        self.explorer.param.watch(self._mark, ["target", "contrast"])
        self._classes.param.watch(self._on_class, "value")
        self._any.param.watch(self._on_class, "value")
        self._contrast.param.watch(self._on_contrast, "value")
        self._windows.param.watch(self._on_window, "value")
        self._fill()

    def _describe(self, reading: Any, window: int) -> str:
        if reading is None:
            return ""
        prediction = reading.prediction
        text = _findings(prediction) if prediction.multi_label else _answer(prediction)
        if len(reading.samples) > 1:
            text += paragraph(f"Mean of {len(reading.samples)} windows.", "note")
        shown = (*reading.model_warnings, *reading.samples[window].warnings)
        return text + bullets(shown, "warning")

    def _fill(self, *_: Any) -> None:
        reading = self.explorer.workspace.reading
        if reading is None:
            self._classes.items, self._windows.visible, self._any.visible = [], False, False
            return
        prediction = reading.predictions[self.explorer.workspace.window]
        self._classes.items = [_bar(prediction, k) for k in prediction.ranked[:MAX_CLASSES]]
        options, num_classes = class_options(prediction.classes), len(prediction.classes)
        self._any.param.update(
            options=options, value=self._explained(), visible=num_classes > MAX_CLASSES
        )
        self._contrast.param.update(
            options={"(any other)": -1} | options,
            value=self.explorer.contrast,
            visible=num_classes > 2,
        )
        self._windows.param.update(
            visible=len(reading.samples) > 1,
            items=[_window(number, reading) for number in range(len(reading.samples))],
            value=str(self.explorer.workspace.window),
        )
        self._mark()

    def _mark(self, *_: Any) -> None:
        reading = self.explorer.workspace.reading
        if reading is None:
            return
        self._classes.value, self._any.value = str(self._explained()), self._explained()
        self._contrast.value = self.explorer.contrast

    def _explained(self) -> int:
        target = self.explorer.target
        return self.explorer.workspace.reading.prediction.label if target < 0 else target

    def _on_class(self, event: Any) -> None:
        reading = self.explorer.workspace.reading
        if event.new not in (None, "") and reading is not None:
            label = int(event.new)
            predicted = label == reading.prediction.label
            self.explorer.target = -1 if predicted else label

    def _on_contrast(self, event: Any) -> None:
        if event.new is not None:
            self.explorer.contrast = event.new

    def _on_window(self, event: Any) -> None:
        reading = self.explorer.workspace.reading
        if event.new and reading and int(event.new) < len(reading.samples):
            self.explorer.workspace.window = int(event.new)

    def layout(self) -> pn.viewable.Viewable:
        """The card of the prediction."""
        return card(
            "Prediction: choose a class to explain",
            self._words,
            self._classes,
            self._any,
            self._contrast,
            self._windows,
        )


class DiagnosticsView(View):
    """Warnings of the method, the diagnostics of the map, and how it was computed."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words(pn.bind(self._describe, self.explorer.param.explanation))

    def _describe(self, explanation: Any) -> str:
        if explanation is None:
            return paragraph("No map yet.", "note")
        diagnoses = [
            *explanation.warnings,
            *(diagnosis.text for diagnosis in diagnose(explanation.attribution)),
        ]
        rows = [
            ("Class", explanation.target_name),
            ("Method", explanation.method.title),
            *([("Layer", explanation.layer)] if explanation.layer else []),
            *((name, shown(value)) for name, value in explanation.settings.items()),
            *([("Seed", str(explanation.seed))] if explanation.seed is not None else []),
            ("Passes", f"{explanation.cost.forward} forward, {explanation.cost.gradient} gradient"),
            ("Time", f"{explanation.seconds:.2f} s"),
            *(
                (name.replace("_", " "), f"{value:.3g}")
                for name, value in explanation.figures.items()
            ),
        ]
        healthy = "" if diagnoses else paragraph("The diagnostics found no problem with this map.")
        reading = self.explorer.workspace.reading
        doubt = [reading.ood_warning_explained] if reading and reading.ood_warning else []
        return (
            bullets([*doubt, *diagnoses], "warning")
            + healthy
            + _convergence_text(explanation.convergence)
            + heading("How it was computed", 3)
            + facts(rows)
        )

    def layout(self) -> pn.viewable.Viewable:
        """The card of the diagnostics."""
        return card("Can this map be trusted?", self._words)


class ExplainPage(View):
    """The Explain tab."""

    explorer = param.ClassSelector(class_=Explorer)
    workspace = param.ClassSelector(class_=Workspace)
    extras = param.List(default=[], doc="Views below the diagnostics.")

    def layout(self) -> pn.viewable.Viewable:
        """The picture and its views on the left, prediction and method on the right."""
        left = pn.Column(
            PictureView(explorer=self.explorer),
            DiagnosticsView(explorer=self.explorer),
            *self.extras,
            sizing_mode="stretch_width",
        )
        right = pn.Column(
            PredictionView(explorer=self.explorer),
            MethodView(explorer=self.explorer),
            sizing_mode="stretch_width",
        )
        return side_by_side(left, right)


def _answer(prediction: Prediction) -> str:
    """The predicted class as a headline, and how clear it is."""
    probability = prediction.probabilities[prediction.label]
    return paragraph(f"{prediction.name}, {probability:.1%}", "headline") + paragraph(
        f"Margin {prediction.margin:.2f}: the logit of the first class minus that of the "
        "second. 0 is undecided.",
        "note",
    )


def _findings(prediction: Prediction) -> str:
    """The findings as headlines, one each; and what counts as one."""
    lines = [
        f"{prediction.classes[label]}, {prediction.probabilities[label]:.1%}"
        for label in prediction.findings
    ]
    return "".join(paragraph(line, "headline") for line in lines or ["No finding"]) + paragraph(
        f"{counted(len(lines), 'finding')} of {len(prediction.classes)} labels. Each label is a "
        "question of its own, found where its probability reaches its threshold.",
        "note",
    )


def _bar(prediction: Prediction, label: int) -> dict[str, Any]:
    """A class and its probability; with several labels also whether it is found."""
    probability, note = float(prediction.probabilities[label]), {}
    if prediction.multi_label:
        found = "found" if label in prediction.findings else "not found"
        note = {"note": f"{found}, threshold {prediction.thresholds[label]:.0%}"}
    return {
        "value": str(label),
        "label": prediction.classes[label],
        "share": probability,
        "badge": f"{probability:.1%}",
        **note,
    }


def _convergence_text(convergence: Convergence | None) -> str:
    """The convergence of a sampled map as a sentence and a curve."""
    if convergence is None:
        return ""
    plot = (
        ""
        if convergence.exact
        else curve(convergence.samples, convergence.stability, convergence.wanted)
    )
    return heading("Enough samples?", 3) + paragraph(convergence_text(convergence)) + plot


def _window(number: int, reading: Any) -> dict[str, Any]:
    sound, prediction = reading.samples[number].sound, reading.predictions[number]
    label = reading.prediction.label
    span = f"{sound.seconds[0]:.1f} to {sound.seconds[-1]:.1f} s" if sound else str(number + 1)
    probability = float(prediction.probabilities[label])
    return {
        "value": str(number),
        "label": span,
        "share": probability,
        "badge": f"{probability:.0%}",
    }
