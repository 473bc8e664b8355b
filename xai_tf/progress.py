"""How long work reports its progress: one protocol for the whole library."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A callback for the progress of long work, such as one that moves a progress bar.

    It is called from the thread that works, before each step and once at the end. An exception
    raised in it stops the work and reaches the caller of that work.
    """

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Report progress.

        Args:
            done: steps done, 0 to `total`.
            total: steps in all.
            what: the step that runs now, in a few words for a person ("reading 07.png").
        """


def silent(done: int, total: int, what: str = "") -> None:
    """Report nothing: the default where a caller passes no callback."""


def duration(seconds: float) -> str:
    """A duration in the unit in which people would say it.

    >>> [duration(seconds) for seconds in (0.4, 42, 100, 1500, 9000)]
    ['under 1 s', '42 s', '1.7 min', '25 min', '2.5 h']
    """
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    value, unit = (seconds / 60, "min") if seconds < 5400 else (seconds / 3600, "h")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
