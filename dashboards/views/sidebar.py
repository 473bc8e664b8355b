"""The side of the page: what is on the bench, how more gets there, and which model looks at it."""

from __future__ import annotations

import base64
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.choices import Choices
from dashboards.components.dropper import Dropper
from dashboards.components.live import Live
from dashboards.components.recorder import Recorder
from dashboards.files.gallery import GALLERY, GalleryItem
from dashboards.files.uploads import Uploads
from dashboards.state.workspace import Workspace
from dashboards.views.text import paragraph
from dashboards.views.theme import card, folding_card, words
from dashboards.views.view import View


class InputView(View):
    """Drop files, record, or take a sample."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._drop = Dropper(self.workspace.uploads.limits, self.workspace.add)
        self._recorder = Recorder(self.workspace.add)
        self._gallery = Choices(label="Samples", layout="tiles", items=[_tile(i) for i in GALLERY])
        for field in (self._drop, self._recorder):
            field.param.watch(self._turned_away, "problem")
        self._gallery.param.watch(self._taken, "value")
        self.workspace.param.watch(self._mark, "file")

    def _turned_away(self, event: Any) -> None:
        if event.new:
            self.workspace.problem = ""  # the same words again are said again
            self.workspace.problem = event.new

    def _taken(self, event: Any) -> None:
        item = next((item for item in GALLERY if item.name == event.new), None)
        shown = self.workspace.file and self.workspace.file.sha256
        if item is not None and item.sha256 != shown:  # else it came another way, and is marked
            self.workspace.show(Uploads.from_path(item.path), item.model)

    def _mark(self, event: Any) -> None:
        shown = event.new.sha256 if event.new else ""
        self._gallery.value = next((item.name for item in GALLERY if item.sha256 == shown), "")

    def layout(self) -> pn.viewable.Viewable:
        return pn.Column(
            card(
                "Your file",
                words(paragraph("Drop a picture, an X-ray, a slice or a sound.")),
                self._drop,
                self._recorder,
            ),
            folding_card("Samples", self._gallery),
            sizing_mode="stretch_width",
        )


class FilesView(View):
    """The files on the bench: choose one, remove it, bring it back."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.workspace
        self._files = Choices(label="Files", layout="list")
        self._remove = pmui.Button(label="Remove", icon="delete", variant="text", size="small")
        self._undo = pmui.Button(
            label="Undo", icon="undo", variant="text", size="small", visible=False
        )
        self._card = card(
            "On the workspace", self._files, pn.Row(self._remove, self._undo), visible=False
        )
        self._files.param.watch(self._chosen, "value")
        self._remove.on_click(lambda _: workspace.file and workspace.remove(workspace.file))
        self._undo.on_click(lambda _: workspace.undo())
        workspace.param.watch(self._fill, ["files", "file"])
        self._fill()

    def _chosen(self, event: Any) -> None:
        found = self.workspace.find(event.new)
        if found is not None:
            self.workspace.show(found)

    def _fill(self, *_: Any) -> None:
        workspace = self.workspace
        items = [
            {"value": file.sha256, "label": file.name, "note": f"{file.kind}, {_size(file.size)}"}
            for file in workspace.files
        ]
        self._files.param.update(items=items, value=workspace.file.sha256 if workspace.file else "")
        self._undo.visible = workspace.can_undo
        self._remove.disabled = workspace.file is None
        self._card.visible = bool(items) or workspace.can_undo

    def layout(self) -> pn.viewable.Viewable:
        return self._card


class ModelView(View):
    """Which model looks, what it is, and whether it is there yet."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.workspace
        self._model = pmui.Select(
            label="Model",
            size="small",
            sizing_mode="stretch_width",
            options={f"{m.name}: {m.title}": m.name for m in workspace.service.models.values()},
            value=workspace.model.name if workspace.model else None,
        )
        self._words = words(pn.bind(self._say, workspace.param.model, workspace.param.facts))
        self._model.param.watch(lambda event: workspace.choose_model(event.new), "value")
        workspace.param.watch(self._mark, "model")

    def _mark(self, event: Any) -> None:
        self._model.value = event.new.name if event.new else None

    def _say(self, model: Any, facts: Any) -> str:
        if model is None:
            return paragraph("There is no model. Start with --models FOLDER.", "error")
        state = (
            "Loading"
            if facts is None
            else (
                f"{facts.image_size[0]} x {facts.image_size[1]} pixels; "
                f"{1000 * facts.forward_seconds:.0f} ms forward, "
                f"{1000 * facts.gradient_seconds:.0f} ms gradient pass"
            )
        )
        device = self.workspace.service.status().device
        where = f" Computed on: {device}." if device else ""
        return paragraph(model.summary) + paragraph(f"{state}.{where}", "note")

    def layout(self) -> pn.viewable.Viewable:
        return card("Model", self._model, self._words)


class NoticesView(View):
    """What is going on, what went wrong and what to know: the last two stay until closed.

    That a file may be none for the model is said as long as it is looked at, on every page.
    """

    workspace = param.ClassSelector(class_=Workspace)

    def layout(self) -> pn.viewable.Viewable:
        working = Live(paragraphs=self._said("working"), sizing_mode="stretch_width")
        doubt = pn.bind(
            lambda reading: reading.ood_warning if reading else "", self.workspace.param.reading
        )
        out_of_distribution = Live(
            paragraphs=pn.bind(lambda text: [text] if text else [], doubt),
            look="warning",
            urgent=True,
            visible=pn.bind(bool, doubt),
            sizing_mode="stretch_width",
            margin=(8, 8),
        )
        return pn.Column(
            working,
            self._row("problem", "error"),
            self._row("notice", "warning"),
            out_of_distribution,
            sizing_mode="stretch_width",
        )

    def _row(self, name: str, look: str) -> pn.Row:
        close = pmui.IconButton(icon="close", description=f"Close this {name}", size="small")
        close.on_click(lambda _: self.workspace.param.update(**{name: ""}))
        said = Live(
            paragraphs=self._said(name),
            look=look,
            urgent=name == "problem",
            sizing_mode="stretch_width",
            margin=(8, 8),
        )
        shown = pn.bind(bool, self.workspace.param[name])
        return pn.Row(said, close, visible=shown, sizing_mode="stretch_width")

    def _said(self, name: str) -> Any:
        return pn.bind(lambda text: [text] if text else [], self.workspace.param[name])


def _tile(item: GalleryItem) -> dict[str, Any]:
    picture = base64.b64encode(item.thumbnail.read_bytes()).decode()
    return {"value": item.name, "label": item.title, "picture": f"data:image/jpeg;base64,{picture}"}


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
