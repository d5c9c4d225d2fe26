"""Intake over real databases, with a clock and ids that a test decides."""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from events import codec
from events.envelope import Envelope
from services.intake.application.inquiries import Inquiries
from services.intake.application.registering import Receipt, Registrar, Request
from services.intake.application.submitting import Intake
from services.intake.persistence import IntakeRecord, texts
from services.kernel.access import ANONYMOUS, OPERATOR, Credential
from services.kernel.clock import new_uuid7
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import Database
from services.kernel.store.writer import Writer
from services.kernel.vault import (
    BlindIndex,
    Files,
    Upload,
    Uploads,
    Vault,
    WordFollower,
    WordIndex,
)
from tests.support.files import LIMIT, MemoryObjects, upload

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
CLERK = Credential(actor="lin", role="agent", department="front-office")
HOTLINE = Credential(actor="hotline", role="channel", channel="phone")
GOOD: dict[str, Any] = {
    "channel": "web",
    "statement": "The kettle leaks.",
    "contact": {"email": "ada@example.org"},
}
__all__ = ["ANONYMOUS", "CLERK", "GOOD", "HOTLINE", "NOW", "OPERATOR", "Bench", "bench"]


@dataclass
class Bench:
    """Intake and what lies under it."""

    intake: Intake
    registrar: Registrar
    inquiries: Inquiries
    follower: WordFollower
    store: EventStore[Envelope[Any]]
    vault: Vault
    record: IntakeRecord
    keys: Database
    writer: Writer
    files: Files
    uploads: Uploads
    moments: list[dt.datetime] = field(default_factory=lambda: [NOW])

    def request(
        self,
        document: object = GOOD,
        *,
        key: str | None = None,
        caller: Credential = CLERK,
    ) -> Request:
        return self.intake.prepare(
            document, key=key, caller=caller, correlation_id="test"
        )

    def file(self, *requests: Request) -> Sequence[Receipt | Exception]:
        return self.registrar.register(requests)

    def one(self, document: object = GOOD, **how: Any) -> Receipt:
        (answer,) = self.file(self.request(document, **how))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def submit(self, document: object = GOOD, **how: Any) -> Receipt:
        """Go the whole way, through the writer's thread."""
        given = {"key": None, "caller": CLERK, "correlation_id": "test"} | how
        self.writer.start()
        try:
            return asyncio.run(self.intake.submit(document, **given))
        finally:
            self.writer.stop()

    def uploaded(
        self, content: bytes, *, name: str = "leak.jpg", owner: str = "anonymous"
    ) -> Upload:
        return upload(self.uploads, content, name=name, owner=owner)

    def events(self) -> list[Envelope[Any]]:
        return [codec.decode(entry.body) for entry in self.store.log(0, 10_000)]

    def words(self, document_id: UUID) -> str:
        return self.vault.open(document_id).plaintext.decode()


def bench(make_database: Callable[..., Database]) -> Bench:
    moments = [NOW]

    def now() -> dt.datetime:
        return moments[-1]

    keys = make_database("keys", secure_delete=True)
    database = make_database("intake")
    store = open_store(database, name="intake", codec=codec, now=now)
    vault = Vault(keys, database)
    words = WordIndex(keys, database)
    index = BlindIndex(keys, database, region="CN")
    objects = MemoryObjects()
    files = Files(keys, database, objects, vault)
    uploads = Uploads(keys, database, objects, limit=LIMIT, now=now)
    record = IntakeRecord(store, vault, files, index, words, keys=keys)
    writer = Writer("test")
    registrar = Registrar(
        record,
        vault,
        files,
        uploads,
        tenant="default",
        now=now,
        new_id=new_uuid7,
    )
    intake = Intake(
        record, registrar, uploads, writer=writer, now=now, new_id=new_uuid7
    )
    follower = WordFollower(
        "intake",
        store,
        database,
        writer,
        index=words,
        vault=vault,
        texts=texts,
        erased=record.erasures.among,
    )
    inquiries = Inquiries(record, vault, files, follower, writer=writer, now=now)
    return Bench(
        intake,
        registrar,
        inquiries,
        follower,
        store,
        vault,
        record,
        keys,
        writer,
        files,
        uploads,
        moments,
    )
