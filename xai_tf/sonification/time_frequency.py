"""Where in time and frequency the evidence of a map is: as regions, in words and as masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.inputs.sample import Sample, Sound, resize
from xai_tf.sonification.masking import sound_of

# Regions are found on a grid. A cell is 31 ms by two mel bands for a window of 2 s and 64 bands.
CELLS = (32, 64)
MOST = 0.8
THRESHOLD = 0.5  # in multiples of the root mean square of the map
MINOR = 0.1  # of the strongest region's share; weaker regions are left out


@dataclass(frozen=True)
class TimeFrequencyRegion:
    """A time span and a frequency range where a map is strong.

    Attributes:
        start, end: in seconds from the start of the file.
        low, high: in Hz.
        share: share of the total evidence of the map (the sum of its absolute values), -1 to 1;
            negative for evidence against the class.
    """

    start: float
    end: float
    low: float
    high: float
    share: float

    @property
    def text(self) -> str:
        """Its location and share: "0.81-1.09 s, 2.1-3.0 kHz: +31%"."""
        if self.high < 1000:
            frequencies = f"{self.low:.0f}-{self.high:.0f} Hz"
        else:
            frequencies = f"{self.low / 1000:.1f}-{self.high / 1000:.1f} kHz"
        return f"{self.start:.2f}-{self.end:.2f} s, {frequencies}: {self.share:+.0%}"


def find_regions(explanation: Explanation, count: int = 3) -> list[TimeFrequencyRegion]:
    """The strongest regions of the map of a spectrogram, the strongest first.

    Each region is the rectangle with the most evidence of one sign above a threshold (half the root
    mean square of the map) that does not overlap an earlier region. So the absolute shares sum to
    at most 1.

    Args:
        explanation: an explanation of a sample with a sound.
        count: maximum number of regions; fewer where nothing above the threshold is left, or a
            region has less than a tenth of the strongest one. Empty for a map without signal.

    Raises:
        InputError: the sample has no sound.
    """
    sound = sound_of(explanation.sample)
    if not has_signal(explanation.attribution):
        return []
    cells = _cells(explanation.attribution)
    smooth = _smoothed(cells)
    level, taken = THRESHOLD * np.sqrt((smooth**2).mean()), np.zeros(CELLS, bool)
    excluded = -2 * np.abs(smooth).sum()
    regions = []
    for _ in range(count):
        best = [
            _strongest_rectangle(np.where(taken, excluded, sign * smooth - level))
            for sign in (1, -1)
        ]
        excess, rectangle = max(best, key=lambda candidate: candidate[0])
        if excess <= 0:
            break
        taken[rectangle] = True
        share = float(cells[rectangle].sum() / np.abs(cells).sum())
        regions.append(_region(sound, rectangle, share))
    regions.sort(key=lambda region: -abs(region.share))
    return [region for region in regions if abs(region.share) >= MINOR * abs(regions[0].share)]


def region_mask(sample: Sample, *regions: TimeFrequencyRegion) -> np.ndarray:
    """A mask of regions for `keep` and `mute`: float32 (height, width), 1 inside any of them.

    Raises:
        InputError: the sample has no sound.
    """
    sound = sound_of(sample)
    height, width = sample.image.shape[:2]
    hertz = _hertz(sound, 1 - (np.arange(height) + 0.5) / height)
    seconds = _seconds(sound, (np.arange(width) + 0.5) / width)
    mask = np.zeros((height, width), np.float32)
    for region in regions:
        rows = (hertz >= region.low) & (hertz <= region.high)
        columns = (seconds >= region.start) & (seconds < region.end)
        mask[np.ix_(rows, columns)] = 1
    return mask


def evidence_mask(explanation: Explanation, share: float = MOST) -> np.ndarray:
    """The smallest part of an image with most of the evidence for the class.

    For `keep` (the supporting evidence) and `mute` (the remainder). It never includes evidence
    against the class; for an unsigned map it is the strongest part.

    Args:
        explanation: an explanation of any sample.
        share: share of the evidence for the class, above 0 and at most 1.

    Returns:
        float32 array of shape (height, width) in [0, 1], with edges that fade over one cell (31 ms,
        two bands). Zeros if there is no evidence for the class, or the map has no signal.
    """
    shape = explanation.attribution.shape
    if not has_signal(explanation.attribution):
        return np.zeros(shape, np.float32)
    supporting = np.maximum(_smoothed(_cells(explanation.attribution)), 0)
    strengths = np.sort(supporting, axis=None)[::-1]
    cumulative = np.cumsum(strengths)
    least = strengths[np.searchsorted(cumulative, share * cumulative[-1] * (1 - 1e-9))]
    return resize((supporting >= least) & (supporting > 0), shape)


def _cells(attribution: np.ndarray) -> np.ndarray:
    """The mean of each cell: float64 of shape CELLS."""
    rows, columns = CELLS
    picture = Image.fromarray(attribution.astype(np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX), np.float64)


def _smoothed(cells: np.ndarray) -> np.ndarray:
    """Cells averaged with their neighbors; speckled gradient maps have no regions otherwise."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(cells, 1, mode="nearest")


def _strongest_rectangle(values: np.ndarray) -> tuple[float, tuple[slice, slice]]:
    """The rectangle with the largest sum, and its sum (Bentley 1984, doi:10.1145/358234.381162)."""
    tops, bottoms = np.triu_indices(len(values))
    down = np.pad(values.cumsum(axis=0), ((1, 0), (0, 0)))
    strips = down[bottoms + 1] - down[tops]
    along = np.pad(strips.cumsum(axis=1), ((0, 0), (1, 0)))
    sums = along[:, 1:] - np.minimum.accumulate(along[:, :-1], axis=1)
    pair, last = np.unravel_index(sums.argmax(), sums.shape)
    first = along[pair, : last + 1].argmin()
    place = slice(int(tops[pair]), int(bottoms[pair]) + 1), slice(int(first), int(last) + 1)
    return float(sums[pair, last]), place


def _region(sound: Sound, place: tuple[slice, slice], share: float) -> TimeFrequencyRegion:
    rows, columns = place
    high, low = _hertz(sound, 1 - np.array([rows.start, rows.stop]) / CELLS[0])
    start, end = _seconds(sound, np.array([columns.start, columns.stop]) / CELLS[1])
    return TimeFrequencyRegion(float(start), float(end), float(low), float(high), share)


def _hertz(sound: Sound, heights: np.ndarray) -> np.ndarray:
    """The Hz at heights of the picture, given as shares from the bottom."""
    bands = np.arange(len(sound.hertz))
    # Bands are given by their centers, so half a band extends beyond either end.
    return np.interp(heights * len(bands) - 0.5, bands, sound.hertz)


def _seconds(sound: Sound, widths: np.ndarray) -> np.ndarray:
    """The seconds at widths of the picture, given as shares from the left."""
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    return start + widths * (end - start)
