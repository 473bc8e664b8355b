"""Which bands and times decide, for each class over many sounds."""

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


@dataclass(frozen=True, eq=False)
class ClassProfile:
    """Where the maps of one class are strong, on average.

    Attributes:
        name: what is explained: a class, or one held against another.
        count: of the maps that were averaged.
        silent: of the maps without a signal, which were left out.
        hertz: centre frequency of each mel band, in Hz; float32 of shape (bands,).
        bands: mean share of a map's strength in each band; float64 of shape (bands,), summing to 1.
            Zeros if all maps were left out.
        times: the same of each sixteenth of the window, from its start; float64 of shape (16,). A
            sound shorter than the window ends before it, and silence fills it up.
    """

    name: str
    count: int
    silent: int
    hertz: np.ndarray
    bands: np.ndarray
    times: np.ndarray


def class_profiles(explanations: Iterable[Explanation]) -> list[ClassProfile]:
    """Average where maps are strong, whatever the sign, by what they explain.

    Each map counts the same, whatever its unit. They are taken one by one, so a generator over
    many files needs no more memory than one.

    Args:
        explanations: of samples with a sound, all read alike.

    Returns:
        One for each class explained, in the order of their names.

    Raises:
        InputError: a sample has no sound.
    """
    found: dict[str, list[np.ndarray | None]] = {}
    hertz = np.zeros(0, np.float32)
    for explanation in explanations:
        hertz = sound_of(explanation.sample).hertz
        shares = _shares(explanation.attribution, len(hertz))
        found.setdefault(explanation.target_name, []).append(shares)
    return [_mean(name, found[name], hertz) for name in sorted(found)]


def draw(profiles: list[ClassProfile], title: str) -> Figure:
    """Profiles as a picture: shares by frequency, and by time."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(11, 4), dpi=100, layout="constrained")
    plot.suptitle(title, fontsize=11, parse_math=False)
    by_band, by_time = plot.subplots(1, 2)
    ends = np.linspace(0, 1, TIMES + 1)
    for profile in profiles:
        label = f"{profile.name} ({profile.count})"
        by_band.plot(profile.hertz, 100 * profile.bands, label=label)
        by_time.stairs(100 * profile.times, ends, baseline=None, label=label)
    by_band.set(xlabel="Hz", ylabel="% of the evidence, a mel band", xscale="log")
    by_time.set(xlabel="time, as a share of the window", ylabel="% of the evidence, a sixteenth")
    for axes, parts in ((by_band, len(profiles[0].hertz)), (by_time, TIMES)):
        axes.axhline(100 / parts, color="grey", linewidth=0.5, linestyle="--")
        axes.set_ylim(bottom=0)
        for text in axes.legend(fontsize=8).get_texts():
            text.set_parse_math(False)
    return plot


def _shares(attribution: np.ndarray, num_bands: int) -> np.ndarray | None:
    """The shares of a map in each band, then in each time; None for a map without signal."""
    if not has_signal(attribution):
        return None
    strength = np.abs(attribution.astype(np.float64))
    by_height = strength.sum(axis=1)[::-1]  # low tones are at the bottom
    return np.concatenate([_parts(by_height, num_bands), _parts(strength.sum(axis=0), TIMES)])


def _mean(name: str, found: list[np.ndarray | None], hertz: np.ndarray) -> ClassProfile:
    maps = [shares for shares in found if shares is not None]
    mean = np.mean(maps, axis=0) if maps else np.zeros(len(hertz) + TIMES)
    bands, times = np.split(mean, [len(hertz)])
    return ClassProfile(name, len(maps), len(found) - len(maps), hertz, bands, times)


def _parts(line: np.ndarray, count: int) -> np.ndarray:
    """The shares of a line's sum in so many equal parts of its length: float64 (count,)."""
    held = np.concatenate([[0.0], np.cumsum(line / line.sum())])
    ends = np.arange(count + 1) * len(line) / count
    return np.diff(np.interp(ends, np.arange(len(held)), held))
