"""Words of a complaint for a colleague: masked, noted, only of this complaint."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from services.intake.application.inquiries import Opened, Wanted, documents_of
from services.intake.messaging import wanted_of
from services.kernel.errors import MalformedError, NotFoundError
from services.kernel.vault import DamagedError, ErasedError, Readings
from tests.support.intake import GOOD, NOW, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.store.database import Database

CLAIM = GOOD | {
    "contact": {"name": "Wang Fang", "phone": "+8613812345521"},
    "desired_outcome": "A new one.",
}


@pytest.fixture
def taken(make_database: Callable[..., Database]) -> Iterator[Bench]:
    taken = bench(make_database)
    taken.one(CLAIM)
    taken.writer.start()
    yield taken
    taken.writer.stop()


def wanted(bench: Bench, kind: str, **how: Any) -> Wanted:
    (event,) = bench.events()
    ref = getattr(event.data, kind)
    given = {
        "document_id": ref.document_id,
        "case_id": event.case_id,
        "actor": "user-lin",
        "role": "agent",
        "department": "front-office",
    }
    return Wanted(**given | how)


def opened(bench: Bench, asked: Wanted) -> Opened:
    return asyncio.run(bench.inquiries.document(asked))


def noted(bench: Bench) -> list[tuple[object, ...]]:
    (event,) = bench.events()
    return [
        (
            each.read_at,
            each.actor,
            each.department,
            each.kind,
            each.purpose,
            each.masked,
        )
        for each in Readings(bench.store.database).of_case(event.case_id)
    ]


def test_words_are_given_whole_and_the_look_is_noted(taken: Bench) -> None:
    found = opened(taken, wanted(taken, "statement"))
    assert found.content.decode() == GOOD["statement"]
    assert not found.masked
    assert noted(taken) == [
        (NOW, "user-lin", "front-office", "statement", "case_work", False)
    ]


def test_particulars_are_masked_until_somebody_says_what_for(taken: Bench) -> None:
    found = opened(taken, wanted(taken, "particulars"))
    assert found.masked
    assert json.loads(found.content) == {
        "contact": {"name": "W•••", "phone": "••••5521"}
    }
    asked = wanted(taken, "particulars", purpose="contact_customer")
    whole = opened(taken, asked)
    assert not whole.masked
    assert json.loads(whole.content)["contact"]["phone"] == "+8613812345521"
    assert [each[-2:] for each in noted(taken)] == [
        ("case_work", True),
        ("contact_customer", False),
    ]


def test_a_document_of_another_complaint_is_none_of_this_one(taken: Bench) -> None:
    for how in ({"case_id": UUID(int=7)}, {"document_id": UUID(int=7)}):
        with pytest.raises(NotFoundError, match=r"intake\.no_document"):
            opened(taken, wanted(taken, "statement", **how))
    assert noted(taken) == []


def test_what_was_erased_is_not_given_and_not_noted(taken: Bench) -> None:
    (event,) = taken.events()
    taken.vault.destroy_key(event.data.subject_id, NOW)
    with pytest.raises(ErasedError):
        opened(taken, wanted(taken, "statement"))
    assert noted(taken) == []


def test_an_altered_document_is_not_given(taken: Bench) -> None:
    with taken.store.database.write() as tx:
        tx.execute("UPDATE vault_document SET ciphertext = ?", (b"x" * 64,))
    with pytest.raises(DamagedError):
        opened(taken, wanted(taken, "statement"))


def test_every_document_of_a_complaint_is_known(taken: Bench) -> None:
    (event,) = taken.events()
    kinds = [str(each.kind) for each in documents_of(event.data)]
    assert kinds == ["statement", "particulars", "desired_outcome"]


def test_a_question_is_read_strictly(taken: Bench) -> None:
    asked = wanted(taken, "statement")
    plain = {
        "document_id": str(asked.document_id),
        "case_id": str(asked.case_id),
        "actor": "user-lin",
        "role": "agent",
    }
    assert wanted_of(plain).actor == "user-lin"
    for wrong in (None, [], {}, plain | {"case_id": "x"}, plain | {"actor": None}):
        with pytest.raises(MalformedError):
            wanted_of(wrong)
