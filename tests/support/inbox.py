"""Small events for inboxes: a body that tells its case, version and position."""

import datetime as dt
import itertools
import json
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from services.kernel.errors import NewerVersionError, PoisonError
from services.kernel.inbox import INBOX_TABLES, Applied, Arrived, Following, Inbox
from services.kernel.store.database import Database, Tx, open_database
from services.kernel.store.writer import Writer
from services.kernel.vault import Vault

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
EFFECTS = """CREATE TABLE IF NOT EXISTS effect (
    consumer TEXT NOT NULL, number BIGINT NOT NULL, case_id UUID NOT NULL,
    version BIGINT NOT NULL)"""

_NUMBERS = itertools.count(1)

Key = tuple[int, int]
"""A case and a version."""


def body_of(case: int, version: int, position: int = 0) -> bytes:
    return json.dumps([case, version, position]).encode()


def vault(documents: Database | None = None) -> Vault:
    """Give a vault with its keys in a folder of its own."""
    path = Path(tempfile.mkdtemp()) / "keys.sqlite"
    keys = open_database(f"sqlite:///{path}", schema="keys")
    made = Vault(keys, documents or keys)
    weakref.finalize(made, keys.close)
    return made


@dataclass(slots=True)
class Reader:
    """Decodes; `poison` and `newer` are what it cannot read, `mute` tells no case."""

    poison: set[Key] = field(default_factory=set)
    newer: set[Key] = field(default_factory=set)
    mute: set[Key] = field(default_factory=set)

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> Arrived:
        case, version, position = json.loads(body)
        if (case, version) in self.mute:
            raise PoisonError("test.mute", "Nothing can be read.")
        if (case, version) in self.newer:
            raise_or_tell = NewerVersionError("test.newer", "Upgrade.")
            return Arrived(
                UUID(int=case),
                version,
                position,
                body,
                None,
                "newer",
                raise_or_tell.code,
            )
        fault = (case, version) in self.poison
        return Arrived(
            case_id=UUID(int=case),
            version=version,
            position=int(headers.get("Amends-Position", position)),
            body=body,
            event=None if fault else (case, version),
            fault="poison" if fault else None,
            reason="test.poison" if fault else None,
        )


class Follower:
    """A consumer's database half, and what it has effected so far."""

    def __init__(
        self,
        database: Database,
        reader: Reader | None = None,
        *,
        inbox: type[Inbox] = Inbox,
        name: str | None = None,
    ) -> None:
        self.database = database
        self.reader = reader or Reader()
        self.name = name or f"follower{next(_NUMBERS)}"
        self.vault = vault(database)
        self.inbox = inbox(
            self.name, decode=self.reader, vault=self.vault, now=lambda: NOW
        )
        self.raising: set[Key] = set()
        self.hanging: set[Key] = set()
        database.migrate((*INBOX_TABLES, EFFECTS))

    def following(self, writer: Writer) -> Following:
        return Following(
            self.inbox, database=self.database, writer=writer, effect=self.effect
        )

    def read(self, key: Key, position: int = 0) -> Arrived:
        return self.inbox.read(body_of(*key, position), {}, stream_sequence=position)

    def take(self, keys: Iterable[Key]) -> Applied:
        """Apply one batch in one transaction."""
        arrived = [self.read(key, n) for n, key in enumerate(keys, 1)]
        with self.database.write() as tx:
            return self.inbox.apply(tx, arrived, self.effect)

    def replay(self) -> Applied:
        with self.database.write() as tx:
            return self.inbox.replay(tx, self.effect)

    def effect(self, tx: Tx, events: Sequence[Arrived]) -> None:
        assert all(event.event is not None for event in events)
        row = tx.fetchone("SELECT COUNT(*) FROM effect WHERE consumer = ?", [self.name])
        assert row is not None
        tx.executemany(
            "INSERT INTO effect (consumer, number, case_id, version) VALUES (?, ?, ?, ?)",
            [
                (self.name, row[0] + n, event.case_id, event.version)
                for n, event in enumerate(events)
            ],
        )
        for event in events:  # after its row: what raised must leave no trace
            if (event.case_id.int, event.version) in self.raising:
                raise KeyError
            while (event.case_id.int, event.version) in self.hanging:
                with suppress(Exception):  # it does not help itself out
                    sum(range(1_000))

    @property
    def effects(self) -> list[Key]:
        """Everything effected, in order."""
        with self.database.read() as tx:
            rows = tx.fetchall(
                "SELECT case_id, version FROM effect WHERE consumer = ?"
                " ORDER BY number",
                [self.name],
            )
        return [(case_id.int, version) for case_id, version in rows]

    def by_case(self) -> dict[int, list[int]]:
        cases: dict[int, list[int]] = {}
        for case, version in self.effects:
            cases.setdefault(case, []).append(version)
        return cases

    def waiting(self) -> dict[str, int]:
        with self.database.read() as tx:
            found = self.inbox.rows.waiting(tx)
        counts = {"gap": found.gaps, "newer": found.newer, "poison": found.poison}
        return {reason: count for reason, count in counts.items() if count}
