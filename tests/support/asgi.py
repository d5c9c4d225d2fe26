"""Ask an ASGI application as a client would, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
from starlette.types import ASGIApp


def ask(app: ASGIApp, method: str, path: str, **request: Any) -> httpx.Response:
    """Give the whole answer; an exception that the application lets out is a 500."""

    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            return await http.request(method, path, **request)

    return asyncio.run(once())


async def chunked(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Give a body whose length nobody states."""
    for chunk in chunks:
        yield chunk
