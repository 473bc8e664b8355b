"""The one way in which long work reports how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is called as long work goes on; may raise to stop it."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        """Report progress.

        Args:
            done: steps done.
            total: steps in all; 0 while nobody knows.
            what: what is being done, in words; empty where there is but one thing.
        """


def silent(done: int, total: int, what: str = "", /) -> None:
    """Report nothing."""
