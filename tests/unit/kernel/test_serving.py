"""The listener of a service, and how it ends without letting anybody down."""

import asyncio
import socket
from contextlib import closing

from fastapi import FastAPI

from services.kernel.web import serving
from services.kernel.web.health import health_router
from services.kernel.web.serving import answering, listen

REQUEST = b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n"
READY = REQUEST.replace(b"/slow", b"/health/ready")


def test_no_packet_of_an_answer_waits_for_another():
    with (
        closing(listen("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Ending:
    """A server that is told to end while the block runs; what connects meanwhile."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.app.include_router(health_router(()))
        self.begun, self.on = asyncio.Event(), asyncio.Event()
        self.app.get("/slow")(self._slow)
        self.listener = listen("127.0.0.1", 0)
        self.address = self.listener.getsockname()

    async def _slow(self) -> str:
        self.begun.set()
        await self.on.wait()
        return "done"

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address)


async def asked(
    to: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes
) -> bytes:
    """Ask, and read until the other side closes."""
    to[1].write(request)
    answer = await to[0].read()
    to[1].close()
    return answer


def test_who_is_connected_when_it_ends_is_answered_and_a_later_one_refused(
    monkeypatch,
) -> None:
    async def scenario() -> None:
        server, queued, shut = Ending(), [], serving._Server.shutdown

        async def shutdown(self, sockets) -> None:
            # Connected, but the loop has not looked at the listener since.
            queued.append(socket.create_connection(server.address))
            await shut(self, sockets)

        monkeypatch.setattr(serving._Server, "shutdown", shutdown)
        async with asyncio.timeout(30):
            running = answering(server.app, server.listener)
            await running.__aenter__()
            first, silent = await server.connected(), await server.connected()
            open_request = asyncio.create_task(asked(first, REQUEST))
            await server.begun.wait()
            ended = asyncio.create_task(running.__aexit__(None, None, None))
            while server.listener.fileno() != -1:  # noqa: ASYNC110 it is closed there
                await asyncio.sleep(0.001)
            try:
                await server.connected()
            except ConnectionRefusedError:
                refused = True
            waiting = await asyncio.open_connection(sock=queued[0])
            late = [
                asyncio.create_task(asked(each, REQUEST)) for each in (waiting, silent)
            ]
            server.on.set()
            answers = [await open_request, *[await each for each in late]]
            await ended
        assert refused
        assert [each[:15] for each in answers] == [b"HTTP/1.1 200 OK"] * 3
        assert all(b"connection: close" in each.lower() for each in answers[1:])

    asyncio.run(scenario())


def test_it_says_that_it_is_not_ready_before_it_stops_to_answer() -> None:
    async def scenario() -> None:
        server = Ending()
        server.on.set()
        async with asyncio.timeout(30):
            running = answering(server.app, server.listener, notice=3_600)
            await running.__aenter__()
            ended = asyncio.create_task(running.__aexit__(None, None, None))
            await asyncio.sleep(0)
            told = await asked(await server.connected(), READY)
            answered = await asked(await server.connected(), REQUEST)
            ended.cancel()
        assert told[:12] == b"HTTP/1.1 503"
        assert b'"ending"' in told
        assert answered[:15] == b"HTTP/1.1 200 OK"

    asyncio.run(scenario())


def test_a_connection_that_asks_nothing_does_not_hold_up_the_end(monkeypatch) -> None:
    monkeypatch.setattr(serving, "LINGER", 0.01)

    async def scenario() -> None:
        server = Ending()
        async with asyncio.timeout(30):
            async with answering(server.app, server.listener):
                reader, writer = await server.connected()
            assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())
