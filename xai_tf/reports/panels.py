"""Images and maps on a page, with axes, scale and text alternatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from xai_tf.agreement.agreement import NO_CONSENSUS, agree_beyond_chance, consensus
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.class_names import readable
from xai_tf.inputs.sample import Sample
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url, sample_viewer_data, viewer_data
from xai_tf.reports.html import data_url, figure, image, paragraph, scrolling

STYLE = """
h4 { font-size: 1.02rem; margin: 1.6rem 0 .3rem; }
header p { margin: .4rem 0; }
nav a, h2, h4, summary { overflow-wrap: anywhere; }
nav a, .chances { max-width: 100%; }
.chances { width: 40rem; table-layout: fixed; }
.chances th { white-space: normal; overflow-wrap: anywhere; }
.chances tbody th { font-weight: 400; }
.chances td:last-child { width: 42%; }
.chances .number { width: 6.5rem; overflow-wrap: normal; }
.bar { display: block; height: .8rem; margin-top: .35rem; min-width: 1px;
  background: var(--blue); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.panels { display: grid; gap: .8rem 1.4rem; align-items: start; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); }
.panel { margin: 0; max-width: 24rem; }
.panel figcaption { margin: 0 0 .3rem; }
.smalls { display: flex; flex-wrap: wrap; gap: .8rem 1rem; }
.small { margin: 0; width: 9rem; }
.small img { width: 100%; image-rendering: auto; }
.framed { display: grid; grid-template-columns: auto 1fr; }
.framed img { display: block; width: 100%; height: auto; grid-column: 2; }
.upright, .level { position: relative; font-size: .75rem; color: var(--soft); }
.upright { width: 2.4rem; }
.upright span { position: absolute; right: .3rem; transform: translateY(50%); }
.upright b { position: absolute; right: .3rem; bottom: -2.2rem; font-weight: 400; }
.level { grid-column: 2; height: 2.3rem; }
.level span { position: absolute; top: .1rem; transform: translateX(-50%); }
.level span:first-child { transform: none; }
.level span:nth-last-child(2) { transform: translateX(-100%); }
.level b { position: absolute; left: 50%; top: 1.1rem; transform: translateX(-50%);
  font-weight: 400; }
.scale { grid-column: 2; display: flex; flex-wrap: wrap; justify-content: space-between;
  font-size: .8rem; color: var(--soft); margin-top: .4rem; }
