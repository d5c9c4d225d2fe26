"""Intake behind its real HTTP edge, asked without a socket."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from services.intake.api import imports_router, router
from services.intake.application.imports import Imports
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.store.database import Database
from services.kernel.web.edge import edge
from services.kernel.web.limiter import Limiter
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.problems import install
from tests.support.intake import CLERK, HOTLINE, NOW, Bench, bench

TOKENS = {"operator-token": OPERATOR, "clerk-token": CLERK, "hotline-token": HOTLINE}
URL = "/api/intake/complaints"
UUID_KEY = "0195f0a0-0000-4000-8000-000000000001"


class Door:
    """Sends requests, singly or at once, and gives whole answers."""

    def __init__(self, bench: Bench, *, per_minute: int = 600) -> None:
        self.bench = bench
        limiter = Limiter(per_minute, code="intake.too_many_questions")
        app = FastAPI()
        app.include_router(
            router(
                bench.intake,
                bench.inquiries,
                OperatorTokens(TOKENS),
                now=lambda: NOW,
                limiter=limiter,
            )
        )
        app.include_router(
            imports_router(
                Imports(
                    bench.intake,
                    bench.registrar,
                    bench.record,
                    writer=bench.writer,
                    now=lambda: NOW,
                ),
                OperatorTokens(TOKENS),
            )
        )
        install(app)
        self.app = app
        self._edge = edge(app, HttpMetrics(new_registry()))

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self.together([(method, path, how)])[0]

    def together(
        self, requests: Sequence[tuple[str, str, dict[str, Any]]]
    ) -> list[httpx.Response]:
        """Send all at the same time."""

        async def send() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self._edge, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://t"
            ) as http:
                return await asyncio.gather(
                    *(
                        http.request(method, path, **how)
                        for method, path, how in requests
                    )
                )

        return asyncio.run(send())

    def post(
        self, document: object, *, by: str | None = None, key: str | None = None
    ) -> httpx.Response:
        return self.ask("POST", URL, **sent(document, by=by, key=key))

    def batch(
        self, lines: Sequence[object], *, by: str | None = "operator-token"
    ) -> list[dict[str, Any]]:
        """Send a batch; `bytes` among the lines go as they are."""
        body = b"\n".join(
            line if isinstance(line, bytes) else json.dumps(line).encode()
            for line in lines
        )
        answer = self.ask(
            "POST", f"{URL}:batch", content=body, headers=_headers(by, None)
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.content.splitlines()]


def sent(
    document: object, *, by: str | None = None, key: str | None = None
) -> dict[str, Any]:
    """Give a request's body and headers; bytes are sent as they are."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"content": body, "headers": _headers(by, key)}


def _headers(by: str | None, key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if by is not None:
        headers["Authorization"] = f"Bearer {by}"
    if key is not None:
        headers["Idempotency-Key"] = key
    return headers


@contextmanager
def door(make_database: Callable[..., Database], **options: int) -> Iterator[Door]:
    made = bench(make_database)
    made.writer.start()
    try:
        yield Door(made, **options)
    finally:
        made.writer.stop()


@contextmanager
def operator(door: Door) -> Iterator[httpx.Client]:
    """Give the operator a synchronous client whose requests go through the real edge."""

    def handle(request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        headers["authorization"] = "Bearer operator-token"
        answer = door.ask(
            request.method, request.url.raw_path.decode(), content=request.read(),
            headers=headers,
        )  # fmt: skip
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=answer.content
        )

    with httpx.Client(
        transport=httpx.MockTransport(handle), base_url="http://t"
    ) as made:
        yield made
