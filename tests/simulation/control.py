"""The inbox without its protection: a run must then find what is broken."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from services.kernel.inbox import Consumer, Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _apply_whatever_comes(
    inbox: Inbox,
    case_id: Any,
    version: int,
    arrived: Sequence[Any],
    _rows: Any,
    outcome: Any,
    **_: Any,
) -> None:
    """Take every event for the next of its case."""
    del inbox
    if arrived:
        outcome.effective += arrived
        outcome.versions.append((case_id, version + len(arrived)))


async def _acknowledge_first(consumer: Any, messages: Sequence[Any]) -> None:
    """Answer the broker while the commit is still to come."""
    arrived = [consumer._read(message) for message in messages]
    asyncio.get_running_loop().create_task(_in_peace(consumer._applied(arrived)))


async def _in_peace(work: Any) -> None:
    with contextlib.suppress(Exception):
        await work


@contextlib.contextmanager
def unprotected(seed: int) -> Iterator[None]:
    """Take away the check of versions, or acknowledge before the commit, in turns."""
    if seed % 2:
        with patch.object(Consumer, "_handle", _acknowledge_first):
            yield
    else:
        with patch.object(Inbox, "_decide", _apply_whatever_comes):
            yield
