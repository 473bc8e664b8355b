"""The attribution viewer: a picture with its map, and its sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent


class AttributionViewer(JSComponent):
    """One picture, its map, and its sound; parameters from `rendering.viewer.viewer_data`.

    Mode, opacity, swipe, zoom and playback work in the browser without a round trip and are kept
    when a layer changes. Viewers of one `group` share them. A viewer with controls and without a
    picture shows only the controls of its group.
    """

    original = param.String(doc="The input of the network. All pictures are data URLs of PNGs.")
    gray = param.String(doc="The input in gray, shown below the cover.")
    full = param.String(doc="The file's own picture, shown instead of both; empty for none.")
    highlight = param.String(doc="Outlines of what is pointed at, as RGBA; empty for none.")
    cover = param.String(doc="The map as RGBA with its strength as opacity.")
    outlines = param.String(doc="The edges of segments as RGBA, above the cover; empty if none.")
    heatmap = param.String(doc="The map alone; empty without an explanation.")
    alt = param.String(doc="The alternative text of the picture.")
    caption = param.String()
    places = param.List(
        default=[],
        item_type=tuple,
        doc="What is outlined: (number, left, top, width, height), as shares of the picture.",
    )
    note = param.String(doc="A short note on the picture, such as the state of a partial map.")
    axes = param.Dict(
        default={},
        doc="x and y: {'title': text, 'ticks': [(fraction from the left or bottom, number)]}.",
    )
    scale = param.Dict(
        default={}, doc="{'colors': [CSS], 'ticks': [(fraction, text)], 'title': text}."
    )
    signal = param.Boolean(default=True, doc="Whether the map has any signal.")
    busy = param.Boolean(default=False, doc="Whether the map is a preview.")
    dimmed = param.Boolean(default=False, doc="Whether the map is an earlier one.")
    sound = param.String(doc="Data URL of a WAV, or empty.")
    sound_note = param.String(doc="A warning about the sound.")
    span = param.NumericTuple(default=(0.0, 0.0), doc="Start and end of the picture in seconds.")
    mode: param.Selector[str] = param.Selector(
        default="overlay", objects=["original", "overlay", "map", "swipe"]
    )
    opacity = param.Number(default=0.7, bounds=(0, 1), doc="Opacity where the map is strongest.")
    controls = param.Boolean(default=True)
    edited = param.String(doc="The input with parts hidden; shown instead of all else if given.")
    tool = param.String(doc='What the pointer draws: "box", "brush", or "" for nothing.')
    editable = param.Boolean(default=False, doc="Whether there are tools to draw with.")
    shapes = param.List(default=[], doc="What was drawn; see `xai_tf.inputs.hiding.draw_shapes`.")
    fill = param.Boolean(default=False, doc="Whether it fills its place instead of its width.")
    group = param.String(doc="Viewers of one group share mode, opacity, swipe, zoom and time.")

    _bundle = "attribution_viewer.js"
    # Panel serves a component's main file and the files listed here.
    _resources = {"js": ["sound.js", "drawing.js", "dom.js"]}  # noqa: RUF012

    def __init__(self, on_shape: Callable[[object], None] | None = None, **params: object) -> None:
        """`on_shape` is called with each shape that is drawn, as the browser sends it."""
        super().__init__(**{"sizing_mode": "stretch_width", **params})
        self._on_shape = on_shape

    def _handle_msg(self, data: Any) -> None:
        if self._on_shape and isinstance(data, dict) and "shape" in data:
            self._on_shape(data["shape"])