.scale i { width: 100%; height: .8rem; border: 1px solid var(--line);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.scale em { width: 100%; text-align: center; font-style: normal; }
.chart img { background: white; width: 100%; max-width: 66rem; }
audio { width: 100%; max-width: 26rem; display: block; margin: .6rem 0; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --ink: #e6eaef; --soft: #a9b4c0; --line: #3a434e; --blue: #7cc0f0;
    --paper: #1b2128; }
  body { background: #12161b; }
  .warning { background: #33270f; border-color: #d9902f; }
  tbody tr:hover { background: #232c36; }
}
@media print {
  section { border: 0; padding: 0; }
  section + section { break-before: page; }
  figure, .panels, tr { break-inside: avoid; }
  audio, nav { display: none; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""


def sample_panel(sample: Sample) -> str:
    """The model input, with axes if it is a sound."""
    return _panels(_input_panel(sample))


def explanation_panels(explanation: Explanation, opacity: float) -> str:
    """An explanation: the input, the overlay, and the map alone with its scale."""
    shown = viewer_data(explanation)
    over = picture_url(heatmaps.overlay(explanation, opacity))
    return _panels(
        _input_panel(explanation.sample),
        _panel(over, shown, f"Overlay, opacity {opacity:.0%}"),
        _panel(shown["heatmap"], shown, "Map", _scale(shown["scale"])),
    )


def agreement_panels(maps: Sequence[Explanation], disagreement: np.ndarray) -> str:
    """The consensus of maps that answer one question, if any, and where they disagree.

    Args:
        maps: explanations of one sample, at least two.
        disagreement: float array of shape (height, width) in [0, 1].
    """
    shown, target = sample_viewer_data(maps[0].sample), readable(maps[0].target_name)
    levels = {f"Disagreement of {len(maps)} maps: why {target}?": disagreement}
    agreed = agree_beyond_chance(maps)
    if agreed:
        levels = {f"Consensus of {len(maps)} maps: why {target}?": consensus(maps), **levels}
    panels = []
    for text, level in levels.items():
        url = picture_url(heatmaps.cover(level, signed=False, end=1.0)[..., :3])
        panels.append(_panel(url, {**shown, "alt": text}, text))
    return ("" if agreed else paragraph(NO_CONSENSUS, "soft")) + _panels(*panels)


def small_picture(sample: Sample, alt: str, caption: str) -> str:
    """The model input as a small figure, to be shown next to others."""
    return figure(image(picture_url(heatmaps.image_bytes(sample)), alt), caption, "small")


def panel_row(
    maps: Sequence[Explanation],
    opacity: float,
    captions: Sequence[str] | None = None,
    ends: Sequence[float | None] | None = None,
    marked: np.ndarray | None = None,
) -> str:
    """Several explanations of one sample side by side: the input once, then each overlay.

    Args:
        maps: explanations of one sample.
        opacity: opacity of the maps.
        captions: one per map; the method and the class if left out.
        ends: end of the scale of each map, the same for maps on one scale; its own if left out.
        marked: bool array of the size of the maps, whose outline is drawn into all pictures.
    """
    panels = [_input_panel(maps[0].sample, marked)]
    for explanation, caption, end in zip_longest(maps, captions or (), ends or ()):
        shown = viewer_data(explanation, end)
        over = picture_url(_with_outline(heatmaps.overlay(explanation, opacity, end), marked))
        panels.append(_panel(over, shown, caption or shown["caption"], _scale(shown["scale"])))
    return _panels(*panels)


def player(sample: Sample) -> str:
    """An audio player for the sound of a window; empty if there is none."""
    shown = sample_viewer_data(sample)
    if not shown["sound"]:
        return ""
    start, end = shown["span"]
    label = f"Sound from {start:.2f} to {end:.2f} seconds"
    return (
        paragraph(f"{label}. {shown['sound_note']}")
        + f'<audio controls aria-label="{label}" src="{shown["sound"]}"></audio>'
    )


def chart(png: bytes, alt: str, caption: str) -> str:
    """A matplotlib figure, which scrolls on its own on a narrow screen."""
    content = scrolling(caption, image(data_url(png, "image/png"), alt), "scroll wide")
    return figure(content, caption, "chart")


def _panels(*panels: str) -> str:
    return f'<div class="panels">{"".join(panels)}</div>'


def _input_panel(sample: Sample, marked: np.ndarray | None = None) -> str:
    shown = sample_viewer_data(sample)
    if marked is None:
        return _panel(shown["original"], shown, shown["caption"])
    url = picture_url(_with_outline(heatmaps.image_bytes(sample), marked))
    return _panel(url, shown, f"{shown['caption']}, with what people marked")


def _with_outline(picture: np.ndarray, marked: np.ndarray | None) -> np.ndarray:
    return picture if marked is None else heatmaps.outlined(picture, marked.astype(int))


def _panel(url: str, shown: Mapping[str, Any], caption: str, below: str = "") -> str:
    """An image with the axes and the text alternative of the viewer's data."""
    upright, level = _axes(shown["axes"]) if shown["axes"] else ("", "")
    content = f'<div class="framed">{upright}{image(url, shown["alt"])}{level}{below}</div>'
    return figure(content, caption, "panel", caption_first=True)


def _axes(axes: Mapping[str, Any]) -> tuple[str, str]:
    """Ticks to the left of and below a spectrogram."""
    boxes = [
        f'<div class="{look}" aria-hidden="true">'
        + "".join(f'<span style="{side}:{at:.2%}">{label}</span>' for at, label in axis["ticks"])
        + f"<b>{axis['title']}</b></div>"
        for look, side, axis in (("upright", "bottom", axes["y"]), ("level", "left", axes["x"]))
    ]
    return boxes[0], boxes[1]


def _scale(scale: Mapping[str, Any]) -> str:
    """The color scale of a map, or a note if the map has no signal."""
    if not scale:
        return '<div class="scale">No signal.</div>'
    gradient = f"linear-gradient(to right, {', '.join(scale['colors'])})"
    numbers = "".join(f"<span>{label}</span>" for _, label in scale["ticks"])
    return (
        f'<div class="scale"><i style="background:{gradient}"></i>{numbers}'
        f"<em>{scale['title']}</em></div>"
    )
