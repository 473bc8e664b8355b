"""The strip above the picture: the file, the model, the answer, and how far to trust it."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.live import Live
from dashboards.files.gallery import GALLERY
from dashboards.language import language, library_text, mark, number, t
from dashboards.service.requests import ModelEntry
from dashboards.state.model_finder import Match, reads
from dashboards.state.workspace import Workspace
from dashboards.turns import once_a_turn
from dashboards.views.classes import model_label
from dashboards.views.sidebar import gallery_picture
from dashboards.views.text import paragraph
from dashboards.views.theme import words
from dashboards.views.view import View
from xai_tf.classifiers.class_names import readable
from xai_tf.classifiers.prediction import Prediction
from xai_tf.classifiers.reading import Reading
from xai_tf.tasks import find_task

STRIP = """
:host {
  display: flex !important; flex-flow: row wrap !important; align-items: center; gap: 6px 14px;
  padding: 6px 10px; box-sizing: border-box; border-radius: 8px;
  border: 1px solid color-mix(in srgb, var(--panel-on-surface-color) 22%, transparent);
  background: var(--panel-surface-color);
}
.file { flex: 1 1 13rem; } .answer { flex: 2 1 15rem; }
.model { flex: 1 1 15rem; max-width: 21rem; }
@media (max-width: 1000px) {
  :host { display: grid !important; grid-template-columns: minmax(0, 1fr) auto; }
  .file, .model, .progress { grid-column: 1 / -1; max-width: none; }
}
.file, .answer, .model, .badge { width: auto !important; min-width: 0; margin: 0 !important; }
.progress { flex: 1 1 100%; width: auto !important; margin: 0 !important; }
"""
FIND = mark("Find the model that knows the file")
PLOT = mark(
    "This looks like a plot with axes. The model is given the labels and margins, too, which its "
    "training pictures did not have."
)
FILE = """
.file { display: flex; align-items: center; gap: 10px; }
.file img, .file .icon {
  width: 44px; height: 44px; object-fit: cover; border-radius: 6px; flex: none;
}
.file .icon { display: grid; place-items: center; font-size: 1.4rem;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.file strong { display: block; overflow-wrap: anywhere; line-height: 1.25; }
.file span { font-size: 0.82rem; opacity: 0.9; display: block; line-height: 1.25; }
@media (max-width: 1000px) {
  .file img, .file .icon { width: 34px; height: 34px; }
  .file strong { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .file div { min-width: 0; }
}
.muted { opacity: 0.65; font-weight: 500 !important; }
"""


class StripView(View):
    """The current file, the model that was found for it, and its answer."""

    workspace = param.ClassSelector(class_=Workspace)
    extras = param.List(default=[], doc="Views at the end of the strip, such as the verdict.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.workspace
        self._file = words(
            pn.bind(
                self._describe_file,
                workspace.param.file,
                workspace.param.match,
                workspace.param.thumbnails,
            ),
            css_classes=["file"],
        )
        self._file.stylesheets = [*self._file.stylesheets, FILE]
        # A menu says only what was clicked. A select would say what it shows, too, which is late
        # when files come fast, and was taken for a choice.
        self._model = pmui.MenuButton(
            items=[],
            variant="outlined",
            size="small",
            css_classes=["model"],
            sizing_mode="stretch_width",
            margin=0,
        )
        self._names: dict[str, str] = {}  # of the models, by what the menu calls them
        self._answer = words(
            pn.bind(self._describe_answer, workspace.param.reading), css_classes=["answer"]
        )
        self._answer.stylesheets = [*self._answer.stylesheets, FILE]
        self._unknown = pn.FlexBox(
            gap="8px", align_items="center", css_classes=["answer"], visible=False
        )
        crop = pmui.Button(
            label=t("Crop it to its axes"), icon="crop", variant="outlined", size="small"
        )
        crop.on_click(lambda _: workspace.crop_plot())
        self._plot = pn.FlexBox(
            words(paragraph(t(PLOT), "warning")),
            crop,
            gap="8px",
            align_items="center",
            css_classes=["progress"],
            visible=pn.bind(bool, workspace.param.plot),
        )
        self._progress = Live(
            paragraphs=pn.bind(lambda text: [text] if text else [], workspace.param.working),
            visible=pn.bind(bool, workspace.param.working),
            css_classes=["progress"],
        )
        self._model.on_click(self._on_model)
        workspace.param.watch(self._fill_models, ["model", "file"])
        workspace.available.param.watch(self._fill_models, "by_name")
        workspace.param.watch(self._show_unknown, ["match", "model", "file"])
        self._fill_models()
        self._show_unknown()

    def _on_model(self, item: Any) -> None:
        name = self._names.get(str(item.get("label", "")))
        if name:
            self.workspace.choose_model(name)
        elif name == "":
            self.workspace.find_model()

    @once_a_turn
    def _fill_models(self) -> None:
        workspace = self.workspace
        models = [
            model
            for model in workspace.models.values()
            if workspace.file is None or reads(model, workspace.file)
        ]
        labels = Counter(map(model_label, models))
        self._names = {t(FIND): ""} | {
            label if labels[label] == 1 else f"{label} ({model.name})": model.name
            for model in models
            for label in [model_label(model)]
        }
        items = [{"label": label} for label in self._names]
        chosen = model_label(workspace.model) if workspace.model else t("choose")
        changed = {} if items == self._model.items else {"items": items}
        self._model.param.update(label=t("Model: {name}", name=chosen), **changed)

    def _describe_file(self, file: Any, match: Match | None, thumbnails: dict[str, str]) -> str:
        if file is None:
            return ""
        item = next((item for item in GALLERY if item.sha256 == file.sha256), None)
        picture = thumbnails.get(file.sha256) or (item and gallery_picture(item))
        picture = picture or self.workspace.picture
        image = (
            f'<img alt="" src="{escape(picture)}">' if picture else '<span class="icon">♪</span>'
        )
        name = t(item.title) if item else file.name
        return (
            f'<div class="file">{image}<div><strong>{escape(name)}</strong>'
            f"<span>{escape(looks_like(match))}</span></div></div>"
        )

    def _describe_answer(self, reading: Reading | None) -> str:
        if reading is None:
            return ""
        muted = " muted" if reading.ood_caption else ""
        prediction = reading.prediction
        text = findings_text(prediction) if prediction.multi_label else answer_text(prediction)
        windows = len(reading.samples)
        notes = [
            t("Mean of {count} windows.", count=windows) if windows > 1 else "",
            second_text(prediction) if not (muted or prediction.multi_label) else "",
            t("Unlike the training data: this answer may mean nothing.") if muted else "",
            library_text(reading.ood_problem),
        ]
        note = " ".join(filter(None, notes))
        return f'<p class="look-headline{muted}">{escape(text)}</p>' + paragraph(note, "note")

    @once_a_turn
    def _show_unknown(self) -> None:
        """Without a model that knows the file: say so, and offer what can be done."""
        workspace, match = self.workspace, self.workspace.match
        shown = match is not None and workspace.model is None and not match.problem
        self._unknown.visible, self._answer.visible = shown, not shown
        self._unknown[:] = []
        if not shown:
            return
        sound = match.file.kind == "sound"
        text = (
            t("No model here knows such sounds.")
            if sound
            else t("No model here knows such pictures.")
        )
        self._unknown.append(words(paragraph(text, "headline")))
        for model, label in self._ways_out(match):
            button = pmui.Button(label=label, variant="outlined", size="small")
            button.on_click(lambda _, name=model.name: workspace.choose_model(name))
            self._unknown.append(button)

    def _ways_out(self, match: Match) -> list[tuple[ModelEntry, str]]:
        ways = [
            (model, t("Try {model}, which cannot tell", model=model_label(model)))
            for model in match.silent[:3]
        ]
        if match.nearest is not None:
            label = t("See what {model} says anyway", model=model_label(match.nearest))
            ways.append((match.nearest, label))
        return ways

    def layout(self) -> pn.viewable.Viewable:
        """The strip."""
        return pn.Column(
            self._file,
            self._model,
            self._answer,
            self._unknown,
            *self.extras,
            self._plot,
            self._progress,
            stylesheets=[STRIP],
            css_classes=["strip"],
            sizing_mode="stretch_width",
            visible=pn.bind(lambda file: file is not None, self.workspace.param.file),
        )


def looks_like(match: Match | None) -> str:
    """What the file was recognized as, and why the model was chosen."""
    if match is None or match.model is None:
        return ""
    if not match.known:
        return t("{model} cannot tell whether it knows such files.", model=model_label(match.model))
    task = find_task(match.model.task) if match.model.task else None
    subject = task.subject.get(language(), "") if task else ""
    if subject:
        return t("Looks like {subject}.", subject=subject)
    return t("The model knows such files.")


def answer_text(prediction: Prediction) -> str:
    """The predicted class and its probability."""
    probability = number(prediction.probabilities[prediction.label], ".1%")
    return f"{readable(prediction.name)}, {probability}"


def second_text(prediction: Prediction) -> str:
    """The class that comes next."""
    if len(prediction.classes) < 2:
        return ""
    second = prediction.ranked[1]
    name, probability = readable(prediction.classes[second]), prediction.probabilities[second]
    return t("Then {name}, {probability}", name=name, probability=number(probability, ".1%"))


def findings_text(prediction: Prediction) -> str:
    """The findings in one line."""
    found = [
        f"{readable(prediction.classes[label])} {number(prediction.probabilities[label], '.0%')}"
        for label in prediction.findings
    ]
    return ", ".join(found) or t("No finding")
