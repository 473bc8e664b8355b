"""Training samples beside a mistake: what was learned that looks like it."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.progress import Progress
from dashboards.state.neighbors import NeighborSearch, Shown
from dashboards.state.progress import about
from dashboards.views.text import heading, paragraph
from dashboards.views.theme import stop_button, words

TILES = """<style>
.tiles { display: flex; flex-wrap: wrap; gap: 12px; }
.tiles figure { margin: 0; width: 132px; }
.tiles img { width: 100%; display: block; border-radius: 4px; }
.tiles figcaption { font-size: 0.8rem; overflow-wrap: anywhere; }
</style>"""


class SimilarView(pn.viewable.Viewer):
    """Asks for the training samples most similar to the mistake, and shows them."""

    similar = param.ClassSelector(class_=NeighborSearch)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        similar = self.similar
        self._seek = pmui.Button(
            label="Find similar training samples", icon="search", variant="outlined", size="small"
        )
        self._stop = stop_button()
        self._bar = Progress(label="Training files looked at", visible=False)
        self._said = words("")
        self._seek.on_click(self._start)
        self._stop.on_click(lambda _: similar.stop())
        similar.param.watch(
            self._draw, ["training", "found", "seeking", "done", "total", "problem"]
        )
        self._draw()

    async def _start(self, _: Any) -> None:
        await self.similar.seek()

    def _draw(self, *_: Any) -> None:
        similar = self.similar
        known = similar.training is not None
        self._seek.visible = known and not similar.seeking and not similar.found
        if known:
            files = f"{similar.training.count} files: {about(similar.seconds)}, and reading them"
            self._seek.label = f"Find similar training samples ({files})"
        self._stop.visible = self._bar.visible = similar.seeking
        self._bar.value = similar.done / similar.total if similar.total else -1
        self._said.object = paragraph(similar.problem, "error") + _tiles(similar.found)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.FlexBox(self._seek, self._stop, gap="8px"),
            self._bar,
            self._said,
            sizing_mode="stretch_width",
        )


def _tiles(found: list[Shown]) -> str:
    """The samples as small pictures, the nearest first, with what they are."""
    if not found:
        return ""
    names = Counter(shown.class_name for shown in found)
    counts = ", ".join(f"{count} {name}" for name, count in names.most_common())
    told = paragraph(f"Of the {len(found)} nearest: {counts}.", "note")
    if any(shown.similar.same_file for shown in found):
        told += paragraph("This very file is among the training files.", "warning")
    figures = "".join(map(_tile, found))
    return (
        f"{heading('Most similar training samples', 3)}{told}{TILES}"
        f'<div class="tiles">{figures}</div>'
    )


def _tile(shown: Shown) -> str:
    sample = shown.similar.sample
    name = f"{shown.class_name}: {sample.path.name}, distance {shown.similar.distance:.2f}"
    picture = (
        paragraph(shown.picture, "note")
        if isinstance(shown.picture, str)
        else (
            f'<img alt="A training sample of {escape(shown.class_name)}" '
            f'src="data:image/jpeg;base64,{base64.b64encode(shown.picture).decode()}">'
        )
    )
    return f"<figure>{picture}<figcaption>{escape(name)}</figcaption></figure>"
