"""`amends up` and `amends run`: serve until told to stop."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from rich.console import Console
from rich.markup import escape

from services.cli.client import client_of
from services.cli.users import first_link
from services.kernel.access import Runtime
from services.kernel.folder import DataFolder
from services.kernel.logs import configure
from services.kernel.settings import Settings, load_settings
from services.run import running
from services.up import serving, until_signal

_log = structlog.get_logger(__name__)


def up(settings: Settings | None = None) -> None:
    settings = settings or load_settings()
    configure(settings.log_format, settings.log_level)
    console = Console(stderr=True, highlight=False)

    async def ready(runtime: Runtime) -> None:
        if not sys.stderr.isatty():
            _log.info("amends.ready", url=runtime.url)
            return
        console.print(
            f"[bold]amends[/bold] is ready at {runtime.url}"
            f" with its data in {escape(str(settings.data))}. Ctrl-C stops it.",
            soft_wrap=True,
        )
        if DataFolder(settings.data).staging:
            console.print("It is a copy to try things on: it sends nothing.")
        link = await asyncio.to_thread(_first_link, runtime)
        if link is not None:  # to this terminal alone: a log would keep it
            console.print(link, soft_wrap=True)

    _run(until_signal(serving(settings), ready))


def run(service: str, port: int | None) -> None:
    settings = load_settings()
    configure(settings.log_format, settings.log_level)

    async def ready(url: str) -> None:
        _log.info("amends.ready", service=service, url=url)

    _run(until_signal(running(settings, service, port=port), ready))


def _run(serving: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_loops()) as runner:
        runner.run(serving)


def _loops() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the faster loop; asyncio's own where that is not installed."""
    try:
        import uvloop  # noqa: PLC0415 it is not there on every system
    except ImportError:
        return None
    return uvloop.new_event_loop


def _first_link(runtime: Runtime) -> str | None:
    with client_of(runtime) as client:
        return first_link(client)
