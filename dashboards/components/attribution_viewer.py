"""A picture with what is laid over it, and the sound behind it."""

from __future__ import annotations

import param
from panel.custom import JSComponent


class AttributionViewer(JSComponent):
    """One picture, its map, and its sound; parameters from `rendering.viewer.viewer_data`.

    Mode, opacity, swipe, zoom and sound work in the browser without a round trip, and stay as the
    visitor set them when a layer changes. Stages of one `group` share them. With controls and no
    picture at all, a stage is the controls of its group.
    """

    original = param.String(doc="What the network saw: data URL of a PNG, as all pictures here.")
    grey = param.String(doc="The same in grey, under the cover.")
    cover = param.String(doc="The map with its strength as opacity: RGBA.")
    outlines = param.String(doc="Edges of segments, over the cover: RGBA; empty if none.")
    heatmap = param.String(doc="The map alone; empty where nothing has been explained.")
    alt = param.String(doc="What is to be seen, for those who cannot see it.")
    caption = param.String()
    axes = param.Dict(
        default={},
        doc="x and y: {'title': text, 'ticks': [(fraction from the left or bottom, number)]}.",
    )
    scale = param.Dict(
        default={}, doc="{'colours': [CSS], 'ticks': [(fraction, text)], 'title': text}."
    )
    signal = param.Boolean(default=True, doc="Whether the map shows anything.")
    busy = param.Boolean(default=False, doc="Whether the map is a partial one.")
    sound = param.String(doc="Data URL of a WAV, or empty.")
    sound_note = param.String(doc="What to know of the sound before trusting it.")
    span = param.NumericTuple(default=(0.0, 0.0), doc="What the picture shows, in seconds.")
    mode = param.Selector(default="overlay", objects=["original", "overlay", "map", "swipe"])
    opacity = param.Number(default=0.7, bounds=(0, 1), doc="Of the map where it is strongest.")
    controls = param.Boolean(default=True)
    group = param.String(doc="Stages of one group move together.")

    _bundle = "attribution_viewer.js"
    # Panel serves a component's main file and those listed here, each at an address of its own.
    _resources = {"js": ["sound.js", "dom.js"]}  # noqa: RUF012

    def __init__(self, **params: object) -> None:
        super().__init__(**{"sizing_mode": "stretch_width", **params})
