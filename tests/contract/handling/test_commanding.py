"""Commands: decided in order, committed together, answered once, on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from events import codec
from events.catalogue import AssignmentAccepted, ComplaintAccepted
from events.envelope import Actor
from events.examples import EXAMPLES
from events.vocabulary import Origin
from services.handling.application.cases import Handling
from services.handling.application.commanding import Asked, Commanding, Done
from services.handling.persistence import HandlingRecord, WorkList
from services.handling.persistence.copies import DepartmentCopies
from services.handling.ports import QueueFilter
from services.kernel.clock import new_uuid7
from services.kernel.errors import (
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    StaleError,
    UnavailableError,
)
from services.kernel.store.application import EventStore, open_store
from services.kernel.vault import Vault
from tests.support.files import in_memory, upload
from tests.support.given import AGENT, DEFAULT_POLICY, QUALITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
RECEIVED = EXAMPLES["ComplaintReceived"]
CASE = RECEIVED.case_id
ACCEPT: dict[str, Any] = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}


class Desk:
    """Handling over one database, with one received case in it."""

    def __init__(self, make_database: Callable[..., Database]) -> None:
        self.database = make_database("handling")
        self.store: EventStore[Any] = open_store(
            self.database, name="handling", codec=codec, now=lambda: NOW
        )
        keys = make_database("keys", secure_delete=True)
        self.vault = Vault(keys, self.database)
        self.files, self.uploads = in_memory(keys, self.database, self.vault)
        self.work_list = WorkList(self.database)
        self.handling = Handling(self.store, self.work_list)
        self.commanding = Commanding(
            HandlingRecord(self.store, self.work_list, self.vault, self.files),
            self.vault,
            self.files,
            self.uploads,
            policy=DEFAULT_POLICY,
            secret=b"s" * 32,
            tenant="default",
            now=lambda: NOW,
            new_id=new_uuid7,
        )

    def receive(self, case_id: UUID = CASE, receipt_no: str | None = None) -> None:
        data = RECEIVED.data
        if receipt_no:
            data = data.model_copy(update={"receipt_no": receipt_no})
        event = RECEIVED.model_copy(
            update={"case_id": case_id, "data": data, "event_id": new_uuid7(NOW)}
        )
        with self.database.write() as tx:
            self.handling.take_over(tx, [(event, codec.encode(event))])

    def ask(self, *asked: Asked) -> list[Done | Exception]:
        return self.commanding.carry_out(asked)


@pytest.fixture
def desk(make_database: Callable[..., Database]) -> Desk:
    desk = Desk(make_database)
    desk.receive()
    return desk


def accept(**changes: Any) -> Asked:
    asked = Asked(
        case_id=CASE, name="accept", payload=ACCEPT, actor=AGENT, correlation_id="c1"
    )
    return dataclasses.replace(asked, **changes)


def sign_for(**changes: Any) -> Asked:
    return accept(name="sign-for", payload={}, actor=QUALITY, **changes)


def test_acceptance_and_the_routed_assignment_are_one_decision(desk: Desk) -> None:
    (done,) = desk.ask(accept())
    assert done == Done(
        CASE, 3, "ASSIGNED", ("ComplaintAccepted", "DepartmentAssigned")
    )
    history = desk.handling.history(RECEIVED.data.receipt_no)
    assert [known.event.version for known in history.events] == [1, 2, 3]
    accepted = history.events[1].event
    assert isinstance(accepted.data, ComplaintAccepted)
    assert accepted.actor == AGENT
    assert accepted.policy == {DEFAULT_POLICY.name: DEFAULT_POLICY.version}
    (row,) = desk.handling.queue(QueueFilter(department="quality"), limit=10).rows
    assert (row.state, row.version) == ("ASSIGNED", 3)


def test_commands_of_one_batch_see_what_the_ones_before_did(desk: Desk) -> None:
    first, second = desk.ask(accept(), sign_for())
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert (second.version, second.state) == (4, "INVESTIGATING")
    assert isinstance(desk.store.load(CASE)[-1].data, AssignmentAccepted)


def test_the_same_key_and_content_gives_the_stored_answer(desk: Desk) -> None:
    (first,) = desk.ask(accept(key="k1"))
    assert isinstance(first, Done)
    repeated = dataclasses.replace(first, repeated=True)
    # Even in the same batch, and whatever If-Match says by now.
    assert desk.ask(accept(key="k1", expected_version=1), accept(key="k1")) == [
        repeated,
        repeated,
    ]
    assert len(desk.store.load(CASE)) == 3


def test_the_same_key_with_other_content_is_refused(desk: Desk) -> None:
    other = accept(key="k1", payload={**ACCEPT, "category": "product/leak"})
    _, refused = desk.ask(accept(key="k1"), other)
    assert isinstance(refused, RefusedError)
    assert refused.code == "handling.key_reused"


def test_keys_are_the_callers_own(desk: Desk) -> None:
    (_, second) = desk.ask(accept(key="k1"), sign_for(key="k1"))
    assert isinstance(second, Done)
    assert not second.repeated


def test_a_decision_on_an_old_version_is_stale(desk: Desk) -> None:
    (_, stale) = desk.ask(accept(), sign_for(expected_version=1))
    assert isinstance(stale, StaleError)
    (done,) = desk.ask(sign_for(expected_version=3))
    assert isinstance(done, Done)


def test_a_refusal_leaves_nothing_and_stops_no_other(desk: Desk) -> None:
    other = UUID("018f0000-0000-8000-8000-00000000000b")
    desk.receive(other, "4837291500627722")
    refused, done = desk.ask(
        accept(name="resolve", payload={"outcome": "upheld"}), accept(case_id=other)
    )
    assert isinstance(refused, RefusedError)
    assert isinstance(done, Done)
    assert len(desk.store.load(CASE)) == 1


def test_who_may_not_is_told_so_and_an_unknown_case_too(desk: Desk) -> None:
    nobody = Actor(id="x", role="auditor")
    forbidden, missing = desk.ask(accept(actor=nobody), accept(case_id=UUID(int=7)))
    assert isinstance(forbidden, ForbiddenError)
    assert isinstance(missing, NotFoundError)


def test_words_are_sealed_and_never_in_the_event(desk: Desk) -> None:
    words = "不予受理:产品不是我们的 <b>sorry</b>"
    decline = accept(
        name="decline", payload={"reason": "not_responsible", "explanation": words}
    )
    desk.commanding.check(decline)
    (done,) = desk.ask(decline)
    assert isinstance(done, Done), done
    event = desk.store.load(CASE)[-1]
    assert words not in codec.encode(event).decode()
    document = desk.vault.open(event.data.explanation.document_id)
    assert document.plaintext.decode() == words
    assert document.subject_id == RECEIVED.data.subject_id
    assert document.digest == event.data.explanation.digest


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("accept", {**ACCEPT, "scope_kind": 9}, "scope_kind"),
        ("accept", {**ACCEPT, "mood": "bad"}, "mood"),
        ("accept", {}, "category"),
        ("decline", {"reason": "not_responsible", "explanation": " "}, "explanation"),
        (
            "decline",
            {"reason": "not_responsible", "explanation": "x" * 20_001},
            "explanation",
        ),
    ],
)
def test_what_no_case_could_accept_is_refused_at_the_edge(
    desk: Desk, name: str, payload: dict[str, Any], field: str
) -> None:
    with pytest.raises(MalformedError) as refused:
        desk.commanding.check(accept(name=name, payload=payload))
    assert field in {error.field for error in refused.value.errors}


def test_a_command_that_does_not_exist_is_named(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="accept"):
        desk.commanding.check(accept(name="acept"))


def test_another_process_in_between_makes_it_decided_anew(
    make_database: Callable[..., Database], desk: Desk
) -> None:
    """The state kept in memory is stale; the versions in the store decide."""
    desk.ask(accept())
    other = Desk(make_database)
    (signed,) = other.ask(sign_for())
    assert isinstance(signed, Done)
    (again,) = desk.ask(sign_for())
    assert isinstance(again, Done)
    assert again.version == 4  # done already: nothing is added
    assert again.events == ()


def add(upload_id: object, **changes: Any) -> Asked:
    payload = {
        "document": {"upload": str(upload_id), "kind": "photo"},
        "source": "customer",
    }
    return accept(name="add-evidence", payload=payload, **changes)


def uploaded(desk: Desk, content: bytes = b"x", *, owner: str = AGENT.id) -> UUID:
    return upload(desk.uploads, content, name="leak.jpg", owner=owner).upload_id


def test_an_uploaded_file_is_evidence(desk: Desk) -> None:
    upload_id = uploaded(desk, b"the leak")
    asked = add(upload_id, key="k")
    assert desk.commanding.check(asked) == (upload_id,)
    done, again = (desk.ask(asked)[0] for _ in range(2))
    assert isinstance(done, Done)
    assert again == dataclasses.replace(done, repeated=True)
    added = desk.store.load(CASE)[-1].data
    file = desk.files.open(added.document.document_id)
    assert (added.document.kind, added.document.digest) == ("photo", file.digest)
    assert b"".join(file.content()) == b"the leak"


def test_an_upload_is_evidence_once(desk: Desk) -> None:
    """In one batch, and later: the second one is refused, the first one stays."""
    upload_id = uploaded(desk)
    one, two = desk.ask(add(upload_id), add(upload_id))
    (three,) = desk.ask(add(upload_id))
    assert isinstance(one, Done)
    for refused in (two, three):
        assert isinstance(refused, MalformedError)
        assert [each.field for each in refused.errors] == ["upload"]
    assert [event.version for event in desk.store.load(CASE)] == [1, 2]


def test_nobody_elses_upload_is_taken(desk: Desk) -> None:
    (refused,) = desk.ask(add(uploaded(desk, owner="somebody")))
    assert isinstance(refused, MalformedError)
    with pytest.raises(MalformedError):
        desk.commanding.check(add("../../etc/passwd"))


def history(by: str, **changes: Any) -> Asked:
    facts: list[dict[str, Any]] = [
        {"fact": "assigned", "department": "external", "at": "2012-01-03T05:00:00Z"},
        {"fact": "closed"},
    ]
    facts[0]["precision"] = "day"
    fields: dict[str, Any] = {
        "name": "record-history",
        "payload": {"facts": facts},
        "actor": Actor(id=by, role="migration"),
        "key": "history:1",
    }
    return accept(**fields | changes)


def test_an_imported_past_is_dated_as_stated_and_told_nobody(
    make_database: Callable[..., Database],
) -> None:
    desk = Desk(make_database)
    copies = DepartmentCopies(desk.store)
    event = RECEIVED.model_copy(update={"origin": Origin.MIGRATION})
    with desk.database.write() as tx:
        desk.handling.take_over(tx, [(event, codec.encode(event))])
    (done,) = desk.ask(history("migration-1"))
    assert done == Done(CASE, 3, "CLOSED", ("DepartmentAssigned", "ComplaintClosed"))
    sent, closed = desk.store.load(CASE)[1:]
    assert (sent.origin, sent.recorded_at) == (Origin.MIGRATION, NOW)
    assert (sent.occurred_at.isoformat(), sent.occurred_precision) == (
        "2012-01-03T05:00:00+00:00",
        "day",
    )
    latest = max(RECEIVED.occurred_at, sent.occurred_at)
    assert (closed.occurred_at, closed.occurred_precision) == (latest, "not_before")
    assert copies.page("external", 0, limit=10) == []


def test_a_history_is_recorded_once_whoever_imports_it(desk: Desk) -> None:
    other = UUID("018f0000-0000-8000-8000-00000000000c")
    event = RECEIVED.model_copy(
        update={
            "case_id": other,
            "origin": Origin.MIGRATION,
            "event_id": new_uuid7(NOW),
            "data": RECEIVED.data.model_copy(update={"receipt_no": "4837291500627730"}),
        }
    )
    with desk.database.write() as tx:
        desk.handling.take_over(tx, [(event, codec.encode(event))])
    first, again, changed = desk.ask(
        history("migration-1", case_id=other),
        history("migration-2", case_id=other),
        history("migration-2", case_id=other, payload={"facts": [{"fact": "closed"}]}),
    )
    assert isinstance(first, Done)
    assert again == dataclasses.replace(first, repeated=True)
    assert isinstance(changed, RefusedError)
    assert changed.code == "handling.key_reused"


def test_what_another_process_did_counts_at_once(
    desk: Desk, make_database: Callable[..., Database]
) -> None:
    """Nothing is decided, foreseen or refused on a case as this process left it."""
    other = Desk(make_database)
    desk.ask(accept())
    if desk.database.dialect == "sqlite":
        pytest.skip("one process writes on SQLite")
    (signed,) = other.ask(sign_for(expected_version=3))
    assert isinstance(signed, Done)
    seen = sign_for(expected_version=signed.version)
    for found in desk.commanding.foresee([seen]), desk.ask(seen):
        assert found == [dataclasses.replace(signed, events=())]


def test_a_case_that_a_newer_amends_worked_on_waits_and_no_other(desk: Desk) -> None:
    other = UUID(int=CASE.int ^ 1)
    desk.receive(other, receipt_no="4837291500627715")
    accepted = EXAMPLES["ComplaintAccepted"].model_copy(
        update={"case_id": CASE, "version": 2}
    )
    later = codec.encode(accepted.model_copy(update={"schema_version": 99}))
    with desk.database.write() as tx:
        desk.store.put_bodies(tx, [(CASE, 2, accepted.type, later)])
    waits, done = desk.ask(accept(), accept(case_id=other))
    assert isinstance(waits, UnavailableError)
    assert waits.code == "handling.newer"
    assert isinstance(done, Done)
    with pytest.raises(UnavailableError):
        desk.handling.history(str(CASE))
