"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_AGAIN: Final = 0.5
"""Seconds after which a task that goes on is cancelled once more."""


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended; what it raised is of no interest any more.

    One cancellation can be swallowed: `asyncio.wait_for` of Python 3.11 does that when
    the awaited result arrives in the same moment, and libraries that catch everything
    do. Awaiting such a task would never end.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN)
    if not task.cancelled():
        task.exception()
