"""The training samples most similar to a mistake."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.progress import Progress
from dashboards.language import number, t
from dashboards.state.neighbors import NeighborSearch, NeighborTile
from dashboards.state.progress import about
from dashboards.views.text import heading, paragraph
from dashboards.views.theme import stop_button, words
from xai_tf.classifiers.class_names import readable

TILES = """<style>
.tiles { display: flex; flex-wrap: wrap; gap: 12px; }
.tiles figure { margin: 0; width: 132px; }
.tiles img { width: 100%; display: block; border-radius: 4px; }
.tiles figcaption { font-size: 0.8rem; overflow-wrap: anywhere; }
</style>"""


class NeighborsView(pn.viewable.Viewer):
    """Starts the search for similar training samples and shows its results."""

    search = param.ClassSelector(class_=NeighborSearch)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        search = self.search
        self._run = pmui.Button(
            label=t("Find similar training samples"),
            icon="search",
            variant="outlined",
            size="small",
        )
        self._stop = stop_button()
        self._bar = Progress(label=t("Training files processed"), visible=False)
        self._text = words("")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: search.stop())
        search.param.watch(
            self._draw, ["training", "results", "searching", "done", "total", "problem"]
        )
        self._draw()

    async def _start(self, _: Any) -> None:
        await self.search.search()

    def _draw(self, *_: Any) -> None:
        search, training = self.search, self.search.training
        self._run.visible = training is not None and not search.searching and not search.results
        if training is not None:
            self._run.label = t(
                "Find similar training samples ({count} files: {time}, plus the time to read them)",
                count=training.count,
                time=about(search.seconds),
            )
        self._stop.visible = self._bar.visible = search.searching
        self._bar.value = search.done / search.total if search.total else -1
        self._text.object = paragraph(search.problem, "error") + _tiles(search.results)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.FlexBox(self._run, self._stop, gap="8px"),
            self._bar,
            self._text,
            sizing_mode="stretch_width",
        )


def _tiles(tiles: list[NeighborTile]) -> str:
    """The samples as captioned pictures, the nearest first."""
    if not tiles:
        return ""
    names = Counter(tile.class_name for tile in tiles)
    counts = ", ".join(f"{count} {readable(name)}" for name, count in names.most_common())
    text = t("Classes of the {count} nearest samples: {counts}.", count=len(tiles), counts=counts)
    notes = paragraph(text, "note")
    if any(tile.neighbor.same_file for tile in tiles):
        notes += paragraph(t("This file itself is among the training files."), "warning")
    figures = "".join(map(_figure, tiles))
    return (
        f"{heading(t('Most similar training samples'), 3)}{notes}{TILES}"
        f'<div class="tiles">{figures}</div>'
    )


def _figure(tile: NeighborTile) -> str:
    sample = tile.neighbor.sample
    name = readable(tile.class_name)
    caption = t(
        "{name}: {file}, distance {distance}",
        name=name,
        file=sample.path.name,
        distance=number(tile.neighbor.distance, ".2f"),
    )
    picture = (
        paragraph(tile.picture, "note")
        if isinstance(tile.picture, str)
        else (
            f'<img alt="{escape(t("A training sample of class {name}", name=name))}" '
            f'src="data:image/jpeg;base64,{base64.b64encode(tile.picture).decode()}">'
        )
    )
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
