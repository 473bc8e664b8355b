"""Where in time and frequency the evidence of a map lies, in data, in words and as masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from xai_tf.attribution.diagnostics import has_signal
from xai_tf.attribution.explanation import Explanation
from xai_tf.inputs.sample import Sample, Sound, resize
from xai_tf.sonification.masking import sound_of

# Regions are sought on a grid, of 31 ms and two mel bands a cell for a window of 2 s and 64 bands.
CELLS = (32, 64)
MOST = 0.8
STANDS_OUT = 0.5  # times the root mean square of the map
MINOR = 0.1  # of the strongest region's share: what is left around a blob, and not worth a word


@dataclass(frozen=True)
class TimeFrequencyRegion:
    """A span of time and a range of frequencies that a map is strong in.

    Attributes:
        start, end: in seconds from the start of the file.
        low, high: in Hz.
        share: of the map's whole evidence (the sum of its absolute values), -1 to 1: negative where
            it speaks against the class.
    """

    start: float
    end: float
    low: float
    high: float
    share: float

    @property
    def text(self) -> str:
        """Where it is and how much it holds: "0.81-1.09 s, 2.1-3.0 kHz: +31%"."""
        if self.high < 1000:
            tones = f"{self.low:.0f}-{self.high:.0f} Hz"
        else:
            tones = f"{self.low / 1000:.1f}-{self.high / 1000:.1f} kHz"
        return f"{self.start:.2f}-{self.end:.2f} s, {tones}: {self.share:+.0%}"


def find_regions(explanation: Explanation, count: int = 3) -> list[TimeFrequencyRegion]:
    """The strongest regions of a map of a spectrogram, the strongest first.

    Each is the rectangle that holds most evidence of one sign above a level (half the map's root
    mean square), among the places no earlier region has. So they don't overlap, and the shares add
    up to at most 1, signs left aside.

    Args:
        explanation: of a sample with a sound.
        count: how many at most; fewer where nothing is left that stands out or holds a tenth of
            what the strongest does, none for a map without signal.

    Raises:
        InputError: the sample has no sound.
    """
    sound = sound_of(explanation.sample)
    if not has_signal(explanation.attribution):
        return []
    cells = _cells(explanation.attribution)
    smooth = _smoothed(cells)
    level, taken = STANDS_OUT * np.sqrt((smooth**2).mean()), np.zeros(CELLS, bool)
    never = -2 * np.abs(smooth).sum()
    found = []
    for _ in range(count):
        best = [
            _strongest_rectangle(np.where(taken, never, sign * smooth - level)) for sign in (1, -1)
        ]
        excess, place = max(best, key=lambda rectangle: rectangle[0])
        if excess <= 0:
            break
        taken[place] = True
        share = float(cells[place].sum() / np.abs(cells).sum())
        found.append(_region(sound, place, share))
    found.sort(key=lambda region: -abs(region.share))
    return [region for region in found if abs(region.share) >= MINOR * abs(found[0].share)]


def region_mask(sample: Sample, *regions: TimeFrequencyRegion) -> np.ndarray:
    """Regions as a mask for `keep` and `mute`: float32 (height, width), 1 in any of them.

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
    """The smallest part of a picture that holds most of what speaks for the class.

    For `keep` ("only what speaks for it") and `mute` ("everything but"). What speaks against it is
    never in it; of an unsigned map it is what matters most.

    Args:
        explanation: of any sample.
        share: of all that speaks for the class, above 0 and at most 1.

    Returns:
        float32 array of shape (height, width) in [0, 1], fading over a cell (31 ms, two bands) at
        the edges; zeros where nothing speaks for the class, or the map has no signal.
    """
    shape = explanation.attribution.shape
    if not has_signal(explanation.attribution):
        return np.zeros(shape, np.float32)
    speaking = np.maximum(_smoothed(_cells(explanation.attribution)), 0)
    strengths = np.sort(speaking, axis=None)[::-1]
    held = np.cumsum(strengths)
    least = strengths[np.searchsorted(held, share * held[-1] * (1 - 1e-9))]
    return resize((speaking >= least) & (speaking > 0), shape)


def _cells(attribution: np.ndarray) -> np.ndarray:
    """The mean of each cell: float64 of shape CELLS."""
    rows, columns = CELLS
    picture = Image.fromarray(attribution.astype(np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX), np.float64)


def _smoothed(cells: np.ndarray) -> np.ndarray:
    """Speckled maps, as those of gradients are, have no regions unless neighbours are averaged."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(cells, 1, mode="nearest")


def _strongest_rectangle(values: np.ndarray) -> tuple[float, tuple[slice, slice]]:
    """The rectangle of the largest sum, and the sum (Bentley 1984, doi:10.1145/358234.381162)."""
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
    # Bands are named by their centres, so half a band hangs over at either end.
    return np.interp(heights * len(bands) - 0.5, bands, sound.hertz)


def _seconds(sound: Sound, widths: np.ndarray) -> np.ndarray:
    """The seconds at widths of the picture, given as shares from the left."""
    start, end = float(sound.seconds[0]), float(sound.seconds[-1])
    return start + widths * (end - start)
