"""The prediction: its classes, one of which is explained, and the windows of a recording."""

from __future__ import annotations

from typing import Any

import panel as pn
import param

from dashboards.components.choices import Choices
from dashboards.components.select import Select
from dashboards.language import library_text, mark, n, number, t
from dashboards.state.explorer import Explorer
from dashboards.turns import once_a_turn
from dashboards.views.classes import class_options
from dashboards.views.text import bullets, paragraph
from dashboards.views.theme import section, words
from dashboards.views.view import View
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction

MAX_CLASSES = 8  # classes shown as bars


class PredictionView(View):
    """The prediction; choosing a class explains it."""

    explorer = param.ClassSelector(class_=Explorer)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.explorer.workspace
        self._words = words(
            pn.bind(self._describe, workspace.param.reading, workspace.param.window)
        )
        self._classes = Choices(label=t("Class to explain"), layout="bars")
        self._any = Select(
            label=t("Any class"),
            searchable=True,
            visible=False,
        )
        self._contrast = Select(
            label=t("rather than"),
            options={t("(any other)"): -1},
            searchable=True,
        )
        self._windows = Choices(label=t("Window of the recording"), layout="tiles", visible=False)
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
        shown = (*reading.model_warnings, *reading.samples[window].warnings)
        text = paragraph(_meaning(reading.prediction), "note")
        about = paragraph(about_window(reading, window), "note")
        return bullets(map(library_text, shown), "warning") + about + text

    @once_a_turn
    def _fill(self) -> None:
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
            options={t("(any other)"): -1} | options,
            value=self.explorer.contrast,
            visible=num_classes > 2,
        )
        self._windows.param.update(
            visible=len(reading.samples) > 1,
            items=[_window(place, reading) for place in range(len(reading.samples))],
            value=str(self.explorer.workspace.window),
        )
        self._mark()

    @once_a_turn
    def _mark(self) -> None:
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
        """The classes, and the windows of a long recording."""
        return section(
            t("Class to explain"),
            self._classes,
            self._any,
            self._contrast,
            self._windows,
            self._words,
        )


def about_window(reading: Any, window: int) -> str:
    """Whose probabilities the bars show, in a recording of several windows; else empty."""
    count, sound = len(reading.samples), reading.samples[window].sound
    if count < 2 or sound is None:
        return ""
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    return t(
        "The bars show the probabilities of this window alone, {start} to {end} s. The answer "
        "above is that of the whole file, from all of its {count} windows.",
        start=number(start, ".1f"),
        end=number(end, ".1f"),
        count=count,
    )


def _meaning(prediction: Prediction) -> str:
    """How clear the answer is; with several labels, what counts as a finding."""
    if prediction.multi_label:
        return n(
            "{count} finding of {total} labels. Each label is a question of its own, found where "
            "its probability reaches its threshold.",
            "{count} findings of {total} labels. Each label is a question of its own, found where "
            "its probability reaches its threshold.",
            len(prediction.findings),
            total=len(prediction.classes),
        )
    return t(
        "Margin {margin}: the logit of the first class minus that of the second. 0 is undecided.",
        margin=number(prediction.margin, ".2f"),
    )


def _bar(prediction: Prediction, label: int) -> dict[str, Any]:
    """A class and its probability; with several labels also whether it is found."""
    probability, note = float(prediction.probabilities[label]), {}
    if prediction.multi_label:
        found = label in prediction.findings
        text = mark("found, threshold {share}") if found else mark("not found, threshold {share}")
        note = {"note": t(text, share=number(prediction.thresholds[label], ".0%"))}
    return {
        "value": str(label),
        "label": readable(prediction.classes[label]),
        "share": probability,
        "badge": number(probability, ".1%"),
        **note,
    }


def _window(place: int, reading: Any) -> dict[str, Any]:
    sound, prediction = reading.samples[place].sound, reading.predictions[place]
    label = reading.prediction.label
    span = str(place + 1)
    if sound:
        start, end = (number(sound.seconds[edge], ".1f") for edge in (0, -1))
        span = t("{start} to {end} s", start=start, end=end)
    probability = float(prediction.probabilities[label])
    return {
        "value": str(place),
        "label": span,
        "share": probability,
        "badge": number(probability, ".0%"),
    }
