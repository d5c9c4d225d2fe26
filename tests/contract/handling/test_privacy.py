"""A person is erased from handling: every case told once, no word left, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from events import codec
from events.catalogue import SubjectErased
from events.envelope import Actor
from events.examples import EXAMPLES
from events.vocabulary import ErasureBasis
from services.handling.application.cases import Handling
from services.handling.application.commanding import Asked, Commanding, Done
from services.handling.application.privacy import Privacy
from services.handling.domain.privacy import HoldReason
from services.handling.messaging.cases import taking_over
from services.handling.messaging.people import erasing_late
from services.handling.persistence import (
    HandlingRecord,
    PrivacyRecord,
    WorkList,
    texts,
)
from services.kernel.clock import new_uuid7
from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.inbox import Arrived
from services.kernel.store.application import open_store
from services.kernel.store.writer import Writer
from services.kernel.vault import ErasedError, Vault, WordFollower, WordIndex
from tests.support.files import in_memory
from tests.support.given import AGENT, DEFAULT_POLICY, QUALITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
RECEIVED = EXAMPLES["ComplaintReceived"]
ANN, BEN = UUID(int=1), UUID(int=2)
OFFICER = Actor(id="officer-1", role="privacy_officer")
NOTE = "He sounded upset; call the daughter, Lin."
ACCEPT: dict[str, Any] = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
SHANGHAI = ZoneInfo("Asia/Shanghai")


class Office:
    """Handling over one database, as `main` puts it together, with a clock of ours."""

    def __init__(self, make_database: Callable[..., Database]) -> None:
        self.now = NOW
        self.database = make_database("handling", secure_delete=True)
        self.keys = make_database("keys", secure_delete=True)
        self.store: Any = open_store(
            self.database, name="handling", codec=codec, now=self.clock
        )
        self.vault = Vault(self.keys, self.database)
        self.work_list = WorkList(self.database)
        self.handling = Handling(self.store, self.work_list)
        self.words = WordIndex(self.keys, self.database)
        files, uploads = in_memory(self.keys, self.database, self.vault)
        record = HandlingRecord(self.store, self.work_list, self.vault, files)
        self.commanding = Commanding(
            record,
            self.vault,
            files,
            uploads,
            policy=DEFAULT_POLICY,
            secret=b"s" * 32,
            tenant="default",
            now=self.clock,
            new_id=new_uuid7,
        )
        self.record = PrivacyRecord(
            self.store,
            record,
            self.work_list,
            self.vault,
            keys=self.keys,
            beside=(self.words.erase, files.erase),
        )
        self.follower = WordFollower(
            "handling",
            self.store,
            self.database,
            Writer("test"),
            index=self.words,
            vault=self.vault,
            texts=texts,
            erased=self.record.erasures.among,
        )
        self.privacy = Privacy(
            self.record,
            self.handling,
            self.vault,
            policy=DEFAULT_POLICY,
            tenant="default",
            zone=SHANGHAI,
            now=self.clock,
            new_id=new_uuid7,
            changed=self.commanding.forget,
        )
        self.effect = erasing_late(taking_over(self.handling), self.privacy)

    def clock(self) -> dt.datetime:
        return self.now

    def receive(self, number: int, subject: UUID) -> UUID:
        """Have a complaint arrive from intake."""
        case_id = UUID(int=100 + number)
        update = {"subject_id": subject, "receipt_no": f"{number:016}"}
        event = RECEIVED.model_copy(
            update={
                "case_id": case_id,
                "event_id": new_uuid7(NOW),
                "data": RECEIVED.data.model_copy(update=update),
            }
        )
        arrived = Arrived(case_id, 1, number, codec.encode(event), event)
        with self.database.write() as tx:
            self.effect(tx, [arrived])
        return case_id

    def do(self, case_id: UUID, name: str, **payload: Any) -> Done | Exception:
        asked = Asked(case_id, name, payload, AGENT, "c1", key=f"{case_id} {name}")
        (done,) = self.commanding.carry_out([asked])
        return done

    def declined(self, number: int, subject: UUID) -> UUID:
        """Have a complaint that ended, with words of ours in it."""
        case_id = self.receive(number, subject)
        done = self.do(
            case_id,
            "decline",
            reason="not_a_complaint",
            explanation=NOTE,
        )
        assert isinstance(done, Done), done
        return case_id

    def erase(self, subject: UUID, basis: str = "request") -> Any:
        return self.privacy.erase(
            subject, ErasureBasis(basis), by=OFFICER, correlation_id="c2"
        )

    def types(self, case_id: UUID) -> list[str]:
        return [event.type for event in self.store.load(case_id)]

    def documents(self, subject: UUID) -> int:
        return sum(each.documents for each in self.privacy.inventory(subject)[0])


@pytest.fixture
def office(make_database: Callable[..., Database]) -> Office:
    return Office(make_database)


def test_every_case_of_the_person_is_told_and_no_other(office: Office) -> None:
    anns = [office.declined(number, ANN) for number in (1, 2)]
    bens = office.declined(3, BEN)
    refs = office.store.load(anns[0])[-1].data.explanation
    assert office.vault.open(refs.document_id).plaintext.decode() == NOTE
    office.follower.take()
    assert office.words.search("daughter") == {*anns, bens}
    erased = office.erase(ANN)
    assert office.words.search("daughter") == {bens}
    assert set(erased.case_ids) == set(anns)
    for case_id in anns:
        *_, last = office.store.load(case_id)
        assert last.data == SubjectErased(subject_id=ANN, basis=ErasureBasis.REQUEST)
        assert (last.actor, last.version) == (OFFICER, 3)
    assert office.types(bens)[-1] != "SubjectErased"
    assert (office.documents(ANN), office.documents(BEN)) == (0, 1)
    with pytest.raises(ErasedError):
        office.vault.open(refs.document_id)


def test_asked_twice_changes_nothing(office: Office) -> None:
    case_id = office.declined(1, ANN)
    first = office.erase(ANN)
    position = office.store.last_position()
    office.now += dt.timedelta(days=1)
    again = office.erase(ANN, "court_order")
    assert (again.basis, again.erased_at) == (first.basis, first.erased_at)
    assert office.store.last_position() == position
    assert office.types(case_id).count("SubjectErased") == 1
    assert [each.subject_id for each in office.privacy.register()] == [ANN]


def test_a_hold_refuses_the_erasure_until_it_is_over(office: Office) -> None:
    office.declined(1, ANN)
    hold = office.privacy.place(
        ANN,
        HoldReason.LEGAL_CLAIM,
        until=dt.date(2026, 3, 9),
        text="Suit 44 of Ann against us",
        by="officer-1",
    )
    assert hold.until == dt.datetime(2026, 3, 9, 16, tzinfo=dt.UTC)  # Shanghai's day
    for basis in ("request", "court_order"):
        with pytest.raises(RefusedError, match=r"privacy\.held.*2026-03-09"):
            office.erase(ANN, basis)
    assert hold.document_id is not None
    said = office.vault.open(hold.document_id)
    assert (said.subject_id, said.plaintext) == (ANN, b"Suit 44 of Ann against us")
    office.now = hold.until  # the clock alone ends it
    office.erase(ANN)
    with pytest.raises(ErasedError):  # its words were about the person too
        office.vault.open(hold.document_id)
    (kept,) = office.privacy.holds()
    assert (kept.reason, kept.placed_by) == (HoldReason.LEGAL_CLAIM, "officer-1")


def test_a_hold_that_somebody_ended_is_on_record_and_holds_no_more(
    office: Office,
) -> None:
    office.declined(1, ANN)
    day = dt.date(2026, 3, 9)
    hold = office.privacy.place(
        ANN, HoldReason.OTHER, until=day, text=None, by="officer-1"
    )
    ended = office.privacy.end(hold.hold_id, by="officer-2")
    office.now += dt.timedelta(hours=1)
    assert office.privacy.end(hold.hold_id, by="officer-3") == ended
    assert (ended.ended_by, ended.ended_at) == ("officer-2", NOW)
    office.erase(ANN)
    assert office.privacy.holds() == [ended]
    with pytest.raises(NotFoundError, match=r"privacy\.no_hold"):
        office.privacy.end(UUID(int=5), by="officer-1")


def test_a_complaint_under_way_during_the_erasure_is_erased_on_arrival(
    office: Office,
) -> None:
    office.declined(1, ANN)
    office.erase(ANN)
    late = office.receive(2, ANN)
    others = office.receive(3, BEN)
    assert office.types(late) == ["ComplaintReceived", "SubjectErased"]
    assert office.types(others) == ["ComplaintReceived"]
    assert office.privacy.person(str(ANN)).cases[-1].erased


def test_the_case_goes_on_without_words(office: Office) -> None:
    """A court may have data erased while the case is open."""
    case_id = office.receive(1, ANN)
    with pytest.raises(RefusedError, match=r"privacy\.open_cases"):
        office.erase(ANN)
    assert isinstance(office.do(case_id, "accept", **ACCEPT), Done)
    office.erase(ANN, "court_order")
    refusal = office.do(case_id, "add-evidence", document=NOTE, source="customer")
    assert isinstance(refusal, RefusedError)
    assert refusal.code == "case.erased"
    asked = Asked(case_id, "sign-for", {}, QUALITY, "c1", expected_version=4)
    (done,) = office.commanding.carry_out([asked])  # it knows of the version since
    assert isinstance(done, Done), done
    assert office.documents(ANN) == 0


def test_what_callers_had_sent_is_not_kept_as_a_digest(office: Office) -> None:
    mine, others = office.declined(1, ANN), office.declined(2, BEN)
    office.erase(ANN)
    with office.database.read() as tx:
        rows = tx.fetchall("SELECT case_id FROM command_key")
    assert {case_id for (case_id,) in rows} == {others} != {mine}


def test_a_person_is_named_in_three_ways(office: Office) -> None:
    case_id = office.receive(1, ANN)
    for reference in ("0000 0000 0000 0001", str(case_id), str(ANN)):
        assert office.privacy.person(reference).subject_id == ANN
    for nobody in (str(UUID(int=77)), "4837291500627714", "wang"):
        with pytest.raises(NotFoundError):
            office.privacy.person(nobody)


def test_the_key_goes_behind_the_commit_and_after_a_crash_at_the_next_start(
    office: Office, make_database: Callable[..., Database]
) -> None:
    office.declined(1, ANN)
    secret = key_of(office.keys, ANN)
    assert secret is not None
    office.erase(ANN)  # and the program ends before anything else happened
    assert key_of(office.keys, ANN) == secret
    again = Office(make_database)
    assert again.record.erasures.finish()
    assert key_of(again.keys, ANN) is None
    _, state = again.privacy.inventory(ANN)
    assert state is not None
    assert state.cleaned_at is not None


def test_after_a_restore_the_register_erases_again(office: Office) -> None:
    """Whichever database is older than the erasure, the other one tells of it."""
    case_id = office.declined(1, ANN)
    secret = key_of(office.keys, ANN)
    office.erase(ANN)
    office.record.erasures.finish()
    with office.keys.write() as tx:  # older keys were put in place
        tx.execute(
            "UPDATE vault_key SET secret = ?, destroyed_at = NULL WHERE subject_id = ?",
            (secret, ANN),
        )
        tx.execute("DELETE FROM privacy_erasure")
    known = office.privacy.register()
    assert [each.subject_id for each in known] == [ANN]
    assert office.privacy.apply_again(known, correlation_id="c3") == 1
    assert office.types(case_id).count("SubjectErased") == 1  # told before
    assert office.record.erasures.finish()
    assert key_of(office.keys, ANN) is None

    with office.database.write() as tx:  # an older store was put in place
        tx.execute("DELETE FROM privacy_erasure")
        tx.execute("DELETE FROM erased_subject")
        tx.execute("DELETE FROM stored_events WHERE type = 'SubjectErased'")
    known = office.privacy.register()
    assert [each.subject_id for each in known] == [ANN]
    office.privacy.apply_again(known, correlation_id="c4")
    assert office.types(case_id).count("SubjectErased") == 1
    assert office.record.erasures.finish()


def key_of(keys: Database, subject: UUID) -> bytes | None:
    with keys.read() as tx:
        row = tx.fetchone(
            "SELECT secret FROM vault_key WHERE subject_id = ?", (subject,)
        )
    assert row is not None
    secret: bytes | None = row[0]
    return secret
