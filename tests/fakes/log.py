"""A store's log in memory, for relays."""

import hashlib
from collections.abc import Callable
from uuid import UUID

from services.kernel.store.recorder import LogEntry


class MemoryLog:
    """Every `append` is committed at once; `holes` are positions that do not exist."""

    def __init__(self, name: str = "store", epoch: str = "e1") -> None:
        self.name = name
        self.epoch = epoch
        self.entries: list[LogEntry] = []
        self.reads: list[int] = []
        self._wake: list[Callable[[], None]] = []

    def append(
        self, case: int = 1, body: bytes | None = None, *, position: int | None = None
    ) -> LogEntry:
        position = position or self.last_position() + 1
        version = 1 + sum(entry.case_id.int == case for entry in self.entries)
        body = body if body is not None else f"{self.name}:{position}".encode()
        leaf = hashlib.sha256(b"\0" + body).digest()
        entry = LogEntry(position, 0, UUID(int=case), version, "Tried", body, leaf)
        self.entries.append(entry)
        for wake in self._wake:
            wake()
        return entry

    def log(self, after: int, limit: int) -> list[LogEntry]:
        self.reads.append(after)
        return [entry for entry in self.entries if entry.position > after][:limit]

    def last_position(self) -> int:
        return self.entries[-1].position if self.entries else 0

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._wake.append(callback)
