"""The dialog where a visitor adds a model of their own, and the buttons that lead to it."""

from __future__ import annotations

from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.choices import Choices
from dashboards.components.dropper import Dropper
from dashboards.components.live import Live
from dashboards.components.select import Select
from dashboards.files.own_models import taken_files
from dashboards.files.uploads import Limits
from dashboards.language import library_text, mark, number, t
from dashboards.service.trial import ModelTrial
from dashboards.state.own_model import KINDS, OwnModel
from dashboards.views.text import bullets, heading, paragraph
from dashboards.views.theme import run_button, words
from dashboards.views.view import Later, View
from xai_tf.classifiers.class_names import readable

ABOUT = mark(
    "Drop a Keras model ({taken}) and, if you have them, the names of its classes (labels.txt, "
    "class_indices.json) or its card. Code in a model is never run. Only you see it, and it is "
    "deleted with your files."
)
UNSURE = mark(
    "How the colors must be scaled is a guess. Choose the row whose answers are right; a wrong one "
    "gives wrong answers and wrong maps."
)


class OwnModelView(View):
    """The button of the dialog, which is built when it is opened, and the one to remove models."""

    own = param.ClassSelector(class_=OwnModel)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._dialogs: list[OwnModelDialog] = []
        self._place = Later(self._make)
        self._add = pmui.Button(
            label=t("Add your model"), icon="add", variant="outlined", size="small"
        )
        self._remove = pmui.Button(
            label=t("Remove my models"), icon="delete", variant="text", size="small"
        )
        self._add.on_click(self._open)
        self._remove.on_click(lambda _: self.own.remove_all())
        self.own.workspace.available.param.watch(self._draw, "own")
        self._draw()

    def _make(self) -> list[OwnModelDialog]:
        self._dialogs.append(OwnModelDialog(own=self.own))
        return self._dialogs

    def _open(self, *_: Any) -> None:
        self._place.fill()
        self._dialogs[0].open()

    def _draw(self, *_: Any) -> None:
        self._remove.visible = bool(self.own.workspace.available.own)

    def layout(self) -> pn.viewable.Viewable:
        """The buttons."""
        return pn.Column(pn.Row(self._add, self._remove), self._place)


class OwnModelDialog(View):
    """Takes the files of a model, tries each preprocessing, and adds the model with the chosen one.

    The preprocessing is chosen from what the model predicts for the visitor's current file.
    """

    own = param.ClassSelector(class_=OwnModel)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        own, size = self.own, self.own.models.max_bytes
        limits = Limits(sound_bytes=size, picture_bytes=size, total_bytes=size)
        self._drop = Dropper(limits, lambda *file: pn.state.execute(partial(own.add, *file)))
        wide = {"size": "small", "sizing_mode": "stretch_width"}
        self._classes = pmui.TextAreaInput.from_param(
            own.param.classes, label=t("Class names, in the order of the outputs"), rows=3, **wide
        )
        self._kind = Select.from_param(
            own.param.kind,
            label=t("Its files"),
            options={t(title): kind for title, kind in KINDS.items()},
        )
        self._try = run_button(t("Load and try"), "play_arrow")
        self._tried = Choices(label=t("Preprocessing"), layout="list")
        self._use = run_button(t("Use this model"), "check")
        self._said = words("")
        self._live = Live(sizing_mode="stretch_width")
        self._dialog = pmui.Dialog(
            words(paragraph(t(ABOUT, taken=taken_files()), "note")),
            self._drop,
            self._classes,
            self._kind,
            self._try,
            self._live,
            self._said,
            self._tried,
            self._use,
            title=t("Add your model"),
            open=False,
            show_close_button=True,
            close_on_click=True,
        )
        self._drop.param.watch(self._on_rejected, "problem")
        self._tried.param.watch(lambda event: setattr(own, "scaling", event.new), "value")
        self._try.on_click(self._on_try)
        self._use.on_click(self._on_use)
        own.param.watch(self._draw, ["entry", "trial", "scaling", "working", "problem"])
        self._draw()

    def open(self) -> None:
        """Open the dialog."""
        self._dialog.open = True

    def _on_rejected(self, event: Any) -> None:
        if event.new:
            self.own.problem = event.new

    async def _on_try(self, _: Any) -> None:
        await self.own.try_it()

    async def _on_use(self, _: Any) -> None:
        await self.own.use()
        if not self.own.problem:
            self._dialog.open = False

    def _draw(self, *_: Any) -> None:
        own, trial = self.own, self.own.trial
        self._try.disabled = own.entry is None or bool(own.working)
        self._use.visible = self._tried.visible = trial is not None
        self._use.disabled = not own.scaling
        self._tried.param.update(items=_rows(trial) if trial else [], value=own.scaling)
        stored = own.entry is not None and trial is None and not own.working
        self._said.object = (
            paragraph(own.problem, "error")
            + paragraph(t("{name} is stored. Load it next.", name=own.entry.name) if stored else "")
            + (_found(trial, own.workspace.file is not None) if trial else "")
        )
        self._live.paragraphs = [own.working] if own.working else []

    def layout(self) -> pn.viewable.Viewable:
        """The dialog."""
        return self._dialog


def _rows(trial: ModelTrial) -> list[dict[str, Any]]:
    """A row for each preprocessing that was tried; without a file only the one that was found."""
    if not trial.tried:
        return [{"value": trial.card.scaling, "label": library_text(trial.card.preprocessing)}]
    return [
        {
            "value": tried.name,
            "label": f"{readable(tried.label)}, {number(tried.probability, '.1%')}",
            "note": library_text(tried.title),
            "share": tried.probability,
            **({"badge": t("found")} if tried.name == trial.card.scaling else {}),
        }
        for tried in trial.tried
    ]


def _found(trial: ModelTrial, has_file: bool) -> str:
    """What was found in a model."""
    card = trial.card
    answers = mark("What it answers for your file with each preprocessing")
    found = t(
        "Loaded: {height} x {width} pixels. Preprocessing: {preprocessing}, because {reason}.",
        height=card.image_size[0],
        width=card.image_size[1],
        preprocessing=library_text(card.preprocessing),
        reason=library_text(trial.reason),
    )
    return (
        heading(t(answers) if has_file else t("Found"), 3)
        + paragraph(found)
        + paragraph("" if trial.certain else t(UNSURE), "warning")
        + paragraph("" if has_file else t("Show a file first to see what it answers."), "note")
        + bullets(map(library_text, trial.warnings), "warning")
    )
