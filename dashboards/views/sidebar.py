"""The sidebar: the input of files, and the visitor's files; and the messages of the page."""

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
from dashboards.language import mark, number, t
from dashboards.service.requests import Upload
from dashboards.state.workspace import Workspace
from dashboards.turns import once_a_turn
from dashboards.views.theme import section
from dashboards.views.view import View

KINDS = {"sound": mark("sound"), "picture": mark("picture")}
# Messages lie over the page, so that nothing below them moves.
TOAST = """
:host {
  position: fixed !important; z-index: 1200; top: 70px; right: 12px; left: auto;
  width: min(36rem, calc(100vw - 24px)) !important; background: var(--panel-surface-color);
  border-radius: 8px; box-shadow: 0 4px 20px #0006; margin: 0 !important;
}
"""

# Low enough for all samples, and what stands below them, on a screen 900 pixels high.
SAMPLES = ".choices.tiles .picture { aspect-ratio: 3 / 2; }"


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
        self._gallery = Choices(label=t("Samples"), layout="tiles", stylesheets=[SAMPLES])
        for field in (self._drop, self._recorder):
            field.param.watch(self._on_rejected, "problem")
        self._gallery.param.watch(self._on_sample, "value")
        self.workspace.param.watch(self._mark, "file")
        self.workspace.param.watch(self._fill, "answers")
        self._fill()

    def _fill(self, *_: Any) -> None:
        items = [_tile(item, _answer(self.workspace, item.sha256)) for item in GALLERY]
        if items != self._gallery.items:  # most answers are about other files
            self._gallery.items = items

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
            section(t("Add a file"), self._drop, self._recorder),
            section(t("Samples"), self._gallery),
            sizing_mode="stretch_width",
        )


class FilesView(View):
    """The visitor's files: choose, remove and restore them."""

    workspace = param.ClassSelector(class_=Workspace)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        workspace = self.workspace
        self._files = Choices(label=t("Files"), layout="list")
        self._remove = pmui.Button(label=t("Remove"), icon="delete", variant="text", size="small")
        self._undo = pmui.Button(
            label=t("Undo"), icon="undo", variant="text", size="small", visible=False
        )
        self._card = section(
            t("Your files"), self._files, pn.Row(self._remove, self._undo), visible=False
        )
        self._files.param.watch(self._on_file, "value")
        self._remove.on_click(self._on_remove)
        self._undo.on_click(lambda _: workspace.undo())
        workspace.param.watch(self._fill, ["files", "file", "thumbnails", "answers"])
        self._fill()

    def _on_file(self, event: Any) -> None:
        file = self.workspace.find(event.new)
        if file is not None and file is not self.workspace.file:  # otherwise it is shown already
            self.workspace.show(file)

    def _on_remove(self, _: Any) -> None:
        if self.workspace.file:
            self.workspace.remove(self.workspace.file)

    @once_a_turn
    def _fill(self) -> None:
        workspace = self.workspace
        items = [self._item(file) for file in workspace.files if not file.public]
        self._files.param.update(items=items, value=workspace.file.sha256 if workspace.file else "")
        self._undo.visible = workspace.can_undo
        self._remove.disabled = workspace.file is None
        self._card.visible = bool(items) or workspace.can_undo

    def _item(self, file: Upload) -> dict[str, Any]:
        picture = self.workspace.thumbnails.get(file.sha256, "")
        known = _answer(self.workspace, file.sha256)
        note = known or f"{t(KINDS[file.kind])}, {_size(file.size)}"
        return {"value": file.sha256, "label": file.name, "note": note, "picture": picture}

    def layout(self) -> pn.viewable.Viewable:
        """The card of the files; hidden without files."""
        return self._card


class NoticesView(View):
    """Errors and notices above the page; they stay until closed, or until their cause is gone."""

    workspace = param.ClassSelector(class_=Workspace)

    def layout(self) -> pn.viewable.Viewable:
        """The messages, one below the other."""
        return pn.Column(
            self._row("problem", "error"),
            self._row("notice", "warning"),
            stylesheets=[TOAST],
            sizing_mode="stretch_width",
        )

    def _row(self, name: str, variant: str) -> pn.Row:
        close = pmui.IconButton(icon="close", description=t("Close this message"), size="small")
        close.on_click(lambda _: self.workspace.param.update(**{name: ""}))
        message = Live(
            paragraphs=pn.bind(_as_lines, self.workspace.param[name]),
            variant=variant,
            urgent=name == "problem",
            sizing_mode="stretch_width",
            margin=(8, 8),
        )
        shown = pn.bind(bool, self.workspace.param[name])
        return pn.Row(message, close, visible=shown, sizing_mode="stretch_width")


def _as_lines(text: str) -> list[str]:
    return text.splitlines()


def gallery_picture(item: GalleryItem) -> str:
    """The thumbnail of a sample as a data URL."""
    picture = base64.b64encode(item.thumbnail.read_bytes()).decode()
    return f"data:image/jpeg;base64,{picture}"


def _answer(workspace: Workspace, sha256: str) -> str:
    """The last answer about a file, and its doubt; empty where none is known."""
    answer, doubtful = workspace.answers.get(sha256, ("", False))
    return t("{answer} (doubtful)", answer=answer) if doubtful else answer


def _tile(item: GalleryItem, answer: str) -> dict[str, Any]:
    picture = gallery_picture(item)
    return {"value": item.name, "label": t(item.title), "picture": picture, "note": answer}


def _size(count: int) -> str:
    if count >= 1e5:
        return t("{size} MB", size=number(count / 1e6, ".1f"))
    return t("{size} kB", size=number(count / 1e3, ".0f"))
