"""A partition: one way to divide an image into named regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from xai_tf.inputs.sample import Sample


class NotFoundError(Exception):
    """An image does not show what a partition needs; the text says what is missing.

    Attributes:
        guess: the masks as they may be, for a partition that is uncertain; empty without one.
    """

    def __init__(self, text: str, guess: Mapping[str, np.ndarray] | None = None) -> None:
        super().__init__(text)
        self.guess = guess or {}


@dataclass(frozen=True)
class Limit:
    """How much evidence is tolerated in a region where none is expected.

    The limit is exceeded where both values are.

    Attributes:
        share: share of the map's total strength, 0 to 1.
        ratio: that share divided by the region's share of the area.
    """

    share: float
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One way to divide an image into regions: every pixel is in exactly one.

    Attributes:
        name: its key in `PARTITIONS`.
        title: the name shown to users.
        find: returns bool masks of shape (height, width) by the name of the region; raises
            `NotFoundError` where they cannot be found.
        accuracy: the measured accuracy, and on what it was measured.
        limits: limits of regions where evidence is suspicious.
        expected: regions where evidence is expected, more than their area has by chance.
    """

    name: str
    title: str
    find: Callable[[Sample], dict[str, np.ndarray]]
    accuracy: str
    limits: Mapping[str, Limit] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
