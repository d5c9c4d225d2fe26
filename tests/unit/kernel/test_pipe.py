"""How far a pipeline was accepted, whatever order the answers come in."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from services.kernel.broker.pipe import Pipe


def test_the_lowest_refusal_counts_whichever_is_told_first() -> None:
    """Else the hint would pass over an event that the stream has not (simulation)."""

    async def work() -> list[int]:
        told: list[str] = []

        async def publish(_: str, __: bytes, reply: str, headers: object) -> None:
            del headers
            told.append(reply)

        pipe = Pipe(SimpleNamespace(publish=publish), "CASES")  # type: ignore[arg-type]  # all that it needs
        for position in (10, 11, 12):
            await pipe.send(position, "amends.case.1.Tried", b"{}", {})
        pipe.handled = 12

        async def answer(reply: str, **said: Any) -> int:
            body = json.dumps({"stream": "CASES", **said}).encode()
            await pipe._on_answer(SimpleNamespace(subject=reply, data=body))  # type: ignore[arg-type]
            return pipe.position

        first, second, third = told
        wrong = {"error": {"description": "wrong last msg ID"}}
        return [
            await answer(third, **wrong),
            await answer(second, **wrong),
            await answer(first, seq=10),
        ]

    assert asyncio.run(work()) == [9, 9, 10]
