"""Class profiles: which frequency bands and times matter for each class, over many sounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.sonification.masking import sound_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassProfile:
    """Where the maps of one class are strong, on average.

    Attributes:
        name: the class explained, with its contrast if any.
        count: number of maps that were averaged.
        silent: number of maps without signal, which were left out.
        hertz: center frequency of each mel band, in Hz; float32 of shape (bands,).
        bands: mean share of a map's strength in each band; float64 of shape (bands,), summing to 1.
            Zeros if all maps were left out.
        times: the same for each sixteenth of the window, from its start; float64 of shape (16,).
            Shorter sounds are padded with silence at the end of the window.
    """

    name: str
    count: int
    silent: int
    hertz: np.ndarray
    bands: np.ndarray
    times: np.ndarray


def class_profiles(explanations: Iterable[Explanation]) -> list[ClassProfile]:
    """Average where maps are strong, whatever the sign, by the class they explain.

    Each map has the same weight, whatever its unit. Explanations are consumed one by one, so a
    generator over many files needs no more memory than one file.

    Args:
        explanations: explanations of samples with a sound, all read with the same settings.

    Returns:
        One profile per class explained, sorted by name.

    Raises:
        InputError: a sample has no sound.
    """
    by_class: dict[str, list[np.ndarray | None]] = {}
    hertz = np.zeros(0, np.float32)
    for explanation in explanations:
        hertz = sound_of(explanation.sample).hertz
        shares = _shares(explanation.attribution, len(hertz))
        by_class.setdefault(explanation.target_name, []).append(shares)
    return [_mean(name, by_class[name], hertz) for name in sorted(by_class)]


def draw(profiles: list[ClassProfile], title: str) -> Figure:
    """Draw profiles: shares by frequency, and by time."""
    from xai_tf.rendering.figures import ReadableFigure

    plot = ReadableFigure(figsize=(11, 4), dpi=100, layout="constrained")
    plot.suptitle(title, fontsize=11, parse_math=False)
    by_band, by_time = plot.subplots(1, 2)
    ends = np.linspace(0, 1, TIMES + 1)
    for profile in profiles:
        label = f"{profile.name} ({profile.count})"
        by_band.plot(profile.hertz, 100 * profile.bands, label=label)
        by_time.stairs(100 * profile.times, ends, baseline=None, label=label)
    by_band.set(xlabel="Hz", ylabel="% of the evidence per mel band", xscale="log")
    by_time.set(xlabel="time, as a share of the window", ylabel="% of the evidence per sixteenth")
    for axes, num_parts in ((by_band, len(profiles[0].hertz)), (by_time, TIMES)):
        axes.axhline(100 / num_parts, color="gray", linewidth=0.5, linestyle="--")
        axes.set_ylim(bottom=0)
        for text in axes.legend(fontsize=8).get_texts():
            text.set_parse_math(False)
    return plot


def _shares(attribution: np.ndarray, num_bands: int) -> np.ndarray | None:
    """The shares of a map by band, followed by those by time; None for a map without signal."""
    if not has_signal(attribution):
        return None
    strength = np.abs(attribution.astype(np.float64))
    by_height = strength.sum(axis=1)[::-1]  # low frequencies are at the bottom
    return np.concatenate([_parts(by_height, num_bands), _parts(strength.sum(axis=0), TIMES)])


def _mean(name: str, all_shares: list[np.ndarray | None], hertz: np.ndarray) -> ClassProfile:
    maps = [shares for shares in all_shares if shares is not None]
    mean = np.mean(maps, axis=0) if maps else np.zeros(len(hertz) + TIMES)
    bands, times = np.split(mean, [len(hertz)])
    return ClassProfile(
        name=name,
        count=len(maps),
        silent=len(all_shares) - len(maps),
        hertz=hertz,
        bands=bands,
        times=times,
    )


def _parts(line: np.ndarray, count: int) -> np.ndarray:
    """The shares of the sum of a line in equal parts of its length: float64 (count,)."""
    cumulative = np.concatenate([[0.0], np.cumsum(line / line.sum())])
    ends = np.arange(count + 1) * len(line) / count
    return np.diff(np.interp(ends, np.arange(len(cumulative)), cumulative))
