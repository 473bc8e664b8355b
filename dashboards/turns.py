"""Turns: what one press changes in many places is drawn once, when all of it has changed.

A file that a visitor chooses changes a dozen values one after the other: the answer goes and comes,
then the map, the regions, the words. What follows several of them would be drawn for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import local
from typing import Any

_here = local()  # a turn ends before its thread does anything else


@contextmanager
def turn() -> Iterator[None]:
    """Put off what is marked with `once_a_turn` until this ends; within another turn, until that.

    Raises:
        Exception: the first that was raised by what was put off; the rest of it is done all the
            same.
    """
    if getattr(_here, "waiting", None) is not None:
        yield
        return
    waiting: dict[tuple[int, str], Callable[[], None]] = {}
    _here.waiting = waiting
    try:
        yield
    finally:
        errors = []
        try:
            while waiting:
                try:
                    waiting.pop(next(iter(waiting)))()
                except Exception as error:
                    errors.append(error)
        finally:
            _here.waiting = None
        if errors:
            raise errors[0]


def once_a_turn(follow: Callable[..., None]) -> Callable[..., None]:
    """A method that follows values, called at the end of a turn; at once where there is none.

    It takes no arguments besides `self`: what watchers are given is ignored.
    """

    @wraps(follow)
    def put_off(self: Any, *_: Any) -> None:
        waiting = getattr(_here, "waiting", None)
        if waiting is None:
            follow(self)
        else:
            waiting[id(self), follow.__name__] = lambda: follow(self)

    return put_off
