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
