"""A store with a ledger over it, on either database, filled with small facts."""

from __future__ import annotations

import datetime as dt
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.kernel.ledger.checkpoint import Signer
from services.kernel.ledger.sealer import Sealer
from services.kernel.ledger.tree import Ledger
from services.kernel.ledger.verify import verify
from services.kernel.store.application import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.kernel.ledger.findings import Report
    from services.kernel.store.database import Database

START = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)

Fact = tuple[UUID, int, str]


class FactCodec:
    """A fact is its key and nothing else."""

    def encode(self, event: Fact) -> bytes:
        return "|".join(map(str, event)).encode()

    def decode(self, body: bytes) -> Fact:
        case, version, name = body.decode().split("|")
        return UUID(case), int(version), name

    def key(self, event: Fact) -> Fact:
        return event


class Record:
    """One service's store as its writer sees it; the ledger follows at once."""

    def __init__(self, database: Database, *, signer: Signer | None = None) -> None:
        self.database = database
        self.signer = signer or Signer("amends/test/store", bytes(range(32)))
        self.ledger = Ledger(database, self.signer)
        seconds = count()
        inside = self.ledger if database.dialect == "sqlite" else None
        self.store = open_store(
            database,
            name="store",
            codec=FactCodec(),
            now=lambda: START + dt.timedelta(seconds=next(seconds)),
            ledger=inside,
        )
        self.sealer = None if inside else Sealer(database, self.ledger)
        self._versions = count(1)

    def write(self, *batches: int) -> None:
        """Append batches of so many facts, each in a transaction of its own."""
        for size in batches:
            case = UUID(int=1 << 127 | next(self._versions))
            facts = [(case, version, "Noted") for version in range(1, size + 1)]
            with self.database.write() as tx:
                self.store.put(tx, facts)
        self.seal()

    def seal(self) -> None:
        if self.sealer is not None:
            self.sealer.seal()

    def verify(self, **options: Any) -> Report:
        options.setdefault("peek", FactCodec().decode)
        return verify(self.database, self.signer.verifier, **options)

    def edit(self, sql: str, params: Sequence[object] = ()) -> None:
        """Do what an administrator with a database shell does."""
        with self.database.write() as tx:
            tx.execute(sql, params)

    def value(self, sql: str, params: Sequence[object] = ()) -> Any:
        with self.database.read() as tx:
            row = tx.fetchone(sql, params)
        assert row is not None
        return row[0]

    def positions(self) -> list[int]:
        return [entry.position for entry in self.store.log(0, 10_000)]
