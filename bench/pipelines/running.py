"""A yardstick's three processes and its broker, seen from outside as amends is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
from typing import TYPE_CHECKING

import nats
from nats.js.api import ConsumerConfig, StreamConfig

from bench.processes import SERVICES, Programs, free_port, rows_of, start_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nats.aio.client import Client

_STREAMS = {
    "SUBMIT": ("amends.submit.>", ("intake-submit",)),
    "INTAKE": ("amends.intake.>", ("handling",)),
    "CASES": ("amends.case.>", ("intake", "analytics")),
}


class Yardstick:
    """`bench.pipelines.<name>` at work; `textbook` or `bare`."""

    def __init__(
        self, name: str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True)
        self.name, self.folder = name, folder
        self._port, self._monitor = free_port(), free_port()
        self._environment = {**os.environ, **(environment or {})}
        self.programs = Programs(folder)

    @contextlib.contextmanager
    def running(self) -> Iterator[Yardstick]:
        try:
            start_broker(self.programs, self._port, self._monitor)
            asyncio.run(self._prepare())
            for stage in SERVICES:
                place = self.folder / stage
                place.mkdir()
                module = f"bench.pipelines.{self.name}"
                words = [sys.executable, "-m", module, stage, self._url, str(place)]
                self.programs.start(stage, words, self._environment)
            yield self
        finally:
            self.programs.end()

    def pids(self) -> Mapping[str, int]:
        return self.programs.pids()

    def committed(self) -> int:
        return self.count("analytics", "complaint_row")

    def count(self, stage: str, table: str, database: str = "store") -> int:
        """Count the rows of one table; what is not there yet has none."""
        try:
            query = f"SELECT MAX(position) FROM {table}"  # noqa: S608 our own names
            found = rows_of(self.folder / stage / f"{database}.sqlite", query)
        except sqlite3.OperationalError:
            return 0
        return int(found[0][0] or 0)

    def quiet(self) -> None:
        """Wait until all of its followers have come to the end."""
        if self.name == "bare":  # intake follows the cases as well
            self.programs.until(
                lambda: self.count("intake", "standing") >= self.committed(), "quiet"
            )

    async def connect(self) -> Client:
        return await nats.connect(self._url, pending_size=64 << 20)

    @property
    def _url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    async def _prepare(self) -> None:
        client = await self.connect()
        stream = client.jetstream()
        for name, (subjects, durables) in _STREAMS.items():
            await stream.add_stream(
                StreamConfig(name=name, subjects=[subjects], duplicate_window=120)
            )
            # FastStream makes its own durables.
            for durable in durables if self.name == "bare" else ():
                config = ConsumerConfig(durable_name=durable, max_ack_pending=10_000)
                await stream.add_consumer(name, config)
        await client.close()
