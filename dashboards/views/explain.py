"""The Explain page: picture and sound, prediction, methods, and what the map says."""

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
from xai_tf.attribution.convergence import Convergence, curve, settling_text
from xai_tf.attribution.diagnostics import diagnose
from xai_tf.attribution.methods import METHODS
from xai_tf.rendering.viewer import stage_of, stage_of_partial, stage_of_sample

MAX_CLASSES = 12  # that have a bar


class PictureView(View):
    """What the model saw, with the map over it, and the sound."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._stage = AttributionViewer(
            controls=True, group="explain", visible=False, margin=(4, 8)
        )
        self._empty = words(paragraph("Drop a file, record a sound, or take a sample to begin."))
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
            self._stage.visible = False
            return
        if explorer.explanation is not None:
            layers = stage_of(explorer.explanation)
        elif explorer.partial is not None:
            layers = stage_of_partial(sample, METHODS[explorer.method], explorer.partial)
        else:
            layers = stage_of_sample(sample)
        self._stage.param.update(visible=True, **layers)

    def layout(self) -> pn.viewable.Viewable:
        return pn.Column(self._empty, self._stage, sizing_mode="stretch_width")


class PredictionView(View):
    """What the model says; a class is a button that asks why."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.explorer.workspace
        self._words = words(pn.bind(self._say, workspace.param.reading, workspace.param.window))
        self._classes = Choices(label="Explain the class", layout="bars")
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
        self._classes.param.watch(self._chosen, "value")
        self._any.param.watch(self._chosen, "value")
        self._contrast.param.watch(self._held_against, "value")
        self._windows.param.watch(self._looked, "value")
        self._fill()

    def _say(self, reading: Any, window: int) -> str:
        if reading is None:
            return ""
        prediction = reading.prediction
        chance = prediction.probabilities[prediction.label]
        text = paragraph(f"{prediction.name}, {chance:.1%}", "headline")
        text += paragraph(
            f"Margin {prediction.margin:.2f}: the first class's logit less the second's. "
            "0 is undecided.",
            "note",
        )
        if len(reading.samples) > 1:
            text += paragraph(f"The mean of {len(reading.samples)} windows.", "note")
        return text + bullets(reading.samples[window].warnings, "warning")

    def _fill(self, *_: Any) -> None:
        reading = self.explorer.workspace.reading
        if reading is None:
            self._classes.items, self._windows.visible, self._any.visible = [], False, False
            return
        prediction = reading.predictions[self.explorer.workspace.window]
        ranked = sorted(
            range(len(prediction.classes)), key=lambda label: -prediction.probabilities[label]
        )[:MAX_CLASSES]
        self._classes.items = [
            {
                "value": str(label),
                "label": prediction.classes[label],
                "share": float(prediction.probabilities[label]),
                "badge": f"{prediction.probabilities[label]:.1%}",
            }
            for label in ranked
        ]
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

    def _chosen(self, event: Any) -> None:
        reading = self.explorer.workspace.reading
        if event.new not in (None, "") and reading is not None:
            label = int(event.new)
            predicted = label == reading.prediction.label
            self.explorer.target = -1 if predicted else label

    def _held_against(self, event: Any) -> None:
        if event.new is not None:
            self.explorer.contrast = event.new

    def _looked(self, event: Any) -> None:
        reading = self.explorer.workspace.reading
        if event.new and reading and int(event.new) < len(reading.samples):
            self.explorer.workspace.window = int(event.new)

    def layout(self) -> pn.viewable.Viewable:
        return card(
            "Prediction: choose a class to see what speaks for it",
            self._words,
            self._classes,
            self._any,
            self._contrast,
            self._windows,
        )


class FindingsView(View):
    """What the method says of itself, what the map doctor finds, and how the map was made."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._words = words(pn.bind(self._say, self.explorer.param.explanation))

    def _say(self, explanation: Any) -> str:
        if explanation is None:
            return paragraph("No map yet.", "note")
        found = [*explanation.warnings, *(f.text for f in diagnose(explanation.attribution))]
        rows = [
            ("Class", explanation.target_name),
            ("Method", explanation.method.title),
            *([("Layer", explanation.layer)] if explanation.layer else []),
            *((name, f"{value:g}") for name, value in explanation.settings.items()),
            *([("Seed", str(explanation.seed))] if explanation.seed is not None else []),
            ("Passes", f"{explanation.cost.forward} forward, {explanation.cost.gradient} gradient"),
            ("Took", f"{explanation.seconds:.2f} s"),
            *(
                (name.replace("_", " "), f"{value:.3g}")
                for name, value in explanation.figures.items()
            ),
        ]
        sound = "" if found else paragraph("The map doctor finds nothing wrong with this map.")
        reading = self.explorer.workspace.reading
        doubt = [reading.ood_warning_explained] if reading and reading.ood_warning else []
        return (
            bullets([*doubt, *found], "warning")
            + sound
            + _settling(explanation.convergence)
            + heading("How it was made", 3)
            + facts(rows)
        )

    def layout(self) -> pn.viewable.Viewable:
        return card("Can this map be trusted?", self._words)


class ExplainPage(View):
    """All of one explanation."""

    explorer = param.ClassSelector(class_=Explorer)
    workspace = param.ClassSelector(class_=Workspace)
    extras = param.List(default=[], doc="views that stand below the findings")

    def layout(self) -> pn.viewable.Viewable:
        left = pn.Column(
            PictureView(explorer=self.explorer),
            FindingsView(explorer=self.explorer),
            *self.extras,
            sizing_mode="stretch_width",
        )
        right = pn.Column(
            PredictionView(explorer=self.explorer),
            MethodView(explorer=self.explorer),
            sizing_mode="stretch_width",
        )
        return side_by_side(left, right)


def _settling(found: Convergence | None) -> str:
    """How a map that is sampled settled, in words and drawn."""
    if found is None:
        return ""
    drawn = curve(found.samples, found.stability, found.wanted) if not found.exact else ""
    return heading("Enough samples?", 3) + paragraph(settling_text(found)) + drawn


def _window(number: int, reading: Any) -> dict[str, Any]:
    sound, prediction = reading.samples[number].sound, reading.predictions[number]
    label = reading.prediction.label
    span = f"{sound.seconds[0]:.1f} to {sound.seconds[-1]:.1f} s" if sound else str(number + 1)
    chance = float(prediction.probabilities[label])
    return {"value": str(number), "label": span, "share": chance, "badge": f"{chance:.0%}"}
