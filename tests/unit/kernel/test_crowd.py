"""Who comes when it is full is told so at once; what is under way ends as it would."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from services.kernel.errors import UnavailableError
from services.kernel.room import LEAST, Room
from services.kernel.web.crowd import Crowd

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Slow:
    """An application that reads the body and answers when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        if scope["path"] != "/health/live":
            await self.let.wait()
        await PlainTextResponse("done")(scope, receive, send)


def asked(
    first: list[bytes], then: list[bytes], path: str = "/api/x", **limits: int
) -> list[httpx.Response]:
    """Send `first`, and while they are held `then`; gives the answers to both."""

    async def scenario() -> list[httpx.Response]:
        slow = Slow()
        transport = httpx.ASGITransport(Crowd(slow, **limits))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            held = [
                asyncio.create_task(http.post("/api/x", content=body)) for body in first
            ]
            while slow.inside < len(first):  # noqa: ASYNC110  (they run beside)
                await asyncio.sleep(0)
            late = [await http.post(path, content=body) for body in then]
            slow.let.set()
            answered = await asyncio.gather(*held)
            again = [await http.post("/api/x", content=body) for body in then]
            return [*answered, *late, *again]

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("first", "limits"),
    [([b"", b""], {"requests": 2}), ([b"x" * 60], {"bodies": 100})],
    ids=["requests", "bytes"],
)
def test_one_too_many_is_told_at_once_and_taken_later(first, limits) -> None:
    *held, late, again = asked(first, [b"x" * 60], **limits)
    assert [each.status_code for each in held] == [200] * len(first)
    assert late.status_code == 503
    assert late.json()["code"] == "service.crowded"
    assert int(late.headers["retry-after"]) > 0
    assert again.status_code == 200


def test_health_is_told_however_crowded_it_is() -> None:
    *_, late, _ = asked([b""], [b""], "/health/live", requests=1)
    assert late.status_code == 200


def test_a_large_body_alone_is_no_crowd() -> None:
    (answer,) = asked([b"x" * 500], [], bodies=100)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("total", "free", "enough"),
    [
        (10**12, LEAST, True),
        (10**12, LEAST - 1, False),
        (8 * 10**6, 80_000, True),  # of a small disk one hundredth
        (8 * 10**6, 79_999, False),
    ],
)
def test_nothing_is_taken_in_where_the_disk_is_nearly_full(total, free, enough) -> None:
    room = Room(Path(), usage=lambda _: (total, total - free, free))
    if enough:
        room.require()
        return
    with pytest.raises(UnavailableError) as refused:
        room.require()
    assert refused.value.code == "service.no_room"
    assert refused.value.retry_after > 0


def test_room_that_was_made_is_seen_without_a_restart() -> None:
    left = [0, 10**9]
    room = Room(Path(), usage=lambda _: (10**12, 0, left.pop(0)), every=0)
    with pytest.raises(UnavailableError):
        room.require()
    room.require()
