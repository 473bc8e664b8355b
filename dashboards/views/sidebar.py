"""The sidebar: the model, the input of files, and the visitor's files."""

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
from xai_tf.classifiers.reading import Reading


class InputView(View):
    """The input: drop files, record a sound, or choose a sample."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._drop = Dropper(
            self.workspace.uploads.limits,
            lambda *file: self.workspace.add(*file, drop=self._drop.drop),
        )
        self._recorder = Recorder(self.workspace.add)
        self._gallery = Choices(label="Samples", layout="tiles", items=[_tile(i) for i in GALLERY])
        for field in (self._drop, self._recorder):
            field.param.watch(self._on_rejected, "problem")
        self._gallery.param.watch(self._on_sample, "value")
        self.workspace.param.watch(self._mark, "file")

    def _on_rejected(self, event: Any) -> None:
        if event.new:
            self.workspace.reject(event.new, event.obj.drop)

    def _on_sample(self, event: Any) -> None:
        item = next((item for item in GALLERY if item.name == event.new), None)
        shown = self.workspace.file and self.workspace.file.sha256
        if item is not None and item.sha256 != shown:  # otherwise it is shown already
            self.workspace.show(Uploads.from_path(item.path), item.model)

    def _mark(self, event: Any) -> None:
        shown = event.new.sha256 if event.new else ""
        self._gallery.value = next((item.name for item in GALLERY if item.sha256 == shown), "")

    def layout(self) -> pn.viewable.Viewable:
        """The upload field, the recorder and the samples."""
        return pn.Column(
            card(
                "Add a file",
                words(paragraph("Drop a photo, an X-ray, an MRI slice or a sound.")),
                self._drop,
                self._recorder,
            ),
            folding_card("Samples", self._gallery),
            sizing_mode="stretch_width",
        )


class FilesView(View):
    """The visitor's files: choose, remove and restore them."""

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
            "Your files", self._files, pn.Row(self._remove, self._undo), visible=False
        )
        self._files.param.watch(self._on_file, "value")
        self._remove.on_click(self._on_remove)
        self._undo.on_click(lambda _: workspace.undo())
        workspace.param.watch(self._fill, ["files", "file"])
        self._fill()

    def _on_file(self, event: Any) -> None:
        file = self.workspace.find(event.new)
        if file is not None:
            self.workspace.show(file)

    def _on_remove(self, _: Any) -> None:
        if self.workspace.file:
            self.workspace.remove(self.workspace.file)

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
        """The card of the files; hidden without files."""
        return self._card


class ModelView(View):
    """The choice of the model, its test metrics, and its speed once it is loaded."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.workspace
        self._model = pmui.Select(
            label="Model",
            size="small",
            sizing_mode="stretch_width",
            options=self._options(),
            value=workspace.model.name if workspace.model else None,
        )
        self._words = words(pn.bind(self._describe, workspace.param.model, workspace.param.facts))
        self._model.param.watch(lambda event: workspace.choose_model(event.new), "value")
        workspace.param.watch(self._mark, "model")
        workspace.available.param.watch(self._on_models, "by_name")

    def _options(self) -> dict[str, str]:
        return {f"{m.name}: {m.title}": m.name for m in self.workspace.models.values()}

    def _on_models(self, _: Any) -> None:
        chosen = self.workspace.model.name if self.workspace.model else None
        self._model.param.update(options=self._options(), value=chosen)

    def _mark(self, event: Any) -> None:
        self._model.value = event.new.name if event.new else None

    def _describe(self, model: Any, facts: Any) -> str:
        if model is None:
            return paragraph(
                "There is no model on this server. Restart it with --models FOLDER.", "error"
            )
        state = "Loading"
        if facts is not None:
            state = (
                f"{facts.image_size[0]} x {facts.image_size[1]} pixels; "
                f"forward pass {1000 * facts.forward_seconds:.0f} ms, "
                f"gradient pass {1000 * facts.gradient_seconds:.0f} ms"
            )
        device = self.workspace.service.status().device
        device_text = f" Running on {device}." if device else ""
        return paragraph(model.summary) + paragraph(f"{state}.{device_text}", "note")

    def layout(self) -> pn.viewable.Viewable:
        """The card of the model."""
        return card("Model", self._model, self._words)


class NoticesView(View):
    """Progress, errors and notices above the tabs; errors and notices stay until closed.

    A warning that the current file may be out of distribution is shown on every tab.
    """

    workspace = param.ClassSelector(class_=Workspace)

    def layout(self) -> pn.viewable.Viewable:
        """The messages, one below the other."""
        working = Live(paragraphs=self._lines("working"), sizing_mode="stretch_width")
        doubt: Any = pn.bind(_doubt, self.workspace.param.reading)
        out_of_distribution = Live(
            paragraphs=pn.bind(_as_lines, doubt),
            variant="warning",
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

    def _row(self, name: str, variant: str) -> pn.Row:
        close = pmui.IconButton(icon="close", description=f"Close this {name}", size="small")
        close.on_click(lambda _: self.workspace.param.update(**{name: ""}))
        message = Live(
            paragraphs=self._lines(name),
            variant=variant,
            urgent=name == "problem",
            sizing_mode="stretch_width",
            margin=(8, 8),
        )
        shown = pn.bind(bool, self.workspace.param[name])
        return pn.Row(message, close, visible=shown, sizing_mode="stretch_width")

    def _lines(self, name: str) -> Any:
        return pn.bind(_as_lines, self.workspace.param[name])


def _doubt(reading: Reading | None) -> str:
    return reading.ood_warning if reading else ""


def _as_lines(text: str) -> list[str]:
    return text.splitlines()


def _tile(item: GalleryItem) -> dict[str, Any]:
    picture = base64.b64encode(item.thumbnail.read_bytes()).decode()
    return {"value": item.name, "label": item.title, "picture": f"data:image/jpeg;base64,{picture}"}


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
