"""HTTP on one address: bound before anything starts, ended after open requests.

Who sends complaints through a proxy notices no restart of one of several processes:
first `/health/ready` says 503, then the listener closes, whoever is connected by then is
answered, and a later one is refused before anything was sent, so that the proxy turns
to the next process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DRAIN: Final = 10
"""Seconds that open requests have to end."""
LINGER: Final = 1.0
"""Seconds that a new connection has to bring its request when the server ends."""

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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody down who is connected already, and listen no more."""
        waiting = [each for listener in sockets or [] for each in _connected(listener)]
        for server in self.servers:  # at once: a later one is refused
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while any(each.cycle is None for each in self._connections()):  # noqa: ASYNC110 uvicorn has no event
                    await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return made

    def _connections(self) -> set[Any]:
        """Give them; `cycle` is None until the first request of one has come."""
        return self.server_state.connections


@contextlib.asynccontextmanager
async def answering(
    app: ASGIApp, listener: socket.socket, *, notice: float = 0.0
) -> AsyncIterator[None]:
    """Answer on the listener while the block runs, then let open requests end.

    For `notice` seconds before that it only says that it ends (`/health/ready`).
    """
    ends = asyncio.Event()

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ENDING] = ends
        await app(scope, receive, _closing(send) if ends.is_set() else send)

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
        await asyncio.sleep(notice)
        server.should_exit = True
        await serve


def _closing(send: Send) -> Send:
    """Answer as the last time on this connection."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    return sent


def _connected(listener: socket.socket) -> list[socket.socket]:
    """Take in everybody who is connected by now."""
    listener.setblocking(False)
    found: list[socket.socket] = []
    with contextlib.suppress(OSError):  # there are no more
        while True:
            found.append(listener.accept()[0])
    return found


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
