"""A puzzle: a question that can be answered by one planted thing only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xai_tf.inputs.sample import Sample

CLASSES = ("without", "with")
SMALL = 0.03  # plants that cover less of the picture are small


@dataclass(frozen=True, eq=False)
class Planted:
    """A real file with the plant, and the same without.

    Attributes:
        sample: with the plant; label 1.
        without: label 0; all else is alike, decoys too.
        mask: bool array of shape (height, width): where the plant is in the picture.
    """

    sample: Sample
    without: Sample
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Carriers:
    """What is planted in: real files, read. No file is in two of them.

    Attributes:
        train, validation, test: carriers as the plant wants them.
    """

    train: list[Any]
    validation: list[Any]
    test: list[Any]


@dataclass(frozen=True)
class Puzzle:
    """A question whose answer is planted.

    Attributes:
        name: in `PUZZLES`.
        title: for people.
        kind: of the carriers: "photo", "X-ray", "MRI" or "sound".
        plant_text: what is planted, and which decoy stands in both classes.
        task: the name in `xai_tf.tasks.TASKS` that reads the carriers.
        carriers: reads (data folder, how many for each set) from the data folder.
        plant: (carrier, random numbers, image size) to a `Planted`. The same random numbers give
            the same plant at every size.
        leaderboard: whether methods are ranked on it; the shortcut is there for the audit.
        image_sizes: by backbone, where the picture has to be larger than usual to show the plant.
    """

    name: str
    title: str
    kind: str
    plant_text: str
    task: str
    carriers: Callable[[Path, tuple[int, int, int]], Carriers]
    plant: Callable[[Any, np.random.Generator, tuple[int, int]], Planted]
    leaderboard: bool = True
    image_sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
