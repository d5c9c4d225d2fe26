"""What finding by words costs those who hand in: rates with and without the index.

Both arms take turns in one run; each figure is the median of the rounds' ratios. After
each turn the index catches up, so that no turn pays for another's words; `whole` counts
that time too. `--control` has each batch wait until its words are found: the rate must
fall below what is promised.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.erasure.running import Amends
from bench.finding.house import Intake
from bench.finding.texts import Texts
from bench.line import BROKEN, KEPT, line, options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from bench.line import Options, Size

BATCH: Final = 0.85
SINGLES: Final = 0.95
"""What is promised at least, of the rates without an index."""

_ROUNDS: Final[Mapping[Size, int]] = {"ci": 7, "night": 15}
_AT_ONCE: Final = 100
_BATCHES: Final = 10
_CONNECTIONS: Final = 32
_SINGLES: Final = 640


def main() -> int:
    given = options(__doc__ or "")
    chance = random.Random(given.seed)  # noqa: S311 it must repeat
    texts = Texts(chance)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="amends-words-") as folder:
        figures = asyncio.run(_batches(Path(folder), given, texts))
        if not given.control:
            figures |= _over_http(Path(folder), given, texts)
    figures["seconds"] = round(time.monotonic() - begun)
    figures["seed"] = given.seed
    print(line("WORDS", figures))
    kept = figures["batch"] >= BATCH and figures.get("http", 0) >= SINGLES
    return KEPT if kept else BROKEN


async def _batches(folder: Path, given: Options, texts: Texts) -> dict[str, Any]:
    """Register complaints a hundred at a time, over a database and nothing else."""
    arms = {
        name: Intake(folder / name, words=name == "with", at_once=given.control)
        for name in ("with", "without")
    }
    ratios, wholes, caught_up = list[float](), list[float](), list[float]()
    try:
        for each in arms.values():
            each.start()
        for turn in range(_ROUNDS[given.size] + 1):
            complaints = [texts.complaint() for _ in range(_AT_ONCE * _BATCHES)]
            took: dict[str, tuple[float, float]] = {}
            for name in sorted(arms, reverse=bool(turn % 2)):
                took[name] = await arms[name].register(complaints, _AT_ONCE)
            sys.stderr.write(f"  batch seconds (registered, found): {took}\n")
            if turn:  # the first one warms up
                (with_, behind), (without, _) = took["with"], took["without"]
                ratios.append(without / with_)
                wholes.append(without / (with_ + behind))
                caught_up.append(len(complaints) / max(behind, 1e-9))
        size = arms["with"].bytes_per_word()
    finally:
        for each in arms.values():
            await each.stop()
    return {
        "batch": round(statistics.median(ratios), 2),
        "whole": round(statistics.median(wholes), 2),
        "behind_per_s": round(statistics.median(caught_up)),
        "bytes_per_word": round(size),
    }


def _over_http(folder: Path, given: Options, texts: Texts) -> dict[str, Any]:
    """Submit one at a time over 32 connections, to two whole amends in turns."""
    ratios = list[float]()
    with ExitStack() as running:
        arms: dict[str, httpx.Client] = {}
        for name in ("with", "without"):
            place = folder / f"http-{name}"
            place.mkdir()
            module = "services.cli" if name == "with" else "bench.finding.without"
            amends = Amends(place, module=module)
            arms[name] = running.enter_context(amends.running())
        for turn in range(_ROUNDS[given.size] + 1):
            bodies = [json.dumps(texts.complaint()).encode() for _ in range(_SINGLES)]
            took: dict[str, float] = {}
            for name in sorted(arms, reverse=bool(turn % 2)):
                began = time.perf_counter()
                asyncio.run(_submitted(arms[name], bodies))
                took[name] = time.perf_counter() - began
                if name == "with":
                    _await_found(arms[name])
            sys.stderr.write(f"  http seconds: {took}\n")
            if turn:
                ratios.append(took["without"] / took["with"])
    return {"http": round(statistics.median(ratios), 2)}


async def _submitted(client: httpx.Client, bodies: Sequence[bytes]) -> None:
    """Send every body, each connection the next one when it has its answer."""
    left = list(bodies)
    head = (
        "POST /api/intake/complaints HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/json\r\n"
        f"Authorization: {client.headers['Authorization']}\r\nContent-Length: "
    ).encode()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(
            client.base_url.host, client.base_url.port
        )
        while left:
            body = left.pop()
            writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 201"):
                raise RuntimeError(answer.decode())
            length = answer.lower().partition(b"content-length: ")[2].split()[0]
            await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(_CONNECTIONS)))


def _await_found(client: httpx.Client) -> None:
    """Wait until a search looks at everything."""
    while True:
        found = client.get("/api/handling/cases", params={"q": "zzz", "limit": 1})
        found.raise_for_status()
        if found.json()["unsearched_since"] is None:
            return


if __name__ == "__main__":
    sys.exit(main())
