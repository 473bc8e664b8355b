"""A partition: one way to part a picture into named regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from xai_tf.inputs.sample import Sample


class NotFoundError(Exception):
    """A picture does not show what a partition looks for; the text says what is missing."""


@dataclass(frozen=True)
class Limit:
    """How much evidence may lie in a region where none should be.

    Attributes:
        share: of a map's whole strength, 0 to 1.
        ratio: of that share to the region's share of the area.

    It is beyond the limit where both are exceeded.
    """

    share: float
    ratio: float


@dataclass(frozen=True)
class Partition:
    """One way to part a picture into regions: every pixel is in exactly one.

    Attributes:
        name: the name in `PARTITIONS`.
        title: the name for people.
        find: bool masks of shape (height, width) by the name of the region; raises `NotFoundError`
            where there is nothing to find.
        accuracy: how well it finds them, measured on what.
        limits: of regions where evidence is a reason for doubt.
        expected: regions where it should be, so that they hold more than their area does by chance.
    """

    name: str
    title: str
    find: Callable[[Sample], dict[str, np.ndarray]]
    accuracy: str
    limits: Mapping[str, Limit] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
