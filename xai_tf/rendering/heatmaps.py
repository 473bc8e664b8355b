"""Explanations as images: uint8 arrays, and matplotlib figures.

Zero is always in the middle of a signed scale. The scale ends at the 99th percentile of the
absolute value, so that a single hot pixel does not darken the rest. The colors are safe for
color-blind readers, images keep their polarity, and a map without signal is drawn as empty.

Maps with a value of its own for each pixel are drawn smoothed, because a person sees only speckle
otherwise; what is stored and scored is never smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from PIL import Image

from xai_tf.attribution.cells import resized
from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.methods import Method
from xai_tf.classifiers.reading import Reading
from xai_tf.inputs.sample import Sample, Sound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNED, UNSIGNED = "RdBu_r", "inferno"
PERCENTILE = 99
SMOOTHING = 0.015  # standard deviation of the Gaussian, as a share of the shorter side
SMOOTHED = "smoothed for display"
OUTLINE = (255, 221, 0)
NO_SIGNAL = (128, 128, 128, 0)
HERTZ_TICKS = (100, 250, 500, 1000, 2000, 3000, 4000, 8000, 16000)


def limit(explanations: Sequence[Explanation], smooth: bool = True) -> float:
    """The end of the scale of one or several maps: the 99th percentile of the values drawn."""
    return limit_of([drawn(one.attribution, one.method, smooth) for one in explanations])


def drawn(attribution: np.ndarray, method: Method, smooth: bool = True) -> np.ndarray:
    """What is drawn of an attribution: itself, or smoothed where each pixel has its own value.

    Args:
        attribution: float array of shape (height, width).
        method: that made it.
        smooth: whether to smooth at all.
    """
    if not (smooth and method.pixel_fine and has_signal(attribution)):
        return attribution
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(attribution, SMOOTHING * min(attribution.shape))


def limit_of(attributions: Sequence[np.ndarray]) -> float:
    """The end of the scale of attribution arrays, each of shape (height, width)."""
    maps = [attribution for attribution in attributions if has_signal(attribution)]
    if not maps:
        return 1.0
    strength = np.abs(np.stack(maps))
    # The 99th percentile of a map that is zero nearly everywhere is zero.
    return float(np.percentile(strength, PERCENTILE) or strength.max())


def heatmap(explanation: Explanation, end: float | None = None, smooth: bool = True) -> np.ndarray:
    """Draw an explanation: uint8 array of shape (height, width, 3).

    Signed maps run from blue (against) through white (zero) to red (for), others from black to
    yellow. A map without signal is plain gray.

    Args:
        explanation: the explanation to draw.
        end: end of the scale, in the unit of the attribution; the `limit` of the explanation if
            left out. Use the same value for maps that are compared.
        smooth: whether to smooth a map of single pixels, see `drawn`.
    """
    attribution = drawn(explanation.attribution, explanation.method, smooth)
    return cover(attribution, explanation.method.signed, end)[..., :3]


def cover(attribution: np.ndarray, signed: bool, end: float | None = None) -> np.ndarray:
    """An attribution as an RGBA layer: uint8 array of shape (height, width, 4).

    The colors are those of `heatmap`. Alpha is the strength of the map, from 0 where it is zero to
    255 at the end of the scale. This layer over `gray_bytes` with an opacity, with `outlines` on
    top, is the `overlay`.
    """
    shades, colors = shaded(attribution, signed, end)
    return colors[shades]


def shaded(
    attribution: np.ndarray, signed: bool, end: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `cover` as palette indices and a palette, a quarter of the size.

    Returns:
        uint8 array of shape (height, width), the palette index of each pixel, and uint8 array of
        shape (256, 4), the RGBA palette.
    """
    if not has_signal(attribution):
        return np.zeros(attribution.shape, np.uint8), np.full((256, 4), NO_SIGNAL, np.uint8)
    level = np.clip(attribution / (end or limit_of([attribution])), -1 if signed else 0, 1)
    shades = np.minimum(256 * ((level + 1) / 2 if signed else level), 255).astype(np.uint8)
    return shades, _palette(signed)


@cache
def _palette(signed: bool) -> np.ndarray:
    """The RGBA colors from one end of a scale to the other: uint8 array of shape (256, 4)."""
    colors = colormaps[SIGNED if signed else UNSIGNED](np.arange(256))
    alpha = np.arange(256) / 255
    if signed:  # the two middle colors, on either side of zero, are transparent
        alpha = (np.abs(np.arange(256) - 127.5) - 0.5) / 127
    return np.rint(np.column_stack([colors[:, :3], alpha]) * 255).astype(np.uint8)


