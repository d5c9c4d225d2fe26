"""A new access code: it opens the case from now on, and the one before does not."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from services.intake.application.inquiries import NewCode, Renewal
from services.kernel.errors import NotFoundError, RefusedError, UnauthenticatedError
from services.kernel.store.database import Database
from services.kernel.vault import Readings, Wanted
from tests.support.intake import GOOD, Bench, bench

REACHED = GOOD | {"contact": {"name": "Ada Lovelace", "phone": "+442079460958"}}


@pytest.fixture
def desk(make_database: Callable[..., Database]) -> Iterator[Bench]:
    made = bench(make_database)
    made.writer.start()
    yield made
    made.writer.stop()


def renewed(desk: Bench, case_id: UUID) -> NewCode:
    wanted = Renewal(case_id, "user-ann", "agent", "front-office")
    return asyncio.run(desk.inquiries.new_code(wanted))


def opens(desk: Bench, number: str, code: str) -> bool:
    try:
        desk.inquiries.opened(number, code)
    except UnauthenticatedError:
        return False
    return True


def test_the_last_code_alone_opens_the_case(desk: Bench) -> None:
    receipt, other = desk.one(REACHED), desk.one(REACHED, key="other")
    codes = [receipt.access_code]
    for _ in range(2):
        codes.append(renewed(desk, receipt.case_id).access_code)
        assert [opens(desk, receipt.receipt_no, code) for code in codes] == [
            *(False for _ in codes[1:]),
            True,
        ]
    assert opens(desk, other.receipt_no, other.access_code)


def test_the_same_form_again_makes_no_other_code(desk: Bench) -> None:
    case_id = desk.one(REACHED).case_id

    def sent(key: str, actor: str = "user-ann") -> NewCode:
        wanted = Renewal(case_id, actor, "agent", key=key, verified="called_on_file")
        return asyncio.run(desk.inquiries.new_code(wanted))

    made = sent("k1")
    assert sent("k1") == made
    (noted,) = Readings(desk.store.database).page(Wanted(), limit=9).rows
    assert noted.purpose == "called_on_file"
    later = sent("k1", "user-bob")  # a key is one person's
    assert later != made
    with pytest.raises(RefusedError):
        sent("k1")
    assert opens(desk, later.receipt_no, later.access_code)


def test_the_contact_on_file_is_told_masked(desk: Bench) -> None:
    made = renewed(desk, desk.one(REACHED).case_id)
    assert made.contact == {
        "name": "A\u2022\u2022\u2022",
        "phone": "\u2022\u2022\u2022\u20220958",
    }


def test_it_is_recorded_who_made_it_and_when(desk: Bench) -> None:
    receipt = desk.one(REACHED)
    renewed(desk, receipt.case_id)
    (noted,) = Readings(desk.store.database).page(Wanted(), limit=9).rows
    assert (noted.act, noted.kind, noted.actor, noted.case_id) == (
        "renew",
        "access_code",
        "user-ann",
        receipt.case_id,
    )
    with desk.store.database.read() as tx:
        (row,) = tx.fetchall("SELECT number, actor, role FROM access_code_renewal")
    assert tuple(row) == (1, "user-ann", "agent")


def test_the_same_submission_again_does_not_tell_the_new_code(desk: Bench) -> None:
    """Whoever kept the form's key must not get what was made to shut them out."""
    first = desk.one(REACHED, key="k")
    made = renewed(desk, first.case_id)
    again = desk.one(REACHED, key="k")
    assert again.repeated
    assert again.access_code != made.access_code
    assert not opens(desk, again.receipt_no, again.access_code)


def test_a_complaint_that_came_back_without_its_words_gets_a_code(desk: Bench) -> None:
    receipt = desk.one(REACHED)
    with desk.store.database.write() as tx:
        tx.execute("DELETE FROM vault_document")
    assert opens(desk, receipt.receipt_no, receipt.access_code)  # derived, not kept
    made = renewed(desk, receipt.case_id)
    assert made.contact == {}
    assert opens(desk, receipt.receipt_no, made.access_code)


def test_what_was_never_received_has_no_code(desk: Bench) -> None:
    with pytest.raises(NotFoundError):
        renewed(desk, UUID(int=9))
