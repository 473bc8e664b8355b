"""Explanations as pictures: arrays of bytes, and matplotlib figures.

Zero is always in the middle of a signed scale; the scale ends at the 99th percentile of the
absolute value, so that one hot pixel does not darken the rest; no map is stretched to fill it.
The colours can be told apart by the colour-blind, pictures keep their polarity, and a map that
carries no signal is drawn as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample, Sound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNED, UNSIGNED = "RdBu_r", "inferno"
PERCENTILE = 99
OUTLINE = (255, 221, 0)
NO_SIGNAL = (128, 128, 128, 0)
HERTZ_TICKS = (100, 250, 500, 1000, 2000, 3000, 4000, 8000, 16000)


def limit(explanations: Sequence[Explanation]) -> float:
    """Where the scale of one or several maps ends: 99th percentile of their absolute values."""
    return limit_of([explanation.attribution for explanation in explanations])


def limit_of(attributions: Sequence[np.ndarray]) -> float:
    """The same of bare attributions, each of shape (height, width)."""
    maps = [attribution for attribution in attributions if has_signal(attribution)]
    if not maps:
        return 1.0
    strength = np.abs(np.stack(maps))
    # A map that is zero nearly everywhere has its 99th percentile there too.
    return float(np.percentile(strength, PERCENTILE) or strength.max())


def heatmap(explanation: Explanation, end: float | None = None) -> np.ndarray:
    """Draw an explanation: uint8 array of shape (height, width, 3).

    Signed maps run from blue (against) through white (zero) to red (for), others from black to
    yellow. A map without signal is plain grey.

    Args:
        explanation: what to draw.
        end: where the scale ends, in the attribution's unit; the explanation's own `limit` if
            left out. Give the same to maps that are compared.
    """
    return cover(explanation.attribution, explanation.method.signed, end)[..., :3]


def cover(attribution: np.ndarray, signed: bool, end: float | None = None) -> np.ndarray:
    """A bare attribution as colours that cover a picture: uint8 array of shape (height, width, 4).

    The colours are the `heatmap`'s; how much they cover is the strength of the map, from nothing
    where it is zero to all at the end of the scale. Laid over `grey_bytes` with an opacity, and
    `outlines` upon it, it is the `overlay`.
    """
    shades, colours = shaded(attribution, signed, end)
    return colours[shades]


def shaded(
    attribution: np.ndarray, signed: bool, end: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `cover` as shades and their colours, which makes a picture a quarter of the size.

    Returns:
        uint8 array of shape (height, width), the shade of each pixel, and uint8 array of shape
        (256, 4), the red, green, blue and cover of each shade.
    """
    if not has_signal(attribution):
        return np.zeros(attribution.shape, np.uint8), np.full((256, 4), NO_SIGNAL, np.uint8)
    level = np.clip(attribution / (end or limit_of([attribution])), -1 if signed else 0, 1)
    shades = np.minimum(256 * ((level + 1) / 2 if signed else level), 255).astype(np.uint8)
    return shades, _palette(signed)


@cache
def _palette(signed: bool) -> np.ndarray:
    """uint8 array of shape (256, 4): the colours from one end of a scale to the other."""
    colours = colormaps[SIGNED if signed else UNSIGNED](np.arange(256))
    distance = np.arange(256) / 255
    if signed:  # two shades in the middle, on either side of zero, cover nothing
        distance = (np.abs(np.arange(256) - 127.5) - 0.5) / 127
    return np.rint(np.column_stack([colours[:, :3], distance]) * 255).astype(np.uint8)


def overlay(explanation: Explanation, opacity: float = 0.7, end: float | None = None) -> np.ndarray:
    """Lay an explanation over its picture in grey: uint8 array of shape (height, width, 3).

    Args:
        explanation: what to draw.
        opacity: of the map where it is strongest, 0 to 1; it fades to nothing where the map is
            zero.
        end: as in `heatmap`.
    """
    background = grey_bytes(explanation.sample)
    colours = cover(explanation.attribution, explanation.method.signed, end)
    strength = opacity * colours[..., 3:] / 255
    mixed = (1 - strength) * background + strength * colours[..., :3]
    picture = np.rint(mixed).astype(np.uint8)
    return outlined(picture, explanation.segments) if explanation.segments is not None else picture


