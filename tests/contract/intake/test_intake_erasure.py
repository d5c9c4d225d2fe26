"""Intake applies that a person was erased: once, to this person alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from events import codec
from events.catalogue import SubjectErased
from events.envelope import Actor, Envelope, envelop
from events.vocabulary import ErasureBasis
from services.intake.application.inquiries import documents_of
from services.intake.messaging import following
from services.kernel.clock import new_uuid7
from services.kernel.errors import RefusedError
from services.kernel.inbox import INBOX_TABLES, Arrived, Inbox
from services.kernel.vault import ErasedError
from tests.support.intake import GOOD, NOW, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.kernel.store.database import Database

ANN = GOOD | {
    "contact": {"name": "Ann", "email": "ann@example.org", "phone": "+861055500100"},
    "desired_outcome": "A new one.",
    "order_no": "A-1",
}
BEN = ANN | {"contact": {"name": "Ben", "email": "ben@example.org"}, "order_no": "B-1"}


@pytest.fixture
def taken(make_database: Callable[..., Database]) -> Bench:
    taken = bench(make_database)
    taken.store.database.migrate(INBOX_TABLES)
    for name, document in (("ann", ANN), ("ben", BEN)):
        taken.one(document, key=name)
    return taken


def erased(event: Envelope[Any], version: int = 2) -> Arrived:
    """Give the erasure as it comes from handling."""
    told = envelop(
        SubjectErased(subject_id=event.data.subject_id, basis=ErasureBasis.REQUEST),
        event_id=new_uuid7(NOW),
        case_id=event.case_id,
        version=version,
        occurred_at=NOW,
        recorded_at=NOW,
        tenant="default",
        actor=Actor(id="officer-1", role="privacy_officer"),
        correlation_id="c1",
    )
    return arrived(told)


def arrived(event: Envelope[Any]) -> Arrived:
    body = codec.encode(event)
    return Arrived(event.case_id, event.version, 1, body, event)


def applied(bench: Bench, *events: Arrived) -> tuple[int, int]:
    inbox = Inbox("intake", decode=unread, vault=bench.vault, now=lambda: NOW)
    with bench.store.database.write() as tx:
        outcome = inbox.apply(tx, events, following(bench.record.follow))
    return outcome.applied, outcome.duplicates


def unread(*_: object) -> Arrived:
    raise AssertionError("nothing waits")


def lies(bench: Bench, subject: UUID) -> tuple[int, int]:
    found = bench.record.of_person(subject)
    return sum(each.documents for each in found.documents), found.marks


def test_the_erased_person_s_words_and_marks_go_and_the_others_stay(
    taken: Bench,
) -> None:
    ann, ben = taken.events()
    before = lies(taken, ben.data.subject_id)
    assert lies(taken, ann.data.subject_id) == (3, 4)  # the number, and its digits
    assert applied(taken, arrived(ann), erased(ann)) == (2, 0)
    assert lies(taken, ann.data.subject_id) == (0, 0)
    assert lies(taken, ben.data.subject_id) == before
    for ref in documents_of(ann.data):
        with pytest.raises(ErasedError):
            taken.vault.open(ref.document_id)
    assert taken.words(ben.data.statement.document_id) == GOOD["statement"]
    assert taken.record.erasures.finish()
    progress = taken.inquiries.progress(ann.data.receipt_no)
    assert [step.type for step in progress.steps][-1] == "SubjectErased"


def test_a_redelivered_erasure_is_applied_once(taken: Bench) -> None:
    ann, _ = taken.events()
    assert applied(taken, arrived(ann), erased(ann)) == (2, 0)
    assert taken.record.erasures.finish()
    state = taken.record.of_person(ann.data.subject_id).erased
    assert state is not None
    assert state.cleaned_at is not None
    assert applied(taken, erased(ann)) == (0, 1)
    assert taken.record.of_person(ann.data.subject_id).erased == state


def test_the_same_human_being_is_a_new_person_afterwards(taken: Bench) -> None:
    ann, _ = taken.events()
    applied(taken, arrived(ann), erased(ann))
    taken.record.erasures.finish()
    taken.one(ANN, key="again")
    new = taken.events()[-1]
    assert new.data.subject_id != ann.data.subject_id
    assert lies(taken, new.data.subject_id) == (3, 4)


def test_neither_key_nor_digest_of_what_was_sent_stays(taken: Bench) -> None:
    ann, ben = taken.events()
    applied(taken, arrived(ann), erased(ann))
    with taken.store.database.read() as tx:
        rows = {
            case_id: (key, any(digest))
            for case_id, key, digest in tx.fetchall(
                "SELECT case_id, key, digest FROM submission"
            )
        }
    assert rows == {
        ann.case_id: (f"erased:{ann.case_id}", False),
        ben.case_id: ("ben", True),
    }
    with pytest.raises(RefusedError, match=r"intake\.key_reused"):
        taken.one(ANN, key="ann")  # still no second case under the key


def test_a_restored_intake_learns_again_who_was_erased(taken: Bench) -> None:
    ann, _ = taken.events()
    taken.record.erase_again([(ann.data.subject_id, [ann.case_id], NOW)])
    assert lies(taken, ann.data.subject_id) == (0, 0)
    assert taken.record.erasures.finish()
    with pytest.raises(ErasedError):
        taken.vault.ensure_keys([ann.data.subject_id])


def test_files_go_with_their_person_and_with_nobody_else(taken: Bench) -> None:
    documents = []
    for name, document in (("ann", ANN), ("ben", BEN)):
        upload = taken.uploaded(b"x" * 9, name=f"{name}.gif", owner="lin")
        attached = {"attachments": [{"upload": str(upload.upload_id)}]}
        taken.one(document | attached, key=f"{name}-files")
        documents.append(taken.events()[-1].data.attachments[0].document_id)
    ann, ben = documents
    (first, *_) = taken.events()
    applied(taken, arrived(first), erased(first))
    with taken.store.database.read() as tx:
        left = tx.fetchall("SELECT document_id FROM vault_file")
    assert left == [(ben,)]
    taken.record.erasures.finish()
    with pytest.raises(ErasedError):
        taken.files.open(ann)
    assert b"".join(taken.files.open(ben).content()) == b"x" * 9
