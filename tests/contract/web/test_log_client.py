"""Another service's log over HTTP: whole pages, or a failure that says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from events import codec
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.errors import UnavailableError
from services.kernel.log_client import LogClient
from services.kernel.store.application import open_store
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.problems import install
from tests.support.histories import made_up_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.kernel.store.database import Database

LOG = made_up_log(61, cases=20, events=120)


@pytest.fixture
def app(make_database: Callable[..., Database]) -> FastAPI:
    store = open_store(
        make_database("handling"),
        name="handling",
        codec=codec,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    with store.database.write() as tx:
        store.put(tx, [logged.event for logged in LOG])
    application = FastAPI()
    install(application)
    tokens = OperatorTokens({"service-token": OPERATOR})
    application.include_router(log_router(store, tokens))
    return application


def asked(
    transport: httpx.AsyncBaseTransport,
    question: Callable[[LogClient], Awaitable[Any]],
    token: str = "service-token",  # noqa: S107 - of this test alone
) -> Any:
    async def ask() -> Any:
        log = LogClient(
            httpx.AsyncClient(
                transport=transport,
                base_url="http://handling",
                headers={"Authorization": f"Bearer {token}"},
            ),
            "handling",
        )
        try:
            return await question(log)
        finally:
            await log.close()

    return asyncio.run(ask())


def test_pages_follow_one_another(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    page = asked(transport, lambda log: log.page(0, 50))
    assert [line.position for line in page.lines] == list(range(1, 51))
    assert page.last_position == 120
    rest = asked(transport, lambda log: log.page(50, 500))
    events = [codec.decode(line.body) for line in (*page.lines, *rest.lines)]
    assert events == [logged.event for logged in LOG]
    assert asked(transport, lambda log: log.page(120, 500)).lines == []


def test_a_case_alone_from_a_version_on(app: FastAPI) -> None:
    case_id = LOG[0].event.case_id
    versions = [each.event.version for each in LOG if each.event.case_id == case_id]
    assert len(versions) > 2
    lines = asked(httpx.ASGITransport(app), lambda log: log.of_case(case_id, 2))
    assert [line.version for line in lines] == versions[2:]


def _refusing(request: httpx.Request) -> httpx.Response:
    if request.url.params["after"] == "1":
        raise httpx.ConnectError("refused")
    return httpx.Response(200, content=b"")


def test_what_hinders_the_reading_is_unavailable(app: FastAPI) -> None:
    broken = httpx.MockTransport(_refusing)
    for transport, after, token in (
        (broken, 1, "service-token"),
        (broken, 2, "service-token"),
        (httpx.ASGITransport(app), 3, "another-token"),
    ):
        with pytest.raises(UnavailableError):
            asked(transport, lambda log, at=after: log.page(at, 5), token)
