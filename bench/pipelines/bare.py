"""The least that takes the same hops: `python -m bench.pipelines.bare STAGE URL FOLDER`.

The same streams, purges, commits, AES-GCM calls and numbers of rows as amends has,
and no domain: nothing is read, decided, folded, hashed or proved. A message says in a
header how many rows of which table it is worth.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats
import uvloop
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

WORTH: Final = "Worth"
"""Header: `documents marks keys`, or `0` for what becomes no case."""

BATCH: Final = 500
ROOM: Final = 1_000
WINDOW: Final = 500
_BODY: Final = os.urandom(900)  # as long as an event
_ROW: Final = os.urandom(150)
_NEXT: Final = "$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
_PURGE: Final = "$JS.API.STREAM.PURGE.{stream}"

_SEQUENCE: Final = -4
"""Place of the stream's sequence in the subject of an acknowledgement, from its end."""

Rows = dict[str, int]


@dataclass(frozen=True, slots=True)
class Hop:
    """From a stream by a durable into databases, and on to a subject."""

    stream: str
    durable: str
    rows: Callable[[Mapping[str, str]], Mapping[str, Rows]]
    """What a message is worth: for each database, in the order of commits, its rows."""
    to: str | None = None
    purging: bool = False


def _received(headers: Mapping[str, str]) -> Mapping[str, Rows]:
    documents, marks, keys = (int(word) for word in headers[WORTH].split())
    return {
        "keys": {"vault_key": keys},
        "store": {
            "stored_events": 1,
            "ledger_node": 2,
            "vault_document": documents,
            "blind_mark": marks,
            "submission": 1,
        },
        "words": {"worded": 1},
    }


STAGES: Final = {
    "intake": (
        Hop("SUBMIT", "intake-submit", _received, "amends.intake.web", purging=True),
        Hop(
            "CASES",
            "intake",
            lambda _: {"store": {"inbox_case": 1, "standing": 1, "step": 1}},
        ),
    ),
    "handling": (
        Hop(
            "INTAKE",
            "handling",
            lambda _: {
                "store": {
                    "stored_events": 1,
                    "ledger_node": 2,
                    "work_list": 1,
                    "inbox_case": 1,
                }
            },
            "amends.case.0.ComplaintReceived",
        ),
    ),
    "analytics": (
        Hop(
            "CASES",
            "analytics",
            lambda _: {
                "store": {"complaint_row": 1, "log_position": 1, "inbox_case": 1}
            },
        ),
    ),
}


class Databases:
    """The SQLite files of one stage; each commit is on disk before it returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, sqlite3.Connection] = {}
        self._tables: set[tuple[str, str]] = set()
        self._ciphers = deque(AESGCM(os.urandom(32)) for _ in range(64))
        self.delay = float(os.environ.get("BENCH_COMMIT_DELAY", "0"))

    def commit(self, worth: Sequence[Mapping[str, Rows]]) -> None:
        """Write what a batch is worth: one transaction in each database."""
        for name in dict.fromkeys(name for each in worth for name in each):
            rows: Rows = {}
            for each in worth:
                for table, count in each.get(name, {}).items():
                    rows[table] = rows.get(table, 0) + count
            self._write(name, {table: n for table, n in rows.items() if n})

    def _write(self, name: str, rows: Rows) -> None:
        if not rows:
            return
        # The index of words lies in the store, in transactions of its own.
        database = self._database("store" if name == "words" else name)
        for table in rows:
            if (name, table) not in self._tables:
                self._tables.add((name, table))
                database.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (position INTEGER PRIMARY KEY,"
                    " id BLOB NOT NULL UNIQUE, body BLOB NOT NULL)"
                )
        database.execute("BEGIN IMMEDIATE")
        for table, count in rows.items():
            made = [(os.urandom(16), self._body(table)) for _ in range(count)]
            database.executemany(f"INSERT INTO {table} (id, body) VALUES (?, ?)", made)  # noqa: S608 our own names
        if self.delay:
            time.sleep(self.delay)
        database.execute("COMMIT")

    def _body(self, table: str) -> bytes:
        if table == "vault_document":
            self._ciphers.rotate()
            return self._ciphers[0].encrypt(os.urandom(12), _BODY, None)
        return _BODY if table == "stored_events" else _ROW

    def _database(self, name: str) -> sqlite3.Connection:
        if name not in self._open:
            path = self._folder / f"{name}.sqlite"
            database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False
            )
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            self._open[name] = database
        return self._open[name]


class Sending:
    """Messages and deletions under way, no more than the window allows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._free = asyncio.Semaphore(WINDOW)

    async def open(self) -> None:
        await self._client.subscribe(self._inbox, cb=self._acknowledged)

    async def send(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        await self._free.acquire()
        await self._client.publish(subject, body, reply=self._inbox, headers=headers)

    async def _acknowledged(self, message: Msg) -> None:
        if b'"error"' in message.data:
            raise RuntimeError(message.data.decode())
        self._free.release()


class Pulling:
    """A request for messages that always stands; what gathers is the next batch."""

    def __init__(self, client: Client, hop: Hop) -> None:
        self._client = client
        self._subject = _NEXT.format(stream=hop.stream, durable=hop.durable)
        self._inbox = client.new_inbox()
        self._gathered: deque[Msg] = deque()
        self._asked = 0
        self._stir = asyncio.Event()

    async def open(self) -> None:
        await self._client.subscribe(self._inbox, cb=self._receive)

    async def take(self) -> list[Msg]:
        free = ROOM - self._asked - len(self._gathered)
        if 2 * free >= ROOM:
            request = {"batch": free, "expires": 30_000_000_000}
            body = json.dumps(request).encode()
            await self._client.publish(self._subject, body, reply=self._inbox)
            self._asked += free
        if not self._gathered:
            self._stir.clear()
            await self._stir.wait()
        count = min(BATCH, len(self._gathered))
        return [self._gathered.popleft() for _ in range(count)]

    async def _receive(self, message: Msg) -> None:
        if message.reply:
            self._asked -= 1
            self._gathered.append(message)
        else:
            self._asked = 0  # it expired
        self._stir.set()


async def run_hop(
    client: Client, hop: Hop, databases: Databases, writer: ThreadPoolExecutor
) -> None:
    pulling, sending = Pulling(client, hop), Sending(client)
    await pulling.open()
    await sending.open()
    loop = asyncio.get_running_loop()
    while True:
        batch = await pulling.take()
        if not batch:
            continue  # its request has expired
        cases = [each for each in batch if (each.headers or {}).get(WORTH) != "0"]
        worth = [hop.rows(each.headers or {}) for each in cases]
        await loop.run_in_executor(writer, databases.commit, worth)
        if hop.to:
            for _ in cases:
                await sending.send(hop.to, _BODY, {WORTH: "1"})
        for each in batch:
            await client.publish(each.reply, b"+ACK")
        if hop.purging:
            last = int(batch[-1].reply.split(".")[_SEQUENCE])
            purge = b'{"seq":%d}' % (last + 1)
            await sending.send(_PURGE.format(stream=hop.stream), purge)


async def main(stage: str, url: str, folder: str) -> None:
    client = await nats.connect(url, pending_size=64 << 20)
    databases = Databases(Path(folder))
    with ThreadPoolExecutor(1) as writer:
        hops: list[Any] = [
            run_hop(client, hop, databases, writer) for hop in STAGES[stage]
        ]
        await asyncio.gather(*hops)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:4]))
