"""The mean map of a cell of the confusion matrix."""

from __future__ import annotations

from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.progress import Progress
from dashboards.language import library_text, t
from dashboards.state.errors_maps import CellMap
from dashboards.state.progress import duration
from dashboards.views.text import heading, paragraph
from dashboards.views.theme import stop_button, words
from xai_tf.classifiers.class_names import readable
from xai_tf.evaluation.mean_map import CAVEAT, MeanMap
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url

STYLE = """<style>
.means { display: flex; flex-wrap: wrap; gap: 12px; }
.means figure { margin: 0; width: 180px; }
.means img { width: 100%; display: block; border-radius: 4px; }
.means figcaption { font-size: 0.8rem; }
</style>"""


class CellMapView(pn.viewable.Viewer):
    """The mean map of the files in the chosen cell, over the mean of their pictures."""

    cell_map = param.ClassSelector(class_=CellMap)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        cell_map = self.cell_map
        self._run = pmui.Button(label="", icon="layers", variant="outlined", size="small")
        self._stop = stop_button()
        self._bar = Progress(label=t("Files explained"))
        self._text = words("")
        self._box = pn.Column(
            self._text,
            pn.FlexBox(self._run, self._stop, gap="8px"),
            self._bar,
            sizing_mode="stretch_width",
            visible=False,
        )
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: cell_map.stop())
        cell_map.param.watch(
            self._draw, ["result", "count", "seconds", "running", "done", "problem"]
        )
        self._draw()

    async def _start(self, _: Any) -> None:
        await self.cell_map.run()

    def _draw(self, *_: Any) -> None:
        cell_map = self.cell_map
        self._box.visible = cell_map.count > 0
        self._run.visible = not cell_map.running and cell_map.result is None
        self._run.label = t(
            "Compute the mean map of this cell ({time})", time=duration(cell_map.seconds)
        )
        self._stop.visible = self._bar.visible = cell_map.running
        self._bar.value = cell_map.done / cell_map.count if cell_map.count else -1.0
        self._text.object = paragraph(cell_map.problem, "error") + (
            _described(cell_map.result) if cell_map.result is not None else ""
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self._box


def _described(mean: MeanMap) -> str:
    """The mean picture and the mean map, with what they are made of."""
    over = heatmaps.blended(mean.picture, mean.attribution, mean.method.signed)
    name = readable(mean.target_name)
    pictures = (
        (t("Mean of the pictures"), heatmaps.bytes_of(mean.picture)),
        (t("Mean map for {name}", name=name), over),
    )
    figures = "".join(_figure(caption, picture_url(picture)) for caption, picture in pictures)
    text = t(
        "{method} for {name}, mean over n = {count} files of this cell, each map scaled to its own "
        "maximum.",
        method=mean.method.title,
        name=name,
        count=mean.count,
    )
    empty = t("The maps of {count} files are empty.", count=mean.num_empty)
    return (
        heading(t("Mean map of this cell"), 3)
        + STYLE
        + f'<div class="means">{figures}</div>'
        + paragraph(text)
        + paragraph(empty if mean.num_empty else "", "warning")
        + paragraph(library_text(CAVEAT), "note")
    )


def _figure(caption: str, url: str) -> str:
    return f'<figure><img alt="" src="{url}"><figcaption>{escape(caption)}</figcaption></figure>'
