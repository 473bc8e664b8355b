"""Pictures and maps on a page: with axes, scale, and words for those who see none."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from itertools import zip_longest
from typing import Any

import numpy as np

from xai_tf.agreement.agreement import consensus
from xai_tf.attribution.explanation import Explanation
from xai_tf.inputs.sample import Sample
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url, sample_viewer_data, viewer_data

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
.plates { display: grid; gap: .8rem 1.4rem; align-items: start; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); }
.plate { margin: 0; max-width: 24rem; }
.plate figcaption { margin: 0 0 .3rem; }
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
  figure, .plates, tr { break-inside: avoid; }
  audio, nav { display: none; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""


def sample_panel(sample: Sample) -> str:
    """What the network saw, with the axes of a sound."""
    stage = sample_viewer_data(sample)
    return f'<div class="plates">{_plate(stage["original"], stage, stage["caption"])}</div>'


def explanation_panels(explanation: Explanation, opacity: float) -> str:
    """An explanation: the picture, the map laid over it, and the map alone with its scale."""
    stage, bare = viewer_data(explanation), sample_viewer_data(explanation.sample)
    over = picture_url(heatmaps.overlay(explanation, opacity))
    return (
        f'<div class="plates">{_plate(bare["original"], bare, bare["caption"])}'
        f"{_plate(over, stage, f'Laid over, opacity {opacity:.0%}')}"
        f"{_plate(stage['heatmap'], stage, 'The map', _scale(stage['scale']))}</div>"
    )


def agreement_panels(maps: Sequence[Explanation], conflict: np.ndarray) -> str:
    """What maps of one question have in common, and where they conflict.

    Args:
        maps: explanations of one sample, at least two.
        conflict: float array of shape (height, width) in [0, 1].
    """
    stage, asked = sample_viewer_data(maps[0].sample), maps[0].target_name
    levels = {
        f"In common of {len(maps)} maps: why {asked}?": consensus(maps),
        f"Conflict of {len(maps)} maps: why {asked}?": conflict,
    }
    drawn = []
    for text, level in levels.items():
        url = picture_url(heatmaps.cover(level, signed=False, end=1.0)[..., :3])
        drawn.append(_plate(url, {**stage, "alt": text}, text))
    return f'<div class="plates">{"".join(drawn)}</div>'


def small_picture(sample: Sample, alt: str, caption: str) -> str:
    """What the network saw, small, to be laid beside others."""
    url = picture_url(heatmaps.image_bytes(sample))
    return (
        f'<figure class="small"><img alt="{escape(alt)}" src="{url}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def panel_row(
    maps: Sequence[Explanation],
    opacity: float,
    captions: Sequence[str] | None = None,
    ends: Sequence[float | None] | None = None,
) -> str:
    """Several explanations of one sample side by side: the picture once, then each laid over it.

    Args:
        maps: explanations of one sample.
        opacity: of the maps.
        captions: one a map; the method and the class if left out.
        ends: where the scale of each ends, the same for maps on one scale; its own if left out.
    """
    bare = sample_viewer_data(maps[0].sample)
    drawn = ""
    for explanation, caption, end in zip_longest(maps, captions or (), ends or ()):
        stage = viewer_data(explanation, end)
        over = picture_url(heatmaps.overlay(explanation, opacity, end))
        drawn += _plate(over, stage, caption or stage["caption"], _scale(stage["scale"]))
    return f'<div class="plates">{_plate(bare["original"], bare, bare["caption"])}{drawn}</div>'


def player(sample: Sample) -> str:
    """The sound of a window, to listen to; empty where there is none."""
    stage = sample_viewer_data(sample)
    if not stage["sound"]:
        return ""
    first, last = stage["span"]
    label = f"Sound from {first:.2f} to {last:.2f} seconds"
    return (
        f"<p>{label}. {escape(stage['sound_note'])}</p>"
        f'<audio controls aria-label="{label}" src="{stage["sound"]}"></audio>'
    )


def chart(png: bytes, alt: str, caption: str) -> str:
    """A figure of matplotlib, which scrolls by itself on a narrow screen."""
    data = base64.b64encode(png).decode()
    return (
        '<figure class="chart"><div class="scroll wide" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}"><img alt="{escape(alt)}" '
        f'src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _plate(url: str, stage: Mapping[str, Any], caption: str, below: str = "") -> str:
    """A picture with the axes and the alt text of its stage."""
    upright, level = _axes(stage["axes"]) if stage["axes"] else ("", "")
    return (
        f'<figure class="plate"><figcaption>{escape(caption)}</figcaption><div class="framed">'
        f'{upright}<img alt="{escape(stage["alt"])}" src="{url}">{level}{below}</div></figure>'
    )


def _axes(axes: Mapping[str, Any]) -> tuple[str, str]:
    """Ticks beside and below a spectrogram."""
    boxes = [
        f'<div class="{look}" aria-hidden="true">'
        + "".join(f'<span style="{side}:{at:.2%}">{label}</span>' for at, label in axis["ticks"])
        + f"<b>{axis['title']}</b></div>"
        for look, side, axis in (("upright", "bottom", axes["y"]), ("level", "left", axes["x"]))
    ]
    return boxes[0], boxes[1]


def _scale(scale: Mapping[str, Any]) -> str:
    """The colours of a map with their numbers; the words where it carries no signal."""
    if not scale:
        return '<div class="scale">No signal: there is no map to draw.</div>'
    gradient = f"linear-gradient(to right, {', '.join(scale['colours'])})"
    numbers = "".join(f"<span>{label}</span>" for _, label in scale["ticks"])
    return (
        f'<div class="scale"><i style="background:{gradient}"></i>{numbers}'
        f"<em>{scale['title']}</em></div>"
    )