def overlay(
    explanation: Explanation,
    opacity: float = 0.7,
    end: float | None = None,
    *,
    smooth: bool = True,
    picture: np.ndarray | None = None,
) -> np.ndarray:
    """Overlay an explanation on its image in gray: uint8 array of shape (height, width, 3).

    Args:
        explanation: the explanation to draw.
        opacity: opacity of the map where it is strongest, 0 to 1; it is transparent where the map
            is zero.
        end: as in `heatmap`.
        smooth: as in `heatmap`.
        picture: what is below, float32 (height, width, 3) in [0, 1], for example the file at its
            own resolution (`read_full_size`); the map is enlarged to it. The model input if left
            out.
    """
    picture = explanation.sample.image if picture is None else picture
    segments = explanation.segments
    attribution = drawn(explanation.attribution, explanation.method, smooth)
    end = end or limit_of([attribution])
    if attribution.shape != picture.shape[:2]:
        if has_signal(attribution):
            attribution = resized(attribution, picture.shape[:2], Image.Resampling.BICUBIC)
        else:
            attribution = np.zeros(picture.shape[:2], np.float32)
        if segments is not None:
            segments = resized(segments, picture.shape[:2], Image.Resampling.NEAREST)
    image = blended(picture, attribution, explanation.method.signed, opacity, end)
    return outlined(image, segments) if segments is not None else image


def blended(
    picture: np.ndarray,
    attribution: np.ndarray,
    signed: bool,
    opacity: float = 0.7,
    end: float | None = None,
) -> np.ndarray:
    """An attribution over a picture in gray: uint8 array of shape (height, width, 3).

    Args:
        picture: float32 array of shape (height, width, 3) in [0, 1].
        attribution: float array of shape (height, width).
        signed: whether its negative values speak against the class.
        opacity: as in `overlay`.
        end: as in `heatmap`.
    """
    colors = cover(attribution, signed, end)
    alpha = opacity * colors[..., 3:] / 255
    mixed = (1 - alpha) * _gray(picture) + alpha * colors[..., :3]
    return np.rint(mixed).astype(np.uint8)


def outlines(segments: np.ndarray) -> np.ndarray:
    """The outlines of segments as an RGBA layer: uint8 array of shape (height, width, 4)."""
    return np.where(edges(segments)[..., None], (*OUTLINE, 128), (0, 0, 0, 0)).astype(np.uint8)


