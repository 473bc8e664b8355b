"""Explanations as pictures: arrays of bytes, and matplotlib figures.

Zero is always in the middle of a signed scale; the scale ends at the 99th percentile of the
absolute value, so that one hot pixel does not darken the rest; no map is stretched to fill it.
The colours can be told apart by the colour-blind, pictures keep their polarity, and a map that
carries no signal is drawn as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from xai_tf.doctor import drawable
from xai_tf.explanation import Explanation
from xai_tf.sample import Sample
from xai_tf.windows import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNED, UNSIGNED = "RdBu_r", "inferno"
PERCENTILE = 99
OUTLINE = (255, 221, 0)
HERTZ_TICKS = (100, 250, 500, 1000, 2000, 3000, 4000, 8000, 16000)


def limit(explanations: Sequence[Explanation]) -> float:
    """Where the scale of one or several maps ends: 99th percentile of their absolute values."""
    maps = [e.attribution for e in explanations if drawable(e.attribution)]
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
    if not drawable(explanation.attribution):
        return np.full((*explanation.attribution.shape, 3), 128, np.uint8)
    level = _level(explanation, end)
    signed = explanation.method.signed
    colours = colormaps[SIGNED]((level + 1) / 2) if signed else colormaps[UNSIGNED](level)
    return np.rint(colours[..., :3] * 255).astype(np.uint8)


def overlay(explanation: Explanation, opacity: float = 0.7, end: float | None = None) -> np.ndarray:
    """Lay an explanation over its picture in grey: uint8 array of shape (height, width, 3).

    Args:
        explanation: what to draw.
        opacity: of the map where it is strongest, 0 to 1; it fades to nothing where the map is
            zero.
        end: as in `heatmap`.
    """
    background = grey_bytes(explanation.sample)
    if not drawable(explanation.attribution):
        return background
    cover = opacity * np.abs(_level(explanation, end))[..., None]
    mixed = (1 - cover) * background + cover * heatmap(explanation, end)
    picture = np.rint(mixed).astype(np.uint8)
    return outlined(picture, explanation.segments) if explanation.segments is not None else picture


def outlined(picture: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Draw the outlines of segments into a picture: uint8 array of shape (height, width, 3)."""
    edges = np.zeros(segments.shape, bool)
    edges[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    edges[1:] |= segments[1:] != segments[:-1]
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


def figure(explanation: Explanation, opacity: float = 0.7) -> Figure:
    """One explanation: what the network saw, the map with its scale, and the map laid over it."""
    end = limit([explanation])
    plot = _figure(3, 1)
    axes = plot.subplots(1, 3)
    _show(axes[0], image_bytes(explanation.sample), explanation.sample, "What the network saw")
    _show(axes[1], heatmap(explanation, end), explanation.sample, _map_title(explanation))
    _scale(plot, axes[1], explanation, end)
    over = overlay(explanation, opacity, end)
    _show(axes[2], over, explanation.sample, f"Laid over, opacity {opacity:.0%}")
    plot.suptitle(headline(explanation), fontsize=11)
    return plot


def comparison(
    explanations: Sequence[Explanation], shared_scale: bool = False, opacity: float = 0.7
) -> Figure:
    """Several explanations of one sample: the picture, then each map over it.

    Args:
        explanations: of one sample.
        shared_scale: whether maps of one method, which have one unit, are drawn on one scale, as
            those of several layers; else each has its own.
        opacity: as in `overlay`.
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
    plot.suptitle(headline(explanations[0]), fontsize=11)
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
    lower.legend(fontsize=8)
    whole = reading.prediction
    plot.suptitle(
        f"{reading.source.name}: {whole.name} ({whole.probabilities[whole.label]:.1%}), "
        f"the mean of {len(reading.samples)} windows",
        fontsize=11,
    )
    return plot


def headline(explanation: Explanation) -> str:
    """The prediction and what is explained, in a line; of a sound, with the seconds it is about."""
    prediction, sample = explanation.prediction, explanation.sample
    name, chance = sample.source.name, prediction.probabilities[prediction.label]
    if sample.sound is not None:
        name += f", {sample.sound.seconds[0]:.2f} to {sample.sound.seconds[-1]:.2f} s"
    return f"{name}: {prediction.name} ({chance:.1%}) - why {explanation.target_name}?"


def _level(explanation: Explanation, end: float | None) -> np.ndarray:
    """The attribution relative to the end of its scale: in [-1, 1], or [0, 1] if unsigned."""
    low = -1 if explanation.method.signed else 0
    return np.clip(explanation.attribution / (end or limit([explanation])), low, 1)


def _figure(columns: int, rows: int) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(3.6 * columns, 3.3 * rows + 0.4), dpi=100, layout="constrained")


def _show(ax: Axes, picture: np.ndarray, sample: Sample, title: str) -> None:
    ax.set_title(title, fontsize=9)
    height, width = picture.shape[:2]
    ax.imshow(picture, extent=(0, width, height, 0), interpolation="nearest")
    if sample.sound is None:
        ax.set_xticks([])
        ax.set_yticks([])
        return
    sound = sample.sound
    heights = np.interp(HERTZ_TICKS, sound.hertz, np.arange(len(sound.hertz)) + 0.5)
    inside = (np.array(HERTZ_TICKS) >= sound.hertz[0]) & (np.array(HERTZ_TICKS) <= sound.hertz[-1])
    ax.set_yticks(
        height * (1 - heights[inside] / len(sound.hertz)),
        [f"{hertz:g}" for hertz in np.array(HERTZ_TICKS)[inside]],
        fontsize=7,
    )
    span = sound.seconds[-1] - sound.seconds[0]
    ticks = np.linspace(0, 1, 5)
    ax.set_xticks(
        width * ticks, [f"{sound.seconds[0] + span * tick:.2f}" for tick in ticks], fontsize=7
    )
    ax.set_xlabel("seconds", fontsize=7)
    ax.set_ylabel("Hz", fontsize=7)


def _scale(plot: Figure, ax: Axes, explanation: Explanation, end: float) -> None:
    """A colour bar; a map without signal gets the words instead."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not drawable(explanation.attribution):
        ax.text(0.5, 0.5, "no signal", transform=ax.transAxes, ha="center", va="center",
                color="white", fontsize=13, bbox={"facecolor": "black", "alpha": 0.6})  # fmt: skip
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
