"""Plants in pictures: a patch, a texture, an opacity, a blob, a mark in a corner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.ground_truth.carriers import SIZE, Picture
from benchmarks.ground_truth.puzzle import Planted
from xai_tf.errors import InputError
from xai_tf.inputs.sample import Sample, resize

# All lengths are in pixels of the 224x224 carrier.
PATCH, DISC, STRIPE = 28, 38, 16
LINE, THICK = 72, 11
RING = 1.4  # outer radius of a ring, to that of the disc
MARK = (
    np.array([list(row) for row in ("11110", "10001", "11110", "10100", "10010", "10001")]) == "1"
)

Draw = Callable[[Picture, np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]


def in_picture(draw: Draw) -> Callable[[Picture, np.random.Generator, tuple[int, int]], Planted]:
    """A plant of a puzzle from what draws (with the plant, without, mask) at 224x224."""

    def plant(carrier: Picture, rng: np.random.Generator, image_size: tuple[int, int]) -> Planted:
        planted, without, mask = draw(carrier, rng)
        small = resize(mask.astype(np.float32), image_size) > 0.5
        sample, other = (
            _sample(carrier.sample, resize(image, image_size), label)
            for image, label in ((planted, 1), (without, 0))
        )
        return Planted(sample, other, small)

    return plant


def patch(carrier: Picture, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A checker of magenta and green; the decoy is one of yellow and blue."""
    (row, column), place = _apart(carrier.depth, PATCH / 2 * np.sqrt(2), rng)
    magenta, green = (0.9, 0.1, 0.8), (0.1, 0.8, 0.2)
    yellow, blue = (0.9, 0.8, 0.1), (0.1, 0.2, 0.9)
    without = carrier.sample.image.copy()
    without[_square(*place)] = _checker(yellow, blue)
    planted = without.copy()
    planted[_square(row, column)] = _checker(magenta, green)
    mask = np.zeros(SIZE, bool)
    mask[_square(row, column)] = True
    return planted, without, mask


def texture(
    carrier: Picture, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standing stripes laid over a disc; the decoy is a disc of lying ones."""
    place, other = _apart(carrier.depth, DISC, rng)
    rows, columns = np.indices(SIZE)
    phase = rng.integers(STRIPE)
    standing, lying = (
        0.3 * np.sign(np.sin(2 * np.pi * (axis + phase + 0.5) / STRIPE))[..., None]
        for axis in (columns, rows)
    )
    disc, decoy = (_disc(at, DISC, soft=1)[..., None] for at in (place, other))
    image = 0.2 + 0.6 * carrier.sample.image  # leaves room for the stripes in dark and bright
    without = np.clip(image + decoy * lying, 0, 1)
    return np.clip(without + disc * standing, 0, 1), without, disc[..., 0] > 0.5


def opacity(
    carrier: Picture, rng: np.random.Generator, light: float = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A round opacity with a soft edge; the decoy is a ring as bright and of the same area.

    `light` is how bright the picture is left, 0 to 1.
    """
    radius = rng.uniform(17, 23)
    place, other = _apart(carrier.depth, radius, rng, RING * radius)
    image = light * carrier.sample.image
    disc = _disc(place, radius, soft=3)
    hole = np.sqrt(RING**2 - 1) * radius
    ring = _disc(other, RING * radius, soft=3) - _disc(other, hole, soft=3)
    without = image + 0.85 * ring[..., None] * (1 - image)
    return without + 0.85 * disc[..., None] * (1 - without), without, disc > 0.5


def blob(carrier: Picture, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same in a picture made darker first: an eye or a real lesion is round and bright too."""
    return opacity(carrier, rng, light=0.7)


def line(carrier: Picture, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bright line, rising to the right; the decoy is one that falls."""
    place, other = _apart(carrier.depth, LINE / 2, rng)
    rising, falling = (_stroke(at, way) for at, way in ((place, -1), (other, 1)))
    image = carrier.sample.image
    without = image + 0.85 * falling[..., None] * (1 - image)
    return without + 0.85 * rising[..., None] * (1 - without), without, rising > 0.5


def corner_mark(
    carrier: Picture, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A white tag with a letter in a corner; nothing in its place in the other class."""
    tag = 1.0 - np.kron(np.pad(MARK, 1), np.ones((3, 4)))[..., None]
    height, width = tag.shape[:2]
    top = rng.choice((6, SIZE[0] - 6 - height))
    left = rng.choice((6, SIZE[1] - 6 - width))
    box = np.s_[top : top + height, left : left + width]
    planted, mask = carrier.sample.image.copy(), np.zeros(SIZE, bool)
    planted[box] = tag
    mask[box] = True
    return planted, carrier.sample.image, mask


def _apart(
    depth: np.ndarray, radius: float, rng: np.random.Generator, decoy: float | None = None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """A place for the plant, inside, and one for the decoy, that do not touch.

    `decoy` is the decoy's radius, where it is another.
    """
    within = np.zeros(SIZE, bool)
    edge = int(np.ceil(radius)) + 2
    within[edge:-edge, edge:-edge] = True
    # Where the region is too narrow for the whole plant, its middle is what has to be inside.
    for least in (radius, radius / 2, 0):
        places = np.argwhere(within & (depth > least))
        if len(places):
            break
    else:
        raise InputError("There is no place for the plant. Leave this carrier out.")
    row, column = places[rng.integers(len(places))]
    rows, columns = np.indices(SIZE)
    free = within & (np.hypot(rows - row, columns - column) > radius + (decoy or radius) + 4)
    others = np.argwhere(free & (depth > 0)) if (free & (depth > 0)).any() else np.argwhere(free)
    other = others[rng.integers(len(others))]
    return (int(row), int(column)), (int(other[0]), int(other[1]))


def _square(row: int, column: int) -> tuple[slice, slice]:
    top, left = row - PATCH // 2, column - PATCH // 2
    return np.s_[top : top + PATCH, left : left + PATCH]


def _checker(one: tuple[float, ...], other: tuple[float, ...]) -> np.ndarray:
    cells = np.array([[one, other], [other, one]], np.float32)
    return np.kron(cells, np.ones((PATCH // 2, PATCH // 2, 1), np.float32))


def _stroke(place: tuple[int, int], way: int) -> np.ndarray:
    """1 on a line at 45 degrees, 0 elsewhere; `way` is 1 where it falls to the right."""
    rows, columns = (axis - at for axis, at in zip(np.indices(SIZE), place, strict=True))
    along, across = np.abs(columns + way * rows) / 2**0.5, np.abs(columns - way * rows) / 2**0.5
    away = np.maximum(along - LINE / 2, across - THICK / 2)
    return np.clip(0.5 - away / 2, 0, 1).astype(np.float32)


def _disc(place: tuple[int, int], radius: float, soft: float) -> np.ndarray:
    """1 inside, 0 outside, and a half on the edge, over some `soft` pixels."""
    rows, columns = np.indices(SIZE)
    away = np.hypot(rows - place[0], columns - place[1]) - radius
    return np.clip(0.5 - away / (2 * soft), 0, 1).astype(np.float32)


def _sample(carrier: Sample, image: np.ndarray, label: int) -> Sample:
    """As it would be read from an 8-bit file."""
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.float32) / 255
    return replace(carrier, image=levels, label=label)
