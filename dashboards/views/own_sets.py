"""Where a visitor gives labeled files of their own."""

from __future__ import annotations

from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.dropper import FolderDropper
from dashboards.components.live import Live
from dashboards.files.own_sets import OwnSet
from dashboards.language import mark, t
from dashboards.state.own_sets import OwnLabeled
from dashboards.views.text import bullets, paragraph
from dashboards.views.theme import words

MOST_NAMED = 8  # files that were left out
ABOUT = mark(
    "Or your own files: a .zip or a folder with one subfolder per class, named after it. Only you "
    "see them, and they are deleted with your other files."
)


class OwnSetsView(pn.viewable.Viewer):
    """Takes labeled sets, says what was left out of them, and deletes them."""

    own = param.ClassSelector(class_=OwnLabeled)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        own, limits = self.own, self.own.store.limits
        self._drop = FolderDropper(limits, self._on_file, max_files=limits.labeled_files)
        self._live = Live(sizing_mode="stretch_width")
        self._text = words("")
        self._remove = pmui.Button(
            label=t("Delete my labeled files"), icon="delete", variant="text", size="small"
        )
        self._drop.param.watch(self._on_rejected, "problem")
        self._remove.on_click(lambda _: own.remove_all())
        own.param.watch(self._draw, ["sets", "latest", "working", "problem"])
        self._draw()

    def _on_file(self, name: str, data: bytes) -> None:
        pn.state.execute(partial(self.own.add, name, data, self._drop.drop))

    async def _on_rejected(self, event: Any) -> None:
        if event.new:
            await self.own.reject(self._drop.file_name, event.new, self._drop.drop)

    def _draw(self, *_: Any) -> None:
        own = self.own
        self._remove.visible = bool(own.sets)
        self._live.paragraphs = [own.working] if own.working else []
        self._text.object = paragraph(own.problem, "error") + (
            _described(own.latest) if own.latest is not None and not own.problem else ""
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            words(paragraph(t(ABOUT), "note")),
            self._drop,
            self._live,
            self._text,
            self._remove,
            sizing_mode="stretch_width",
        )


def _described(added: OwnSet) -> str:
    """How many files were taken, and which were not."""
    left_out = [
        t("{name}: {meaning}", name=name, meaning=reason) for name, reason in added.left_out
    ]
    more = len(left_out) - MOST_NAMED
    text = paragraph(t("{count} files of {name} were stored.", count=added.count, name=added.name))
    if left_out:
        text += paragraph(t("{count} files were left out:", count=len(left_out)), "warning")
        text += bullets(
            [*left_out[:MOST_NAMED], *([t("And {count} more.", count=more)] if more > 0 else [])],
            "warning",
        )
    return text
