"""One complaint is one case: keys, receipts, people, sealed words, on both databases."""

import datetime as dt
import json
from dataclasses import replace
from uuid import UUID

import pytest

from events.examples import EXAMPLES
from events.vocabulary import Origin, Precision, State, Verification
from services.intake.application.receipt_number import as_receipt_no
from services.intake.ports import TakenError
from services.kernel.errors import (
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from tests.support.intake import ANONYMOUS, CLERK, GOOD, HOTLINE, NOW, OPERATOR, bench

KEY = "0195f0a0-0000-4000-8000-000000000001"


@pytest.fixture
def intake(make_database):
    return bench(make_database)


def test_a_complaint_is_one_event_with_its_receipt(intake):
    receipt = intake.submit(GOOD, key="k")
    (event,) = intake.events()
    assert event.case_id == receipt.case_id
    assert (event.version, event.type) == (1, "ComplaintReceived")
    assert event.data.receipt_no == receipt.receipt_no
    assert as_receipt_no(receipt.receipt_no) == receipt.receipt_no
    assert receipt.received_at == event.recorded_at == event.occurred_at == NOW
    assert (event.actor.id, event.actor.role) == ("lin", "agent")
    assert event.channel == "web"
    assert event.correlation_id == "test"
    assert event.data.verification is Verification.PENDING
    assert not receipt.repeated


def test_words_and_particulars_are_sealed_and_nowhere_else(intake):
    document = GOOD | {
        "contact": {"name": "Ada Byron", "email": "ada@example.org"},
        "order_no": "2026/17",
        "product": {"model": "K-1", "lot": "Lot 5", "serial": "S-9"},
        "desired_outcome": "A new lid.",
        "attachments": [
            {"name": "lid.txt", "media_type": "text/plain", "content": "bGlk"}
        ],
    }
    intake.submit(document, key="k")
    (event,) = intake.events()
    data = event.data
    assert intake.words(data.statement.document_id) == "The kettle leaks."
    assert intake.words(data.desired_outcome.document_id) == "A new lid."
    assert intake.words(data.attachments[0].document_id) == "lid"
    assert json.loads(intake.words(data.particulars.document_id)) == {
        "contact": document["contact"],
        "order_no": "2026/17",
        "product": {"lot": "Lot 5", "serial": "S-9"},
        "attachments": ["lid.txt"],
    }
    assert (data.product.model, data.product.lot) == ("K-1", None)
    (entry,) = intake.store.log(0, 10)
    for words in ("kettle", "Ada", "ada@", "2026/17", "Lot 5", "S-9", "lid"):
        assert words.encode() not in entry.body
    stored = intake.vault.open(data.statement.document_id)
    assert stored.digest == data.statement.digest


def test_the_same_key_and_content_is_answered_alike(intake):
    first = intake.one(key="k")
    intake.moments.append(NOW + dt.timedelta(days=1))
    again = intake.one(key="k")
    assert again.repeated
    assert (again.receipt_no, again.access_code, again.case_id, again.received_at) == (
        first.receipt_no,
        first.access_code,
        first.case_id,
        first.received_at,
    )
    assert len(intake.events()) == 1


def test_the_same_key_with_other_content_is_refused_and_not_stored(intake):
    intake.one(key="k")
    with pytest.raises(RefusedError, match=r"intake\.key_reused"):
        intake.one(GOOD | {"statement": "Something else."}, key="k")
    assert len(intake.events()) == 1


def test_a_key_belongs_to_its_channel_and_client(intake):
    receipts = [
        intake.one(key="k"),
        intake.one(GOOD | {"channel": "chat"}, key="k"),
        intake.one(key="k", caller=OPERATOR),
    ]
    assert len({receipt.case_id for receipt in receipts}) == 3


def test_without_a_key_every_request_is_a_new_complaint(intake):
    assert intake.one().case_id != intake.one().case_id


def test_within_one_batch_a_key_counts_as_well(intake):
    one, other = intake.request(key="k"), intake.request(key="l")
    reused = intake.request(GOOD | {"statement": "Else."}, key="k")
    same = intake.request(key="k")
    answers = intake.file(one, other, same, reused)
    assert [getattr(each, "repeated", None) for each in answers] == [
        False,
        False,
        True,
        None,
    ]
    assert isinstance(answers[3], RefusedError)
    assert answers[0].receipt_no == answers[2].receipt_no
    assert len(intake.events()) == 2


@pytest.mark.parametrize("key", [None, "", "1", "not-a-uuid", KEY.replace("-", "")])
def test_strangers_must_bring_a_uuid(intake, key):
    with pytest.raises(MalformedError, match=r"intake\.key_needed"):
        intake.request(key=key, caller=ANONYMOUS)
    assert intake.one(key=KEY.upper(), caller=ANONYMOUS)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0b", "a\nb"])
def test_a_key_is_short_and_printable(intake, key):
    with pytest.raises(MalformedError, match=r"intake\.key_needed"):
        intake.request(key=key)


def test_who_may_say_what(intake):
    phone = GOOD | {"channel": "phone", "contact": {"name": "A", "phone": "1"}}
    past = GOOD | {"occurred_at": "2026-03-01T00:00:00Z"}
    with pytest.raises(ForbiddenError, match=r"intake\.channel_not_yours"):
        intake.request(phone, key=KEY, caller=ANONYMOUS)
    with pytest.raises(ForbiddenError, match=r"intake\.channel_not_yours"):
        intake.request(GOOD, caller=HOTLINE)
    with pytest.raises(ForbiddenError, match=r"intake\.time_not_yours"):
        intake.request(past, key=KEY, caller=ANONYMOUS)
    with pytest.raises(ForbiddenError, match=r"intake\.origin_not_yours"):
        intake.request(past | {"origin": "migration"}, caller=CLERK)
    imported = intake.request(
        past | {"origin": "migration"}, caller=replace(CLERK, role="migration")
    )
    assert (imported.submission.origin, imported.key.client) == ("migration", "import")
    del phone["channel"]
    assert intake.request(phone, caller=HOTLINE).key.channel == "phone"


def test_a_claimed_time_is_kept_as_a_claim_and_never_later_than_now(intake):
    intake.one(GOOD | {"occurred_at": "2026-03-04T09:00:00Z"})
    intake.one(GOOD | {"occurred_at": "2026-03-04T12:04:00Z"})
    assert [event.occurred_at for event in intake.events()] == [
        NOW - dt.timedelta(hours=3),
        NOW,
    ]


def test_the_past_is_taken_over_as_it_is(intake):
    row = {
        "channel": "fax",
        "origin": "migration",
        "occurred_at": "2011-12-30T05:00:00Z",
        "occurred_precision": "day",
    }
    intake.one(row, key="cfpb:1", caller=OPERATOR)
    (event,) = intake.events()
    assert event.origin is Origin.MIGRATION
    assert event.occurred_precision is Precision.DAY
    assert event.occurred_at == dt.datetime(2011, 12, 30, 5, tzinfo=dt.UTC)
    assert event.recorded_at == NOW
    assert intake.words(event.data.statement.document_id) == ""
    assert event.data.particulars is None


def test_an_import_is_the_same_whoever_runs_it(intake):
    row = GOOD | {"origin": "migration", "occurred_at": "2011-12-30T05:00:00Z"}
    other = OPERATOR.__class__(actor="colleague", role="admin", service=True)
    assert not intake.one(row, key="f:1", caller=OPERATOR).repeated
    assert intake.one(row, key="f:1", caller=other).repeated


@pytest.mark.parametrize("together", [True, False])
def test_one_person_is_found_again_by_any_mark(intake, together):
    contacts = [
        {"email": "Ada@Example.org"},
        {"email": "ada@example.org", "phone": "+44 20 7946 0958"},
        {"phone": "+442079460958", "customer_no": "C-77"},
        {"customer_no": "c77"},
        {"email": "bob@example.org"},
    ]
    requests = [intake.request(GOOD | {"contact": contact}) for contact in contacts]
    if together:
        intake.file(*requests)
    else:
        for request in requests:
            intake.file(request)
    subjects = [event.data.subject_id for event in intake.events()]
    assert len(set(subjects[:4])) == 1
    assert subjects[4] != subjects[0]


def test_who_was_erased_comes_back_as_a_new_person(intake):
    intake.one()
    (event,) = intake.events()
    intake.vault.destroy_key(event.data.subject_id, NOW)
    intake.one()
    intake.one()
    first, second, third = [each.data.subject_id for each in intake.events()]
    assert second != first
    assert third != first


def test_a_taken_number_is_passed_over(intake, monkeypatch):
    """With numbers that repeat after two, the third case still gets one of its own."""
    import services.intake.application.registering as module  # noqa: PLC0415

    real = module.receipt_no
    monkeypatch.setattr(
        module,
        "receipt_no",
        lambda _secret, _case, attempt=0: real(bytes(32), UUID(int=0), attempt),
    )
    first = intake.one()
    answers = intake.file(intake.request(), intake.request())
    numbers = {first.receipt_no, *(answer.receipt_no for answer in answers)}
    assert numbers == {real(bytes(32), UUID(int=0), attempt) for attempt in range(3)}


def test_a_second_process_on_the_same_database_finds_what_the_first_kept(make_database):
    one, two = bench(make_database), bench(make_database)
    first = one.one(key="k")
    again = two.one(key="k")
    assert again.repeated
    assert again.receipt_no == first.receipt_no
    assert again.access_code == first.access_code


def test_a_rival_that_was_faster_is_noticed_and_the_rest_commits(intake, make_database):
    """The look happens, then another process files the same key, then we commit."""
    rival = bench(make_database)
    requests = [intake.request(key=f"k{number}") for number in range(8)]
    keep = intake.record.keep

    def beaten(filings):
        intake.record.keep = keep
        rival.one(key="k3")
        keep(filings)

    intake.record.keep = beaten
    answers = intake.file(*requests)
    assert [answer.repeated for answer in answers] == [n == 3 for n in range(8)]
    assert len(intake.events()) == 8


def test_a_batch_that_cannot_commit_is_halved_until_the_culprit_is_alone(intake):
    requests = [intake.request(key=f"k{number}") for number in range(5)]
    keep, culprit = intake.record.keep, requests[3].case_id

    def contended(filings):
        if any(filing.kept.case_id == culprit for filing in filings):
            raise TakenError
        keep(filings)

    intake.record.keep = contended
    answers = intake.file(*requests)
    assert [isinstance(answer, UnavailableError) for answer in answers] == [
        number == 3 for number in range(5)
    ]
    assert len(intake.events()) == 4


def test_nothing_is_kept_of_a_batch_whose_commit_fails(intake):
    def broken(_filings):
        raise UnavailableError("intake.store_unavailable", "…")

    keep, intake.record.keep = intake.record.keep, broken
    with pytest.raises(UnavailableError):
        intake.one(key="k")
    assert intake.events() == []
    intake.record.keep = keep
    assert not intake.one(key="k").repeated


def test_a_database_that_is_away_is_told_as_unknown(intake):
    request = intake.request(key="k")
    intake.store.database.close()
    with pytest.raises(UnavailableError, match=r"intake\.store_unavailable"):
        intake.file(request)


def test_progress_by_number_alone(intake):
    receipt = intake.one()
    spaced = " ".join(receipt.receipt_no[n : n + 4] for n in range(0, 16, 4))
    progress = intake.inquiries.progress(spaced)
    assert progress.standing.state is State.RECEIVED
    assert progress.standing.unit is None
    assert [step.type for step in progress.steps] == ["ComplaintReceived"]


@pytest.mark.parametrize(
    "kept", ["DecisionIssued", "ComplaintResolved", "ComplaintWithdrawn"]
)
def test_what_was_promised_is_told_until_it_is_kept(intake, kept):  # S6, S60
    receipt = intake.one()
    (received,) = intake.events()

    def happened(name, version, **data):
        event = EXAMPLES[name]
        known = {"case_id": received.case_id, "version": version}
        changed = event.data.model_copy(update=data)
        with intake.store.database.write() as tx:
            intake.record.follow(
                tx, [event.model_copy(update={**known, "data": changed})]
            )

    def promised():
        return intake.inquiries.progress(receipt.receipt_no).promised

    later, sooner = (received.recorded_at + dt.timedelta(days=days) for days in (9, 2))
    assert promised() == ()
    happened("ReceiptAcknowledged", 2, expected_at=later)
    happened("ReceiptAcknowledged", 3, expected_at=sooner)
    happened("ReceiptAcknowledged", 3, expected_at=sooner)  # comes twice
    happened("ComplaintAccepted", 4)
    assert promised() == (sooner, later)
    happened(kept, 5)
    assert promised() == ()


def test_a_mistyped_number_is_told_apart_from_an_unknown_one(intake):
    number = intake.one().receipt_no
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    with pytest.raises(NotFoundError, match=r"intake\.receipt_mistyped"):
        intake.inquiries.progress(wrong)
    with pytest.raises(NotFoundError, match=r"intake\.receipt_unknown"):
        intake.inquiries.progress("0000000000000000")


def test_the_access_secret_lies_with_the_keys(intake):
    """A stolen store alone opens no case."""
    with intake.store.database.read() as tx:
        assert tx.fetchall("SELECT name FROM kept_secret") == [("case",)]
    with intake.keys.read() as tx:
        assert tx.fetchall("SELECT name FROM kept_secret") == [("access",)]
