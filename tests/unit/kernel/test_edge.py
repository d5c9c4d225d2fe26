"""The edge: one correlation id, one whole answer, one count, whatever is behind it."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel import logs
from services.kernel.errors import ForbiddenError
from services.kernel.web.edge import edge
from services.kernel.web.health import health_router
from services.kernel.web.metrics import HttpMetrics, metrics_router, new_registry
from services.kernel.web.problems import install
from tests.support.asgi import ask, chunked

LIMIT = 1_000
CASE = "018f2f6e-5d0c-7c3e-9d52-0123456789ab"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    yield stream
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def service() -> FastAPI:
    app = FastAPI()
    install(app)
    cases = APIRouter()

    @cases.get("/{case_id}")
    async def case(case_id: str) -> dict[str, str | None]:
        return {"case": case_id, "correlation": logs.correlation_id()}

    app.include_router(cases, prefix="/cases")

    @app.post("/complaints")
    async def submit(request: Request) -> int:
        return len(await request.body())

    @app.post("/complaints:batch")
    async def batch(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @app.post("/parsed")
    async def parsed(body: dict[str, Any]) -> int:
        return len(body)

    @app.post("/unread")
    async def unread() -> None:
        raise ForbiddenError("access.no", "Ask somebody else.")

    @app.get("/broken")
    async def broken() -> None:
        message = "'Zhang San'"
        raise RuntimeError(message)

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"{"
            raise RuntimeError

        return StreamingResponse(pieces())

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("", headers={"Content-Security-Policy": "own"})

    return app


def whole(registry: CollectorRegistry | None = None) -> ASGIApp:
    registry = registry or new_registry()
    root = FastAPI()
    install(root)
    root.mount("/api/intake", service())
    root.include_router(health_router([]))
    root.include_router(metrics_router(registry, ()))
    return edge(root, HttpMetrics(registry), limit=LIMIT)


APP = whole()


def test_a_plain_correlation_id_is_kept_and_any_other_is_replaced() -> None:
    path = f"/api/intake/cases/{CASE}"
    kept = ask(APP, "GET", path, headers={"X-Correlation-Id": "mine-1"})
    assert kept.json()["correlation"] == kept.headers["x-correlation-id"] == "mine-1"
    other = ask(APP, "GET", path, headers={"X-Correlation-Id": "a b\x1b[31m"})
    made = other.headers["x-correlation-id"]
    assert other.json()["correlation"] == made
    assert "a b" not in made
    assert ask(APP, "GET", path).headers["x-correlation-id"] != made


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/intake/nothing", 404),
        ("PATCH", "/api/intake/complaints", 405),
        ("POST", "/api/intake/unread", 403),
        ("GET", "/api/intake/broken", 500),
    ],
)
def test_every_answer_has_the_security_headers(
    method: str, path: str, status: int
) -> None:
    response = ask(APP, method, path)
    assert response.status_code == status
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    if status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        correlation = response.headers["x-correlation-id"]
        assert response.json()["correlation_id"] == correlation


def test_a_page_keeps_its_own_policy() -> None:
    response = ask(APP, "GET", "/api/intake/page")
    assert response.headers.get_list("content-security-policy") == ["own"]


def test_head_is_answered_as_get_without_the_body() -> None:
    got, asked = (ask(APP, method, "/health/live") for method in ("GET", "HEAD"))
    assert (asked.status_code, asked.content) == (200, b"")
    assert got.content
    for name in ("content-type", "content-length", "x-content-type-options"):
        assert asked.headers[name] == got.headers[name]
    assert ask(APP, "HEAD", "/nothing").status_code == 404
    assert ask(APP, "HEAD", "/api/intake/page").status_code == 405


@pytest.mark.parametrize("path", ["/complaints", "/parsed", "/unread", "/nothing"])
def test_a_body_with_its_length_stated_is_refused_unread(path: str) -> None:
    response = ask(APP, "POST", f"/api/intake{path}", content=b"x" * (LIMIT + 1))
    assert response.status_code == 413
    assert response.json()["code"] == "http.too_large"
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/complaints", "/parsed"])
def test_a_body_of_unstated_length_is_refused_while_it_arrives(path: str) -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x" * 100

    response = ask(APP, "POST", f"/api/intake{path}", content=chunked(pieces()))
    assert response.status_code == 413
    assert response.json()["code"] == "http.too_large"
    assert taken == LIMIT / 100 + 1  # httpx reads no further than it is asked to


def test_bodies_at_the_limit_and_batches_pass() -> None:
    at_limit = b"x" * LIMIT
    for content in (at_limit, chunked([at_limit])):
        response = ask(APP, "POST", "/api/intake/complaints", content=content)
        assert response.json() == LIMIT
    batch = ask(APP, "POST", "/api/intake/complaints:batch", content=at_limit * 5)
    assert batch.json() == LIMIT * 5


def test_absurd_lengths_are_refused() -> None:
    for stated in ("9" * 5_000, "0" * 4_999 + "1"):
        response = ask(
            APP,
            "POST",
            "/api/intake/complaints",
            headers={"content-length": stated},
            content=b"x",
        )
        assert response.status_code == 413


def lines(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in every if line["event"] == event]


def test_the_log_names_routes_and_ids_and_nothing_that_was_typed(
    log: io.StringIO,
) -> None:
    typed = "13800000000"
    ask(APP, "GET", f"/api/intake/cases/{CASE}?phone={typed}")
    ask(APP, "GET", f"/api/intake/cases/{typed}")
    ask(APP, "GET", f"/api/intake/{typed}")
    ask(APP, "POST", "/api/intake/complaints", content=typed)
    answered = lines(log, "http.answered")
    assert typed not in log.getvalue()
    assert {line["level"] for line in answered} == {"debug"}
    assert [(line["route"], line.get("case_id")) for line in answered] == [
        ("/api/intake/cases/{case_id}", CASE),
        ("/api/intake/cases/{case_id}", None),
        ("unmatched", None),
        ("/api/intake/complaints", None),
    ]


def test_refused_access_and_failures_are_seen_without_debug(log: io.StringIO) -> None:
    ask(APP, "POST", "/api/intake/unread")
    response = ask(APP, "GET", "/api/intake/broken")
    denied, broken = lines(log, "http.answered")
    assert (denied["level"], denied["status"]) == ("info", 403)
    assert (broken["level"], broken["status"]) == ("warning", 500)
    (failed,) = lines(log, "http.failed")
    assert failed["correlation_id"] == response.headers["x-correlation-id"]
    assert "in broken" in failed["exception"]
    assert "Zhang" not in log.getvalue()


def test_metrics_count_by_template_and_keep_their_labels_few() -> None:
    registry = new_registry()
    app = whole(registry)
    for name in ("a", "b", "c"):
        ask(app, "GET", f"/api/intake/cases/{name}")
        ask(app, "GET", f"/{name}")
        ask(app, name.upper(), f"/api/intake/cases/{name}")
    ask(app, "GET", "/api/intake/broken")
    page = ask(app, "GET", "/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    counted = {
        line for line in page.text.splitlines() if "http_requests_total{" in line
    }
    expected = {
        ("GET", "/api/intake/cases/{case_id}", 200, 3),
        ("other", "/api/intake/cases/{case_id}", 405, 3),
        ("GET", "unmatched", 404, 3),
        ("GET", "/api/intake/broken", 500, 1),
    }
    assert counted == {
        f'amends_http_requests_total{{method="{method}",route="{route}",'
        f'status="{status}"}} {count}.0'
        for method, route, status, count in expected
    }
    assert "process_open_fds" in page.text


async def served(app: ASGIApp, path: str, *received: Message) -> list[Message]:
    """Speak ASGI as a server does, to see answers that no client could read."""
    waiting, sent = list(received), list[Message]()

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST" if received else "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
        "asgi": {"spec_version": "2.4"},
    }
    await app(scope, receive, send)
    return sent


def test_an_answer_that_breaks_half_way_is_not_given_an_end(log: io.StringIO) -> None:
    sent = asyncio.run(served(APP, "/api/intake/half"))
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert sent[-1]["more_body"] is True
    assert len(lines(log, "http.failed")) == 1


def test_a_caller_who_hangs_up_is_no_failure(log: io.StringIO) -> None:
    sent = asyncio.run(
        served(
            APP,
            "/api/intake/complaints",
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        )
    )
    assert sent == []
    assert lines(log, "http.failed") == []
    (answered,) = lines(log, "http.answered")
    assert answered["status"] == 499


def test_an_application_that_breaks_before_it_answers_is_answered_for(
    log: io.StringIO,
) -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError

    app = edge(broken, HttpMetrics(CollectorRegistry()))
    response = ask(app, "GET", "/")
    assert response.status_code == 500
    assert response.json()["code"] == "internal.unexpected"
    assert len(lines(log, "http.failed")) == 1


def test_what_is_not_http_passes_through() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def start() -> None:
        app = edge(inner, HttpMetrics(CollectorRegistry()))
        await app({"type": "lifespan"}, None, None)  # type: ignore[arg-type] # unused

    asyncio.run(start())
    assert seen == ["lifespan"]
