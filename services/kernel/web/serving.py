"""HTTP on one address: bound before anything starts, ended after open requests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

DRAIN: Final = 10
"""Seconds that open requests have to end."""

_ENDING: Final = "amends.ending"


def ending(scope: Scope) -> asyncio.Event:
    """Give what is set when the server ends: a request that waits then answers."""
    found: asyncio.Event = scope.setdefault(_ENDING, asyncio.Event())
    return found


class _Server(uvicorn.Server):
    """uvicorn without its signals: it raises SIGTERM again before we have stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def answering(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Answer on the listener while the block runs, then let open requests end."""
    ends = asyncio.Event()

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ENDING] = ends
        await app(scope, receive, send)

    server = _Server(
        uvicorn.Config(
            told,
            lifespan="off",  # the services' lives are framed by `serving`
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=DRAIN,
            server_header=False,
        )
    )
    serve = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serve.done():  # noqa: ASYNC110 uvicorn has no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        ends.set()
        server.should_exit = True
        await serve


def listen(host: str, port: int) -> socket.socket:
    """Bind the address. Raises RefusedError where it is taken, with the remedy."""
    try:
        listener = socket.create_server((host, port), backlog=2_048)
    except OSError as error:
        raise RefusedError(
            "up.port_taken",
            f"Cannot listen on {host}:{port} ({error.strerror}): stop what is there,"
            " or choose another port with AMENDS_PORT (for `amends run`, with --port).",
        ) from error
    # What it accepts inherits this. asyncio sets it only where the protocol was named,
    # and without it the second packet of an answer waits 40 ms for the first one's ack.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
