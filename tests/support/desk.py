"""The desk's pages over a database of their own, with a viewer whom the test sets."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from events import codec
from events.examples import EXAMPLES
from events.vocabulary import Origin, Precision
from services.handling.application.cases import Handling
from services.handling.application.commanding import Asked, Commanding, Done
from services.handling.application.finding import Finding
from services.handling.application.reading import Words
from services.handling.pages import (
    desk,
    desk_case,
    desk_codes,
    desk_files,
    handling_pages,
)
from services.handling.persistence import HandlingRecord, WorkList, texts
from services.handling.ports import Clause, Look, NewCode, Paper, Sheet
from services.kernel.access import Credential
from services.kernel.clock import new_uuid7
from services.kernel.errors import UnavailableError
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.writer import Writer
from services.kernel.vault import (
    KINDS,
    Erasures,
    Readings,
    Vault,
    WordFollower,
    WordIndex,
    searchable,
    spelled,
)
from services.kernel.vault.labels import sniff
from services.kernel.vault.pieces import PIECE
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.problems import install
from tests.support.browsing import Browser, hidden
from tests.support.files import in_memory
from tests.support.given import DEFAULT_POLICY
from tests.support.timing import CLOCKWORK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    import httpx
    from starlette.requests import Request

    from events.envelope import Actor, Envelope
    from services.kernel.store.database import Database

NOW: Final = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
RECEIVED: Final[Envelope[Any]] = EXAMPLES["ComplaintReceived"]
CASE: Final = RECEIVED.case_id
ANN: Final = Credential("user-ann", "agent", "front-office")
HAN: Final = Credential("user-han", "department_handler", "quality")
HEDDA: Final = Credential("user-hedda", "department_head", "quality")
STATEMENT: Final = "It leaks. 漏水。"
WHOLE: Final = {"contact": {"name": "Wang Fang", "phone": "+8613812345521"}}
MASKED: Final = {"contact": {"name": "W•••", "phone": "••••5521"}}


class FakeIntake:
    """Has a statement and particulars for every case; `away` makes it silent."""

    def __init__(self) -> None:
        self.away = False
        self.unsearched_since: dt.datetime | None = None
        self.looks: list[Look] = []
        photo = RECEIVED.data.attachments[0].document_id
        self.files: dict[UUID, tuple[bytes, str]] = {photo: (b"GIF89a\0", "leak.gif")}
        self.known: dict[tuple[str, str], set[UUID]] = {}
        """The cases that have a mark, or a word of the statement."""

    def know(self, case_id: UUID, kind: str, value: str) -> None:
        self.known.setdefault((kind, _spelled(kind, value)), set()).add(case_id)

    async def find(
        self, clauses: Sequence[Clause]
    ) -> tuple[list[set[UUID]], dt.datetime | None]:
        if self.away:
            raise UnavailableError("handling.finding_away", "Not now.")
        found: list[set[UUID]] = [
            set().union(
                *(
                    self.known.get((kind, _spelled(kind, value)), set())
                    for kind, value in clause
                )
            )
            for clause in clauses
        ]
        return found, self.unsearched_since

    async def open(self, look: Look) -> Paper:
        self.looks.append(look)
        if self.away:
            raise UnavailableError("handling.words_away", "Not now.")
        particulars = RECEIVED.data.particulars
        if particulars and look.document_id == particulars.document_id:
            shown = WHOLE if look.purpose else MASKED
            content = json.dumps(shown).encode()
            return Paper("particulars", "application/json", content, not look.purpose)
        return Paper("statement", "text/plain; charset=utf-8", STATEMENT.encode())

    async def file(self, look: Look) -> Sheet:
        self.looks.append(look)
        if self.away:
            raise UnavailableError("handling.words_away", "Not now.")
        content, name = self.files[look.document_id]
        fingerprint = hashlib.sha256(content).hexdigest()
        return Sheet("photo", name, sniff(content), len(content), fingerprint)

    async def piece(self, look: Look, number: int) -> bytes:
        if self.away:
            raise UnavailableError("handling.words_away", "Not now.")
        content, _ = self.files[look.document_id]
        return content[number * PIECE : (number + 1) * PIECE]


class FakeCodes:
    """Makes a new code for any case, and notes for whom."""

    def __init__(self) -> None:
        self.made: list[tuple[UUID, str, str | None, str | None]] = []

    async def renew(
        self,
        case_id: UUID,
        sender: Credential,
        *,
        key: str | None = None,
        verified: str | None = None,
    ) -> NewCode:
        self.made.append((case_id, sender.actor, key, verified))
        return NewCode(RECEIVED.data.receipt_no, "NEWC-ODEN-EWCO", MASKED["contact"])


def _spelled(kind: str, value: str) -> str:
    found = searchable(kind, value, region="CN") if kind in KINDS else spelled(value)
    assert found, (kind, value)
    return found


class DeskHouse:
    """The desk with one received case in it; `sit` says who looks."""

    def __init__(self, make_database: Callable[[str], Database]) -> None:
        self._sitting = STRANGER
        self.intake, self.codes = FakeIntake(), FakeCodes()
        self.database = make_database("handling")
        self.store: EventStore[Any] = open_store(
            self.database, name="handling", codec=codec, now=lambda: NOW
        )
        keys = make_database("keys")
        self.vault = vault = Vault(keys, self.database)
        self.words = WordIndex(keys, self.database)
        self.files, self.uploads = in_memory(keys, self.database, vault)
        self.work_list = WorkList(self.database, CLOCKWORK)
        self.handling = Handling(self.store, self.work_list)
        self.readings = Readings(self.database)
        self.writer = Writer("desk")
        self.record = HandlingRecord(self.store, self.work_list, vault, self.files)
        self.follower = WordFollower(
            "handling",
            self.store,
            self.database,
            self.writer,
            index=self.words,
            vault=vault,
            texts=texts,
            erased=Erasures(vault, keys, self.database).among,
        )
        self.commanding = Commanding(
            self.record,
            vault,
            self.files,
            self.uploads,
            policy=DEFAULT_POLICY,
            secret=b"s" * 32,
            tenant="default",
            now=lambda: NOW,
            new_id=new_uuid7,
        )
        self.finding = Finding(
            self.work_list,
            self.words,
            self.follower,
            self.intake,
            self.readings,
            policy=DEFAULT_POLICY,
            secret=b"d" * 32,
            region="CN",
            writer=self.writer,
            now=lambda: NOW,
        )
        pages = handling_pages(viewers=self, secret=b"f" * 32, time_zone="UTC")
        words = Words(
            vault,
            self.files,
            self.readings,
            self.intake,
            writer=self.writer,
            now=lambda: NOW,
        )
        app = FastAPI()
        app.include_router(
            desk.router(
                self.handling,
                self.finding,
                pages,
                policy=DEFAULT_POLICY,
                now=lambda: NOW,
            )
        )
        app.include_router(
            desk_files.router(self.handling, words, pages, policy=DEFAULT_POLICY)
        )
        app.include_router(
            desk_codes.router(self.handling, self.codes, pages, policy=DEFAULT_POLICY)
        )
        app.include_router(
            desk_case.router(
                self.handling,
                self.commanding,
                self.writer,
                words,
                pages,
                uploads=self.uploads,
                clockwork=CLOCKWORK,
                names=lambda: {"user-ann": "Ann Li"},
                now=lambda: NOW,
            )
        )
        install(app)
        self.browser = Browser(app)
        self.writer.start()

    async def viewer(self, _request: Request) -> Viewer:
        return self._sitting

    def sit(self, who: Credential) -> Browser:
        """Have somebody sit down before the screen."""
        self._sitting = Viewer(who, "Somebody", "proof")
        return self.browser

    def close(self) -> None:
        self.writer.stop()

    def send(self, command: str, **fields: Any) -> httpx.Response:
        """Open the case and send one of its forms, with what the page says of it."""
        page = self.browser.get(f"/desk/cases/{CASE}").text
        known = {name: hidden(page, name) for name in ("version", "key", "csrf")}
        return self.browser.post(
            f"/desk/cases/{CASE}/do/{command}", {**known, **fields}
        )

    def receive(
        self,
        case_id: UUID = CASE,
        *,
        origin: Origin = Origin.LIVE,
        day: dt.datetime | None = None,
        **changes: Any,
    ) -> None:
        """Take a complaint over; `changes` are those of its data.

        `day` is the midnight of the day that it was received on, if no more is known.
        """
        known = {"occurred_at": day, "occurred_precision": Precision.DAY}
        event = RECEIVED.model_copy(
            update={
                "case_id": case_id,
                "origin": origin,
                "event_id": new_uuid7(NOW),
                "data": RECEIVED.data.model_copy(update=changes),
                **(known if day else {}),
            }
        )
        with self.database.write() as tx:
            self.handling.take_over(tx, [(event, codec.encode(event))])

    def give(
        self, actor: Actor, name: str, *, case_id: UUID = CASE, **payload: Any
    ) -> Done:
        """Carry out a command beside the pages."""
        asked = Asked(
            case_id=case_id,
            name=name,
            payload=payload,
            actor=actor,
            correlation_id="beside",
        )
        (done,) = self.commanding.carry_out([asked])
        if isinstance(done, Exception):
            raise done
        return done
