"""Single submissions over 32 connections, and the plain handler that they are measured by.

The yardstick, `python -m bench.singles PORT FILE`, serves a `def` endpoint of FastAPI
that takes a body and commits one row under a lock.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sqlite3
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from fastapi import FastAPI

from bench.offered import Lot
from bench.processes import Programs, answers, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measuring import Run
    from bench.offered import Offered
    from bench.processes import Amends

CONNECTIONS: Final = 32
SINGLES: Final = 1_600
QUICK: Final = 96


def singles(run: Run, amends: Amends, offered: Offered) -> None:
    """Hand complaints in one by one, to amends and to the plain handler in turns."""
    token = (amends.data / "services.token").read_text().strip()
    count = QUICK if run.quick else SINGLES

    lots = list[Lot]()

    def turn(number: int) -> Lot:
        while len(lots) <= number:
            lots.append(offered.draw(count, by_bus=False))
        return lots[number]

    with _plain(run) as port:
        ours_next, plain_next = itertools.count(), itertools.count()

        def ours() -> float:
            lot = turn(next(ours_next))
            rate, found = _posted(
                amends.ports["intake"], "/api/intake/complaints", token, lot
            )
            run.agree("statuses", Counter(found), Counter(lot.answers))
            amends.quiet()
            return rate

        def plain() -> float:
            return _posted(port, "/complaints", token, turn(next(plain_next)))[0]

        rates = run.turns({"singles": ours, "plain handler": plain}, warm=False)
    run.ratio("http/plain", rates["singles"], rates["plain handler"])
    run.figure("http/amends_rate", rates["singles"], unit="complaints/s")
    run.figure("http/plain_rate", rates["plain handler"], unit="rows/s")


@contextmanager
def _plain(run: Run) -> Iterator[int]:
    port, programs = free_port(), Programs(run.folder)
    file = str(run.folder / "plain.sqlite")
    words = [sys.executable, "-m", "bench.singles", str(port), file]
    try:
        programs.start("plain", words, os.environ)
        ready = f"http://127.0.0.1:{port}/ready"
        programs.until(lambda: answers(ready), "the plain handler answers")
        yield port
    finally:
        programs.end()


def _posted(port: int, path: str, token: str, lot: Lot) -> tuple[float, list[int]]:
    """Post every message; give requests a second, and the statuses."""
    left = [
        _request(path, token, each.key, {"channel": each.channel, **each.document})
        for each in reversed(lot.messages)
    ]
    return asyncio.run(_exchanged(port, left))


def _request(path: str, token: str, key: str, document: dict[str, Any]) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _exchanged(port: int, left: list[bytes]) -> tuple[float, list[int]]:
    """Send every request, each connection the next one when it has its answer."""
    count, statuses = len(left), list[int]()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left:
            writer.write(left.pop())
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            statuses.append(int(answer.split(b" ", 2)[1]))
            length = answer.partition(b"content-length: ")[2].split()[0]
            await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    begun = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - begun), statuses


def plain_handler(file: str) -> FastAPI:
    """Build what commits one row of each request under a lock."""
    app = FastAPI()
    lock = threading.Lock()
    database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE complaint (position INTEGER PRIMARY KEY, statement TEXT)"
    )

    @app.get("/ready")
    def ready() -> None:
        """Answer as soon as there is somebody."""

    @app.post("/complaints", status_code=201)
    def submit(given: dict[str, Any]) -> dict[str, int]:
        with lock:
            cursor = database.execute(
                "INSERT INTO complaint (statement) VALUES (?)",
                (given.get("statement"),),
            )
            return {"receipt_no": cursor.lastrowid or 0}

    return app


if __name__ == "__main__":
    uvicorn.run(
        plain_handler(sys.argv[2]),
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
        loop="uvloop",
    )
