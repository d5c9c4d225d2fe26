"""Is this process alive, and may it be sent work: named checks, each with a reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.kernel.web.serving import ending

_PATIENCE: Final = 2.0  # seconds; a check that hangs has failed
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """What one check found; `detail` in codes and figures, for engineers."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A named question; when a required one fails, the process asks for no work."""

    name: str
    ask: Callable[[], Awaitable[Health]]
    required: bool = True


def health_router(checks: Sequence[Check]) -> APIRouter:
    """Serve `/health/live` and `/health/ready` (200, or 503 with the same body)."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get(
        "/ready",
        responses={
            503: {"description": "A required check failed, or the process ends"}
        },
    )
    async def ready(request: Request) -> JSONResponse:
        if ending(request.scope).is_set():
            return JSONResponse({"status": "ending", "checks": {}}, status_code=503)
        found = await asyncio.gather(*(_ask(check) for check in checks))
        pairs = list(zip(checks, found, strict=True))
        ok = all(health.ok for check, health in pairs if check.required)
        body: dict[str, Any] = {
            "status": "ready" if ok else "not_ready",
            "checks": {
                check.name: {
                    "ok": health.ok,
                    "required": check.required,
                    "detail": health.detail,
                }
                for check, health in pairs
            },
        }
        return JSONResponse(body, status_code=200 if ok else 503)

    return router


async def _ask(check: Check) -> Health:
    try:
        return await asyncio.wait_for(check.ask(), _PATIENCE)
    except TimeoutError:
        return Health(ok=False, detail=f"no answer within {_PATIENCE:g} s")
    except Exception as error:  # noqa: BLE001 - a broken check is a failed check
        _log.warning("health.check_broken", check=check.name, exc_info=True)
        return Health(ok=False, detail=type(error).__name__)
