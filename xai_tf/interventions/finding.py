"""What an intervention found out: its figures, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xai_tf.statistics import Share, wilson

# What the answer follows.
REGION, REST, UNKNOWN = "follows the region", "follows what lies outside", "cannot be told"
MIN_COUNT = 10  # pairs or files before anything is told
MAX_EXAMPLES = 5  # inputs that are kept to be drawn


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of an intervention.

    Attributes:
        inputs: what was made of the files, in words: "lungs hidden".
        measure: what the share counts: "answer stays".
        share: the share of the inputs with its 95% Wilson interval.
        control: whether it is a control, which shows what the changing does by itself.
        counts: how often each answer was given ("opacity"), or each change of it ("normal to
            opacity").
    """

    inputs: str
    measure: str
    share: Share
    control: bool = False
    counts: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Example:
    """One changed input, to be drawn.

    Attributes:
        panels: (title, uint8 array of shape (height, width, 3)) from left to right.
    """

    panels: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """What an intervention found out.

    Attributes:
        intervention: a name in `INTERVENTIONS`.
        region: the regions it is about, separated by commas; empty for "crop".
        lines: its figures.
        verdict: `REGION`, `REST` or `UNKNOWN`: what the answer follows.
        accuses: whether that is where evidence does not belong; None where it cannot be told, or
            it is not known where evidence belongs.
        sentence: the verdict with its figures, for people; empty where the controls fail.
        notes: what limits it, in sentences.
        files: the number of files it is about.
        passes: forward passes.
        seconds: how long it took; with finding the region, unless it was found before.
        examples: some of the inputs.
    """

    intervention: str
    region: str
    lines: tuple[Line, ...]
    verdict: str
    accuses: bool | None
    sentence: str
    notes: tuple[str, ...] = ()
    files: int
    passes: int
    seconds: float = 0.0
    examples: tuple[Example, ...] = ()


def share_of_pairs(hits: int, pairs: int) -> Share:
    """The share of inputs, two of each pair, with the interval of as many trials as pairs.

    The two inputs of a pair come from the same two files, so they count as one.
    """
    if not pairs:
        return Share(None, None, None, 0)
    return Share(hits / 2 / pairs, *wilson(hits / 2, pairs), pairs)


def is_above(share: Share, level: float) -> bool:
    """Whether the whole interval of a share is above a level."""
    return share.low is not None and share.low > level


def is_below(share: Share, level: float) -> bool:
    """Whether the whole interval of a share is below a level."""
    return share.high is not None and share.high < level


def judged(verdict: str, belongs: bool | None) -> bool | None:
    """Whether a verdict accuses the model: it follows what it should not; None if unknown."""
    if verdict == UNKNOWN or belongs is None:
        return None
    return (verdict == REGION) != belongs


def two_places(share: Share) -> str:
    """A share in a sentence: "0.17"; "-" where there is none."""
    return "-" if share.value is None else f"{share.value:.2f}"
