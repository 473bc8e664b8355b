"""Find the axes in a picture of a plot: a spectrogram or an X-ray as matplotlib and others draw it.

A classifier that is given such a picture sees margins, ticks and labels that its training pictures
did not have, and what they show is smaller than it should be.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xai_tf.inputs.resizing import Box

TOLERANCE = 10  # levels of 255 by which pixels of one color differ, as JPEG leaves them
RING_SHARE = 0.4  # of the border of a picture that at least has the color of the margins
MIN_SHARE = 0.15  # of the width and of the height of a picture that axes at least span
LINE_SHARE = 0.95  # of a side of the axes along which they must differ from the margin
MARGIN_SHARE = 0.7  # of the pixels around the axes that at least have the color of the margins
BESIDE_SHARE = 0.35  # of the pixels just outside a side that ticks at most take up
MIN_MARGIN = 4  # pixels beside axes and below or above them
PLAIN_SHARE = 0.85  # of a row of pixels that has one color where it belongs to a line
MIN_SIDE = 48  # pixels of a picture in which ticks and labels can be told from noise
MAX_FRAME = 12  # pixels at a side of which the outer ones may be a line

PLOT = (
    "This looks like a plot with axes: {}. The model is given all of it, with the labels and "
    "margins. Crop it to the axes: --crop-plot, in Python ReadOptions(crop_plot=True)."
)
CROPPED = "The plot was cropped to the inside of its axes: {}."
NO_PLOT = "No plot with axes was found in the picture, so it was not cropped."


def find_plot(picture: np.ndarray) -> Box | None:
    """The rectangle inside the axes of a plot; None where a picture is no plot with axes.

    A plot has margins of one color, a rectangle that stands out from them along straight sides, and
    evenly spaced ticks or labels beside it. Of several axes the largest is found.

    Args:
        picture: of shape (height, width), (height, width, 3) or (height, width, 4); uint8, or
            floats in [0, 1].

    Returns:
        (left, upper, right, lower) in pixels, without the line around the axes, as for
        `PIL.Image.crop`.
    """
    levels = picture[..., :3] if picture.ndim == 3 else picture[..., None]
    height, width = levels.shape[:2]
    if min(height, width) < MIN_SIDE:
        return None
    scale = 1 if levels.dtype == np.uint8 else 255
    color = _margin_color(levels, scale)
    if color is None:
        return None
    ink = _differs(levels, color, scale)
    outer = _rectangle(ink)
    if outer is None or not _has_marks(ink, outer):
        return None
    return _without_frame(levels, outer, color, scale, _tick_width(ink, outer))


def crop_plot(levels: np.ndarray, wanted: bool) -> tuple[Box | None, tuple[str, ...]]:
    """Where to crop a picture that is a plot, and what a person should know about it.

    Args:
        levels: the picture, as for `find_plot`.
        wanted: whether to crop it; otherwise a plot is only reported.
    """
    box = find_plot(levels)
    if box is None:
        return None, (NO_PLOT,) * wanted
    left, upper, right, lower = box
    height, width = levels.shape[:2]
    place = f"x {left} to {right} and y {upper} to {lower} of {width}x{height} pixels"
    return (box, (CROPPED.format(place),)) if wanted else (None, (PLOT.format(place),))


def crop(levels: np.ndarray, box: Box | None) -> np.ndarray:
    """The part of a picture inside a rectangle; without one, the picture."""
    if box is None:
        return levels
    left, upper, right, lower = box
    return levels[upper:lower, left:right]


def _differs(levels: np.ndarray, color: np.ndarray, scale: int) -> np.ndarray:
    """Which pixels are of another color than the given one, from 0 to 255."""
    found = np.zeros(levels.shape[:2], bool)
    for channel, level in enumerate(color):
        plane = levels[..., channel]
        low, high = (level - TOLERANCE) / scale, (level + TOLERANCE) / scale
        found |= (plane < low) | (plane > high)
    return found


def _margin_color(levels: np.ndarray, scale: int) -> np.ndarray | None:
    """The color, from 0 to 255, of most of the border of a picture; None without such a color."""
    edges = (levels[0], levels[-1], levels[:, 0], levels[:, -1])
    ring = np.concatenate(edges).astype(np.float32) * scale
    bins = (ring // 16).astype(np.int64) @ 16 ** np.arange(ring.shape[1])
    values, counts = np.unique(bins, return_counts=True)
    color = np.median(ring[bins == values[counts.argmax()]], axis=0)
    share = (np.abs(ring - color) <= TOLERANCE).all(axis=1).mean()
    return color if share >= RING_SHARE else None


def _rectangle(ink: np.ndarray) -> Box | None:
    """The largest rectangle that stands out from the margins along its four sides."""
    counts = {
        (left, upper, right, lower): across + down
        for (left, right), across in _frequent_runs(ink).items()
        for (upper, lower), down in _frequent_runs(ink.T).items()
    }
    standing = [box for box in counts if _stands_out(ink, box)]
    if not standing:
        return None
    largest = max(standing, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    # A tick, or the noise of JPEG beside the edge, makes a run longer: most runs have the edge.
    close = [box for box in standing if np.abs(np.subtract(box, largest)).max() <= MAX_FRAME]
    left, upper, right, lower = box = max(close, key=counts.__getitem__)
    inside = ink[upper:lower, left:right]
    ink_outside = int(ink.sum()) - int(inside.sum())
    return box if ink_outside <= (1 - MARGIN_SHARE) * (ink.size - inside.size) else None


def _frequent_runs(ink: np.ndarray) -> dict[tuple[int, int], int]:
    """The first column, and the one behind the last, of long runs, with the number of their rows.

    Grid lines interrupt what is drawn, in the color of the margins; so short gaps are none.
    """
    width, gap = ink.shape[1], _near(ink)
    rows = ink[ink.sum(axis=1) >= MIN_SHARE * width]
    flat = np.pad(rows, ((0, 0), (gap + 1, 0))).ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = changes[::2], np.append(changes, flat.size)[1::2]
    if not len(starts):
        return {}
    apart = starts[1:] - ends[:-1] > gap
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    long = ends - starts >= MIN_SHARE * width
    first = starts[long] % (width + gap + 1) - gap - 1
    pairs = first * (width + 1) + first + (ends - starts)[long]
    values, counts = np.unique(pairs, return_counts=True)
    spans = values % (width + 1) - values // (width + 1)
    # The drawing itself, or where it has the color of the margins in parts, the lines around it.
    by_area, by_length = np.argsort(-counts * spans)[:4], np.argsort(-spans * (counts > 1))[:4]
    return {
        (int(values[each] // (width + 1)), int(values[each] % (width + 1))): int(counts[each])
        for each in {*by_area.tolist(), *by_length.tolist()}
    }


def _near(ink: np.ndarray) -> int:
    """The pixels that a line in a plot of this size is wide."""
    return max(2, round(0.004 * max(ink.shape)))


def _stands_out(ink: np.ndarray, box: Box) -> bool:
    """Whether a rectangle is full up to its four sides, and what is beside them is nearly empty."""
    height, width = ink.shape
    left, upper, right, lower = box
    if max(left, width - right) < MIN_MARGIN or max(upper, height - lower) < MIN_MARGIN:
        return False
    near, inside = _near(ink), ink[upper:lower, left:right]
    sides = (inside[:near], inside[-near:], inside[:, :near].T, inside[:, -near:].T)
    if any(side.any(axis=0).mean() < LINE_SHARE for side in sides):
        return False
    beside = (strip[:2] for strip in _strips(ink, box) if len(strip) > 3)
    return all(strip.mean() <= BESIDE_SHARE for strip in beside)


def _strips(ink: np.ndarray, box: Box) -> Iterator[np.ndarray]:
    """The margins left, above, right and below, each from the axes outward along axis 0."""
    left, upper, right, lower = box
    yield ink[upper:lower, :left].T[::-1]
    yield ink[:upper, left:right][::-1]
    yield ink[upper:lower, right:].T
    yield ink[lower:, left:right]


def _has_marks(ink: np.ndarray, box: Box) -> bool:
    """Whether evenly spaced ticks or labels stand beside axes: three on one side, two on two."""
    most = [0, 0]
    for side, strip in enumerate(_strips(ink, box)):
        marks = max(_ticks(strip), _labels(strip))
        most[side % 2] = max(most[side % 2], marks)
    return max(most) >= 3 or min(most) >= 2


def _ticks(strip: np.ndarray) -> int:
    """The number of evenly spaced ticks that lead outward from a side; 0 without any."""
    if len(strip) < 8:
        return 0
    centers, widths = _groups(strip[1:3].max(axis=0), gap=1)
    if not len(centers) or widths.max() > max(5, 0.012 * strip.shape[1]):
        return 0
    # Without labels behind them they are the noise of a photo's edge.
    labeled = strip[3:].any(axis=0).sum() >= 2 * len(centers)
    return len(centers) if labeled and _even(centers, 1.6) else 0


def _tick_width(ink: np.ndarray, box: Box) -> int:
    """The width of the ticks beside axes, in pixels; 0 where there are none."""
    for strip in _strips(ink, box):
        if _ticks(strip):
            return round(float(np.median(_groups(strip[1:3].max(axis=0), gap=1)[1])))
    return 0


def _labels(strip: np.ndarray) -> int:
    """The number of evenly spaced labels in the first line of text beside a side."""
    lines, sizes = _groups(strip[3:].max(axis=1), gap=1)
    text = [(line, size) for line, size in zip(lines, sizes, strict=True) if size >= 4]
    if not text:
        return 0
    line, size = text[0]
    first = 3 + round(line - (size - 1) / 2)
    centers, widths = _groups(strip[first : first + size].max(axis=0), gap=max(2, size // 2))
    if not len(centers) or widths.sum() > 0.7 * strip.shape[1]:
        return 0
    return len(centers) if _even(centers, max(3.0, 0.4 * size)) else 0


def _groups(marked: np.ndarray, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """The centers and widths of what is marked along a line; smaller gaps than `gap` are joined."""
    places = np.flatnonzero(marked)
    if not len(places):
        return np.zeros(0), np.zeros(0, int)
    breaks = np.flatnonzero(np.diff(places) > gap)
    first = places[np.r_[0, breaks + 1]]
    last = places[np.r_[breaks, len(places) - 1]]
    return (first + last) / 2, last - first + 1


def _even(centers: np.ndarray, slack: float) -> bool:
    """Whether places are as far from each other as their neighbors are, within pixels."""
    if len(centers) < 2:
        return False
    ideal = np.linspace(centers[0], centers[-1], len(centers))
    return bool(np.abs(centers - ideal).max() <= slack)


def _without_frame(
    levels: np.ndarray, outer: Box, margin: np.ndarray, scale: int, tick: int
) -> Box:
    """The rectangle without its blurred edges, and the line around it where they have one."""
    left, upper, right, lower = outer
    inside = levels[upper:lower, left:right]
    turned = inside.swapaxes(0, 1)
    sides = [
        _edge_and_line(side[:MAX_FRAME].astype(np.float32) * scale, margin)
        for side in (turned, inside, turned[::-1], inside[::-1])
    ]
    # The inside may begin with the color of the line; the thinner sides show how wide that is, or
    # else the ticks do, which are drawn as wide.
    line = sorted(width for _, width in sides)[1]
    if line > (2 + 2 * tick if tick else MAX_FRAME // 2):
        line = tick or 1
    # Without a line, what is faint at a side may be the drawing.
    offsets = [edge + line if line else min(edge, 2) for edge, _ in sides]
    return left + offsets[0], upper + offsets[1], right - offsets[2], lower - offsets[3]


def _edge_and_line(side: np.ndarray, margin: np.ndarray) -> tuple[int, int]:
    """The rows of pixels at a side that are a mixture with the margin, and then those of a line."""
    medians = np.median(side, axis=1)
    contrast = np.abs(medians - margin).max(axis=1)
    plain = _alike(side, medians[:, None]) | (contrast <= TOLERANCE)
    leading = int(plain.argmin()) if not plain.all() else len(plain)
    strongest = contrast[:leading].max(initial=0)
    first = (
        int((contrast[:leading] >= 0.6 * strongest).argmax()) if strongest > TOLERANCE else leading
    )
    line = _alike(side, medians[min(first, len(side) - 1)])[first:]
    return first, int(line.argmin()) if not line.all() else len(line)


def _alike(side: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Which rows of pixels have one color but for a few of their pixels."""
    return (np.abs(side - colors).max(axis=2) <= 2 * TOLERANCE).mean(axis=1) >= PLAIN_SHARE
