"""`amends follow DEPARTMENT`: a department's feed on the terminal, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rich.console import Console

from events import codec
from events.subjects import FEED_RESTARTED
from services.cli.client import answer, with_running
from services.handling.messaging.following import follow
from services.handling.ports import FeedAccess
from services.kernel.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from services.kernel.settings import Settings

_TYPE_WIDTH: Final = 20
_SECONDS: Final = 19
"""Characters of an instant up to its second."""


def follow_department(department: str, *, as_json: bool) -> None:
    """Print the department's events as they come, each once; ends on Ctrl-C.

    The operator's token fetches the department's own secret; from then on this is the
    department's locked user.
    """

    def ask(client: httpx.Client, _: Settings) -> Any:
        path = f"/api/handling/departments/{quote(department, safe='')}/credentials"
        return answer(client.post(path))

    access = FeedAccess(**with_running(ask))
    notes = Console(stderr=True, highlight=False)
    notes.print(f"Following {department}; Ctrl-C ends it.", style="dim")

    def tell(note: str) -> None:
        notes.print(note, style="dim")

    asyncio.run(_until_signal(access, _line if not as_json else _json, tell))


async def _until_signal(
    access: FeedAccess, lined: Callable[[bytes], str], tell: Callable[[str], None]
) -> None:
    following = asyncio.current_task()
    assert following is not None  # noqa: S101 we are in it, for mypy
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, following.cancel)

    def show(body: bytes) -> None:
        sys.stdout.write(lined(body) + "\n")
        sys.stdout.flush()  # acknowledged only when it is out

    try:
        await follow(access, show, tell=tell)
    except asyncio.CancelledError:
        return
    except BrokenPipeError:  # whoever read it has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _json(body: bytes) -> str:
    return body.decode()


def _line(body: bytes) -> str:
    """Give `time  case  what happened  state it leads to`."""
    if restarted := _restarted(body):
        return restarted
    about = codec.heading(body)
    try:
        state = codec.decode(body).data.leads_to or ""
    except codec.UnreadableEventError:  # of a newer version than this program
        state = "?"
    at = rfc3339(about.recorded_at)[:_SECONDS]
    return f"{at}Z  {about.case_id}  {about.type:<{_TYPE_WIDTH}}  {state}".rstrip()


def _restarted(body: bytes) -> str | None:
    """Say that the feed begins anew, where a message does."""
    try:
        told = json.loads(body)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("type") != FEED_RESTARTED:
        return None
    at = str(told.get("recorded_at"))[:_SECONDS]
    return f"{at}Z  {FEED_RESTARTED}: what comes now may have come before"
