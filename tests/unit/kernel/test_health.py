"""Ready means that every required check says so in time; each says why not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from services.kernel.web import health
from services.kernel.web.health import Check, Health, health_router
from tests.support.asgi import ask


def check(name: str, found: Health, *, required: bool = True) -> Check:
    async def answer() -> Health:
        return found

    return Check(name, answer, required)


def ready(*checks: Check) -> tuple[int, dict[str, Any]]:
    app = FastAPI()
    app.include_router(health_router(checks))
    response = ask(app, "GET", "/health/ready")
    return response.status_code, response.json()


def test_live_asks_nobody() -> None:
    app = FastAPI()
    app.include_router(health_router([check("store", Health(ok=False))]))
    response = ask(app, "GET", "/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})


def test_all_well() -> None:
    status, body = ready(check("store", Health(ok=True, detail="position 7")))
    assert status == 200
    assert body == {
        "status": "ready",
        "checks": {"store": {"ok": True, "required": True, "detail": "position 7"}},
    }


def test_one_required_failure_is_enough_and_the_others_are_told_too() -> None:
    status, body = ready(
        check("store", Health(ok=True)),
        check("relay", Health(ok=False, detail="behind")),
    )
    assert (status, body["status"]) == (503, "not_ready")
    assert body["checks"]["relay"]["detail"] == "behind"
    assert body["checks"]["store"]["ok"] is True


def test_a_check_that_is_not_required_is_told_only() -> None:
    status, body = ready(check("sync", Health(ok=False), required=False))
    assert (status, body["status"]) == (200, "ready")
    assert body["checks"]["sync"]["ok"] is False


async def _hang() -> Health:
    await asyncio.Event().wait()
    raise AssertionError


async def _break() -> Health:
    message = "secret words"
    raise ConnectionError(message)


@pytest.mark.parametrize(
    ("ask_it", "detail"),
    [(_hang, "no answer within 0.01 s"), (_break, "ConnectionError")],
)
def test_a_check_that_hangs_or_breaks_has_failed(
    ask_it: Callable[[], Awaitable[Health]],
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(health, "_PATIENCE", 0.01)
    caplog.set_level(logging.CRITICAL)
    status, body = ready(Check("broker", ask_it), check("store", Health(ok=True)))
    assert status == 503
    assert body["checks"]["broker"]["detail"] == detail
    assert body["checks"]["store"]["ok"] is True