def outlines(segments: np.ndarray) -> np.ndarray:
    """The outlines of segments as a layer of their own: uint8 array of shape (height, width, 4)."""
    return np.where(_edges(segments)[..., None], (*OUTLINE, 128), (0, 0, 0, 0)).astype(np.uint8)


def outlined(picture: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Draw the outlines of segments into a picture: uint8 array of shape (height, width, 3)."""
    edges = _edges(segments)
    drawn = picture.copy()
    drawn[edges] = (0.5 * drawn[edges] + 0.5 * np.array(OUTLINE)).astype(np.uint8)
    return drawn


def image_bytes(sample: Sample) -> np.ndarray:
    """What the network saw: uint8 array of shape (height, width, 3)."""
    return np.rint(np.clip(sample.image, 0, 1) * 255).astype(np.uint8)


def grey_bytes(sample: Sample) -> np.ndarray:
    """The same without colour, in its natural polarity; a background for a coloured map."""
    grey = np.clip(sample.image, 0, 1) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat(np.rint(grey * 255).astype(np.uint8)[..., None], 3, axis=-1)


def figure(explanation: Explanation, opacity: float = 0.7, mark: str = "") -> Figure:
    """One explanation: what the network saw, the map with its scale, and the map laid over it.

    `opacity` is as in `overlay`; `mark` that of the reading, which says what is to be doubted.
    """
    end = limit([explanation])
    plot = _figure(3, 1)
    axes = plot.subplots(1, 3)
    _show(axes[0], image_bytes(explanation.sample), explanation.sample, "What the network saw")
    _show(axes[1], heatmap(explanation, end), explanation.sample, _map_title(explanation))
    _scale(plot, axes[1], explanation, end)
    over = overlay(explanation, opacity, end)
    _show(axes[2], over, explanation.sample, f"Laid over, opacity {opacity:.0%}")
    _headline(plot, headline(explanation, mark))
    return plot


def comparison(
    explanations: Sequence[Explanation],
    shared_scale: bool = False,
    opacity: float = 0.7,
    mark: str = "",
) -> Figure:
    """Several explanations of one sample: the picture, then each map over it.

    Args:
        explanations: of one sample.
        shared_scale: whether maps of one method, which have one unit, are drawn on one scale, as
            those of several layers; else each has its own.
        opacity, mark: as in `figure`.
    """
    columns = min(4, len(explanations) + 1)
    rows = -(-(len(explanations) + 1) // columns)
    plot = _figure(columns, rows)
    axes = np.atleast_1d(plot.subplots(rows, columns)).ravel()
    sample = explanations[0].sample
    _show(axes[0], image_bytes(sample), sample, "What the network saw")
    for ax, explanation in zip(axes[1:], explanations, strict=False):
        alike = [e for e in explanations if e.method is explanation.method]
        end = limit(alike if shared_scale else [explanation])
        title = explanation.method.title
        title += f"\n{explanation.layer}" if explanation.layer else ""
        _show(ax, overlay(explanation, opacity, end), sample, title)
        _scale(plot, ax, explanation, end)
    for ax in axes[len(explanations) + 1 :]:
        ax.axis("off")
    _headline(plot, headline(explanations[0], mark))
    return plot


def timeline(reading: Reading) -> Figure:
    """A long recording: its spectrogram, and what is said of each window over time."""
    plot = _figure(3, 1.4)
    upper, lower = plot.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for sample in reading.samples:
        sound = sample.sound
        upper.pcolormesh(sound.seconds, sound.hertz, sound.decibels, cmap="magma", shading="auto")
    upper.set_ylabel("Hz", fontsize=8)
    middles = [float(sample.sound.seconds.mean()) for sample in reading.samples]
    for label, name in enumerate(reading.prediction.classes):
        chances = [prediction.probabilities[label] for prediction in reading.predictions]
        lower.plot(middles, chances, marker="o", label=name)
    lower.set(ylim=(0, 1), ylabel="probability", xlabel="seconds (middle of the window)")
    lower.axhline(0.5, color="grey", linewidth=0.5)
    for text in lower.legend(fontsize=8).get_texts():
        text.set_parse_math(False)
    whole = reading.prediction
    _headline(
        plot,
        f"{reading.source.name}: {whole.name} ({whole.probabilities[whole.label]:.1%}), "
        f"the mean of {len(reading.samples)} windows",
    )
    return plot


def headline(explanation: Explanation, mark: str = "") -> str:
    """The prediction and what is explained, in a line; of a sound, with the seconds it is about.

    `mark`, where there is one, follows in a second.
    """
    prediction, sample = explanation.prediction, explanation.sample
    name, chance = sample.source.name, prediction.probabilities[prediction.label]
    if sample.sound is not None:
        name += f", {sample.sound.seconds[0]:.2f} to {sample.sound.seconds[-1]:.2f} s"
    told = f"{name}: {prediction.name} ({chance:.1%}) - why {explanation.target_name}?"
    return f"{told}\n{mark}" if mark else told


def hertz_ticks(sound: Sound) -> list[tuple[float, str]]:
    """Marks along a spectrogram's height: (share of the height from the bottom, Hz)."""
    inside = [hertz for hertz in HERTZ_TICKS if sound.hertz[0] <= hertz <= sound.hertz[-1]]
    bands = np.interp(inside, sound.hertz, np.arange(len(sound.hertz)) + 0.5)
    return [
        (float(band / len(sound.hertz)), f"{hertz:g}")
        for hertz, band in zip(inside, bands, strict=True)
    ]


def second_ticks(sound: Sound) -> list[tuple[float, str]]:
    """Marks along a spectrogram's width: (share of the width from the left, seconds)."""
    start, end = sound.seconds[0], sound.seconds[-1]
    return [(share, f"{start + (end - start) * share:.2f}") for share in (0, 0.25, 0.5, 0.75, 1)]


def _edges(segments: np.ndarray) -> np.ndarray:
    """Where a segment begins: boolean array of shape (height, width)."""
    edges = np.zeros(segments.shape, bool)
    edges[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    edges[1:] |= segments[1:] != segments[:-1]
    return edges


def _figure(columns: int, rows: int) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(3.6 * columns, 3.3 * rows + 0.4), dpi=100, layout="constrained")


def _headline(plot: Figure, text: str) -> None:
    # Names of files and classes are no formulas, though they may hold dollar signs.
    plot.suptitle(text, fontsize=11, parse_math=False)


def _show(ax: Axes, picture: np.ndarray, sample: Sample, title: str) -> None:
    ax.set_title(title, fontsize=9, parse_math=False)
    height, width = picture.shape[:2]
    ax.imshow(picture, extent=(0, width, height, 0), interpolation="nearest")
    if sample.sound is None:
        ax.set_xticks([])
        ax.set_yticks([])
        return
    heights, hertz = zip(*hertz_ticks(sample.sound), strict=True)
    ax.set_yticks([height * (1 - share) for share in heights], hertz, fontsize=7)
    widths, seconds = zip(*second_ticks(sample.sound), strict=True)
    ax.set_xticks([width * share for share in widths], seconds, fontsize=7)
    ax.set_xlabel("seconds", fontsize=7)
    ax.set_ylabel("Hz", fontsize=7)


def _scale(plot: Figure, ax: Axes, explanation: Explanation, end: float) -> None:
    """A colour bar; a map without signal gets the words instead."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not has_signal(explanation.attribution):
        ax.text(
            0.5,
            0.5,
            "no signal",
            transform=ax.transAxes,
            ha="center",
            va="center",
            color="white",
            fontsize=13,
            bbox={"facecolor": "black", "alpha": 0.6},
        )
        return
    signed = explanation.method.signed
    scale = ScalarMappable(Normalize(-end if signed else 0, end), SIGNED if signed else UNSIGNED)
    bar = plot.colorbar(scale, ax=ax, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    label = "against  0  for" if signed else "strength"
    bar.set_label(label, fontsize=7)


def _map_title(explanation: Explanation) -> str:
    where = f", layer {explanation.layer}" if explanation.layer else ""
    return f"{explanation.method.title}{where}"