def outlined(image: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Draw the outlines of segments into an image: uint8 array of shape (height, width, 3)."""
    on_edge = edges(segments)
    drawn = image.copy()
    drawn[on_edge] = (0.5 * drawn[on_edge] + 0.5 * np.array(OUTLINE)).astype(np.uint8)
    return drawn


def image_bytes(sample: Sample) -> np.ndarray:
    """The input of the network: uint8 array of shape (height, width, 3)."""
    return bytes_of(sample.image)


def bytes_of(picture: np.ndarray) -> np.ndarray:
    """A float picture in [0, 1] as a uint8 array of the same shape."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def gray_bytes(sample: Sample) -> np.ndarray:
    """The input in gray, as a background: uint8 array of shape (height, width, 3)."""
    return _gray(sample.image)


def _gray(picture: np.ndarray) -> np.ndarray:
    gray = np.clip(picture, 0, 1) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat(np.rint(gray * 255).astype(np.uint8)[..., None], 3, axis=-1)


def figure(
    explanation: Explanation,
    opacity: float = 0.7,
    mark: str = "",
    *,
    smooth: bool = True,
    picture: np.ndarray | None = None,
) -> Figure:
    """Draw one explanation: the input, the map with its scale, and the overlay.

    Args:
        explanation: the explanation to draw.
        opacity: as in `overlay`.
        mark: a warning to show below the headline, such as `Reading.ood_caption`.
        smooth: as in `heatmap`.
        picture: as in `overlay`.
    """
    end = limit([explanation], smooth)
    plot = _figure(3, 1)
    axes = plot.subplots(1, 3)
    _show(axes[0], image_bytes(explanation.sample), explanation.sample, "Model input")
    map_title = _map_title(explanation, smooth)
    _show(axes[1], heatmap(explanation, end, smooth), explanation.sample, map_title)
    _scale(plot, axes[1], explanation, end)
    over = overlay(explanation, opacity, end, smooth=smooth, picture=picture)
    _show(axes[2], over, explanation.sample, f"Overlay, opacity {opacity:.0%}")
    _headline(plot, headline(explanation, mark))
    return plot


def comparison(
    explanations: Sequence[Explanation],
    shared_scale: bool = False,
    opacity: float = 0.7,
    mark: str = "",
    *,
    smooth: bool = True,
    picture: np.ndarray | None = None,
) -> Figure:
    """Draw several explanations of one sample: the input, then each overlay.

    Args:
        explanations: explanations of one sample.
        shared_scale: whether maps of the same method, which have the same unit, share one scale,
            for example those of several layers; otherwise each has its own.
        opacity: as in `overlay`.
        mark: as in `figure`.
        smooth: as in `heatmap`.
        picture: as in `overlay`.
    """
    columns = min(4, len(explanations) + 1)
    rows = -(-(len(explanations) + 1) // columns)
    plot = _figure(columns, rows)
    axes = np.atleast_1d(plot.subplots(rows, columns)).ravel()
    sample = explanations[0].sample
    _show(axes[0], image_bytes(sample), sample, "Model input")
    for ax, explanation in zip(axes[1:], explanations, strict=False):
        same_method = [e for e in explanations if e.method is explanation.method]
        end = limit(same_method if shared_scale else [explanation], smooth)
        over = overlay(explanation, opacity, end, smooth=smooth, picture=picture)
        _show(ax, over, sample, _map_title(explanation, smooth))
        _scale(plot, ax, explanation, end)
    for ax in axes[len(explanations) + 1 :]:
        ax.axis("off")
    _headline(plot, headline(explanations[0], mark))
    return plot


def timeline(reading: Reading) -> Figure:
    """Draw a long recording: its spectrogram, and the prediction for each window over time."""
    plot = _figure(3, 1.4)
    upper, lower = plot.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    sounds = [sample.sound for sample in reading.samples if sample.sound]
    for sound in sounds:
        upper.pcolormesh(sound.seconds, sound.hertz, sound.decibels, cmap="magma", shading="auto")
    upper.set_ylabel("Hz", fontsize=8)
    centers = [float(sound.seconds.mean()) for sound in sounds]
    for label, name in enumerate(reading.prediction.classes):
        probabilities = [prediction.probabilities[label] for prediction in reading.predictions]
        lower.plot(centers, probabilities, marker="o", label=name)
    lower.set(ylim=(0, 1), ylabel="probability", xlabel="seconds (center of the window)")
    lower.axhline(0.5, color="gray", linewidth=0.5)
    for text in lower.legend(fontsize=8).get_texts():
        text.set_parse_math(False)
    whole = reading.prediction
    _headline(
        plot,
        f"{reading.source.name}: {whole.summary}, mean of {len(reading.samples)} windows",
    )
    return plot


def headline(explanation: Explanation, mark: str = "") -> str:
    """The prediction and the class explained, in one line; for a sound, with its time span.

    A `mark` follows in a second line.
    """
    prediction, sample = explanation.prediction, explanation.sample
    name = sample.source.name
    if sample.sound is not None:
        name += f", {sample.sound.seconds[0]:.2f} to {sample.sound.seconds[-1]:.2f} s"
    line = f"{name}: {prediction.summary} - why {explanation.target_name}?"
    return f"{line}\n{mark}" if mark else line


def hertz_ticks(sound: Sound) -> list[tuple[float, str]]:
    """Ticks along the height of a spectrogram: (share of the height from the bottom, Hz)."""
    inside = [hertz for hertz in HERTZ_TICKS if sound.hertz[0] <= hertz <= sound.hertz[-1]]
    bands = np.interp(inside, sound.hertz, np.arange(len(sound.hertz)) + 0.5)
    return [
        (float(band / len(sound.hertz)), f"{hertz:g}")
        for hertz, band in zip(inside, bands, strict=True)
    ]


def second_ticks(sound: Sound) -> list[tuple[float, str]]:
    """Ticks along the width of a spectrogram: (share of the width from the left, seconds)."""
    start, end = sound.seconds[0], sound.seconds[-1]
    return [(share, f"{start + (end - start) * share:.2f}") for share in (0, 0.25, 0.5, 0.75, 1)]


def edges(segments: np.ndarray) -> np.ndarray:
    """Pixels where a new segment begins: bool array of shape (height, width)."""
    edges = np.zeros(segments.shape, bool)
    edges[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    edges[1:] |= segments[1:] != segments[:-1]
    return edges


def _figure(columns: int, rows: float) -> Figure:
    from xai_tf.rendering.figures import ReadableFigure

    return ReadableFigure(figsize=(3.6 * columns, 3.3 * rows + 0.4), dpi=100, layout="constrained")


def _headline(plot: Figure, text: str) -> None:
    # Names of files and classes may contain dollar signs, which are not formulas.
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
    """Add a color bar, or "no signal" to a map without signal."""
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


def _map_title(explanation: Explanation, smooth: bool) -> str:
    """The method, and below it the layer or how the map is drawn."""
    method = explanation.method
    below = SMOOTHED if smooth and method.pixel_fine else ""
    below = f"layer {explanation.layer}" if explanation.layer else below
    return f"{method.title}\n{below}" if below else method.title
