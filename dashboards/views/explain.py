"""The Explain tab on one screen: the answer, the picture, the methods, and a panel beside them."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from dashboards.components.attribution_viewer import AttributionViewer
from dashboards.components.sheet import SheetHandle
from dashboards.language import library_text, t
from dashboards.state.explorer import Explorer
from dashboards.state.what_if import WhatIfEditor
from dashboards.turns import once_a_turn
from dashboards.views.text import paragraph
from dashboards.views.theme import words
from dashboards.views.view import Later, View
from dashboards.views.what_if import what_if_sentence
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.class_names import readable
from xai_tf.rendering.viewer import (
    partial_viewer_data,
    picture_url,
    sample_viewer_data,
    viewer_data,
)

EMPTY = {
    **{"original": "", "gray": "", "cover": "", "outlines": "", "heatmap": "", "scale": {}},
    **{"sound": "", "sound_note": "", "axes": {}, "signal": True, "busy": False},
}
# The page is as high as the window; below 1,000 pixels of width its parts stand in one column.
LAYOUT = """
:host {
  display: grid !important; gap: 8px 12px; box-sizing: border-box;
  grid-template: "strip strip" auto "picture panel" minmax(0, 1fr) "film panel" auto
    / minmax(0, 1fr) minmax(320px, 26rem);
  height: calc(100dvh - 120px) !important; min-height: 34rem; overflow: hidden; padding: 10px 12px;
}
.strip { grid-area: strip; } .picture { grid-area: picture; } .film { grid-area: film; }
.panel { grid-area: panel; }
.strip, .picture, .film, .panel {
  min-width: 0 !important; width: auto !important; margin: 0 !important;
}
.picture, .panel, .strip, .film { min-height: 0 !important; height: auto !important; }
@media (max-width: 1000px) {
  :host {
    grid-template: "strip" auto "picture" auto "film" auto "panel" auto / minmax(0, 1fr);
    height: auto !important; min-height: 0; overflow: visible; padding-bottom: 76px;
  }
  .picture { height: clamp(16rem, calc(100dvh - 545px), calc(100vw + 7rem)) !important; }
}
"""


class PictureView(View):
    """The picture with the map over it, and the sound.

    The last map of a sample stays, dimmed, while another one is made.
    """

    explorer = param.ClassSelector(class_=Explorer)
    editor = param.ClassSelector(class_=WhatIfEditor)
    highlight = param.String(default="", doc="Outlines of what is pointed at, a data URL.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._last: Explanation | None = None
        self._viewer = AttributionViewer(
            self.editor.draw,
            controls=True,
            group="explain",
            visible=False,
            fill=True,
            editable=True,
            margin=0,
            sizing_mode="stretch_both",
        )
        self._empty = words(
            paragraph(t("Drop a file anywhere on this page, or choose a sample."), "invitation")
            + paragraph(
                t(
                    "A photo, an X-ray, an MRI slice or a sound. The page finds the model that "
                    "knows such files, and shows what its answer is based on."
                ),
                "note",
            )
        )
        explorer, workspace = self.explorer, self.explorer.workspace
        workspace.param.watch(self._draw, ["file", "reading", "window", "picture"])
        explorer.param.watch(self._draw, ["explanation", "partial", "previewed", "running"])
        self.param.watch(self._draw, "highlight")
        self._viewer.param.watch(lambda event: setattr(self.editor, "tool", event.new), "tool")
        self.editor.param.watch(self._draw_edits, ["tool", "shapes", "result"])
        self._draw()

    @once_a_turn
    def _draw(self) -> None:
        workspace = self.explorer.workspace
        self._empty.visible = workspace.file is None
        self._viewer.visible = workspace.sample is not None or bool(workspace.picture)
        if self._viewer.visible:
            self._viewer.param.update(
                full=workspace.picture, highlight=self.highlight, **self._layers()
            )

    def _draw_edits(self, *_: Any) -> None:
        editor, result = self.editor, self.editor.result
        self._viewer.param.update(
            tool=editor.tool,
            shapes=[list(shape) for shape in editor.shapes],
            edited=picture_url(result.image) if result else "",
            **({"caption": what_if_sentence(result)} if result else self._layers()),
        )

    def _layers(self) -> dict[str, Any]:
        """The parameters of the viewer."""
        data = self._data()
        return data | {name: library_text(data[name]) for name in ("alt", "sound_note")}

    def _data(self) -> dict[str, Any]:
        """What is shown: a preview, the map, a part of it, or the last one."""
        explorer, sample = self.explorer, self.explorer.workspace.sample
        if sample is None:
            name = explorer.workspace.file.name if explorer.workspace.file else ""
            return {**EMPTY, "alt": name, "caption": name, "note": "", "dimmed": False}
        previewed = explorer.previewed and explorer.cached(explorer.previewed)
        shown, note, dimmed = previewed or explorer.explanation, "", False
        if previewed:
            note = t("Preview: {method}", method=previewed.method.title)
        elif shown is not None:
            self._last = shown
        elif explorer.partial is not None:
            data = partial_viewer_data(sample, METHODS[explorer.method], explorer.partial)
            stopped = {"busy": False, "note": explorer.status} if not explorer.running else {}
            caption = t("{method}, so far", method=METHODS[explorer.method].title)
            return {**data, "caption": caption, "note": "", "dimmed": False, **stopped}
        elif self._last is not None and self._last.sample is sample:
            shown, dimmed = self._last, True
            note = t("Earlier map: {method}", method=shown.method.title)
        if shown is None:
            caption = t("Model input")
            data = sample_viewer_data(sample)
            return {**data, "caption": caption, "note": "", "dimmed": False}
        name = readable(shown.target_name)
        caption = t("{method}: why {name}?", method=shown.method.title, name=name)
        return {**viewer_data(shown), "caption": caption, "note": note, "dimmed": dimmed}

    def layout(self) -> pn.viewable.Viewable:
        """The viewer, or an invitation while there is no file."""
        return pn.Column(
            self._empty, self._viewer, sizing_mode="stretch_both", css_classes=["picture"]
        )


class ExplainPage(View):
    """The Explain tab: a strip above, the picture with its methods, and a panel of tabs.

    Attributes:
        tabs: the titles of the panel's tabs, and what makes the views of each once it is opened.
        footer: what stays visible below the tabs.
    """

    strip = param.Parameter()
    picture = param.Parameter()
    film = param.Parameter()
    tabs = param.Dict(default={})
    footer = param.Parameter()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._panel = SidePanel(tabs=self.tabs, footer=self.footer)

    def open(self, tab: str) -> None:
        """Open a tab of the panel, by its title."""
        self._panel.open(tab)

    def layout(self) -> pn.viewable.Viewable:
        """One screen; on a phone one column, with the panel as a sheet at the bottom."""
        return pn.Column(
            self.strip,
            self.picture,
            self.film,
            self._panel,
            stylesheets=[LAYOUT],
            sizing_mode="stretch_width",
            margin=0,
        )


SHEET = """
:host {
  border: 1px solid color-mix(in srgb, var(--panel-on-surface-color) 22%, transparent);
  border-radius: 8px; background: var(--panel-surface-color); overflow: hidden;
}
@media (max-width: 1000px) {
  :host {
    position: fixed !important; inset: auto 0 0 0; z-index: 1100; border-radius: 12px 12px 0 0;
    height: 70px !important; box-shadow: 0 -4px 16px #0004;
  }
  :host(.open) { height: 78dvh !important; }
  :host(:not(.open)) .footer { display: none !important; }
}
"""
INSIDE = ":host { overflow-y: auto !important; min-height: 0 !important; padding: 0 4px 8px; }"


class SidePanel(View):
    """Tabs beside the picture; on a phone a sheet that opens when a tab is chosen."""

    tabs = param.Dict(default={})
    footer = param.Parameter()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._parts = {
            title: Later(build, sizing_mode="stretch_both", stylesheets=[INSIDE])
            for title, build in self.tabs.items()
        }
        self._tabs = pmui.Tabs(
            *self._parts.items(), dynamic=False, sizing_mode="stretch_both", margin=0
        )
        self._handle = SheetHandle()
        self._tabs.param.watch(self._build, "active")
        self._build()

    def _build(self, *_: Any) -> None:
        list(self._parts.values())[self._tabs.active].fill()

    def open(self, tab: str) -> None:
        """Open a tab, by its title."""
        self._tabs.active = list(self.tabs).index(tab)
        self._handle.opened += 1

    def layout(self) -> pn.viewable.Viewable:
        """The tabs, each of which scrolls by itself."""
        return pn.Column(
            self._handle,
            self._tabs,
            self.footer,
            stylesheets=[SHEET],
            css_classes=["panel"],
            sizing_mode="stretch_both",
            margin=0,
        )
