"""How tests wait: for conditions, never for seconds.

A busy machine is slow, so no test expects anything within a time of its own. The one limit is a
last resort: a condition that never comes ends the test with what it waited for.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any, TypeVar

PATIENCE = float(os.environ.get("TEST_PATIENCE", "300"))  # seconds
T = TypeVar("T")


async def until(condition: Callable[[], Any]) -> None:
    """Wait on the event loop until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, _in_vain(condition)
        await asyncio.sleep(0.01)


def eventually(
    condition: Callable[[], Any], pause: Callable[[], Any] = lambda: time.sleep(0.05)
) -> None:
    """Wait until something is so, where no event loop runs.

    Args:
        condition: what is looked at again and again.
        pause: what is done between two looks.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, _in_vain(condition)
        pause()


async def patiently(story: Awaitable[T]) -> T:
    """The outcome of something of several steps, each of which may take all of `PATIENCE`.

    Where it does not end, the failure's cause shows the step it was in.
    """
    try:
        async with asyncio.timeout(2 * PATIENCE) as limit:
            return await story
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"It did not end in {2 * PATIENCE:.0f} s.") from error


def _in_vain(condition: Callable[[], Any]) -> str:
    try:
        wanted = inspect.getsource(condition) if isinstance(condition, FunctionType) else condition
    except OSError:
        wanted = condition
    return f"Waited {PATIENCE:.0f} s in vain for: {str(wanted).strip()}"
