"""Words of a complaint for a colleague: masked, noted, only of this complaint."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from services.intake.application.inquiries import Opened, Wanted, documents_of
from services.intake.messaging import told_of_file, wanted_of
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


def test_an_auditor_reads_to_check_and_sees_no_more_for_it(taken: Bench) -> None:
    assert opened(taken, wanted(taken, "particulars", role="auditor")).masked
    assert [each[-2:] for each in noted(taken)] == [("audit", True)]


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


PHOTO = b"GIF89a\0" + bytes(range(256)) * 3_000
SMALL = {"name": "a.txt", "media_type": "image/png", "content": "aGVsbG8="}


@pytest.fixture
def attached(make_database: Callable[..., Database]) -> Iterator[Bench]:
    """A complaint with one uploaded file and one that came inside it."""
    taken = bench(make_database)
    upload = taken.uploaded(PHOTO, name="leak.gif", owner="lin").upload_id
    taken.one(CLAIM | {"attachments": [{"upload": str(upload)}, SMALL]})
    taken.writer.start()
    yield taken
    taken.writer.stop()


def asked_for(bench: Bench, number: int) -> dict[str, Any]:
    (event,) = bench.events()
    return {
        "document_id": str(event.data.attachments[number].document_id),
        "case_id": str(event.case_id),
        "actor": "user-lin",
        "role": "agent",
        "department": "front-office",
    }


def told(bench: Bench, asked: object) -> dict[str, Any]:
    return asyncio.run(told_of_file(bench.inquiries, asked))


def test_a_file_comes_in_pieces_and_is_noted_once(attached: Bench) -> None:
    asked = asked_for(attached, 0)
    sheet = told(attached, asked)
    assert (sheet["name"], sheet["media_type"]) == ("leak.gif", "image/gif")
    pieces = [told(attached, asked | {"piece": number}) for number in range(2)]
    content = b"".join(base64.b64decode(each["content"]) for each in pieces)
    assert content == PHOTO
    assert sheet["size"] == len(PHOTO)
    assert sheet["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert noted(attached) == [
        (NOW, "user-lin", "front-office", "file", "case_work", False)
    ]
    for number in (2, -1):
        with pytest.raises(NotFoundError):
            told(attached, asked | {"piece": number})


def test_a_file_that_came_inside_the_complaint_is_given_alike(attached: Bench) -> None:
    asked = asked_for(attached, 1)
    assert told(attached, asked)["media_type"] == "text/plain"
    piece = told(attached, asked | {"piece": 0})
    assert base64.b64decode(piece["content"]) == b"hello"


def test_a_manifest_is_nobodys_to_read(attached: Bench) -> None:
    """It holds the file's key."""
    (event,) = attached.events()
    ref = event.data.attachments[0]
    asked = wanted(attached, "statement", document_id=ref.document_id)
    with pytest.raises(NotFoundError):
        opened(attached, asked)


def test_particulars_do_not_come_round_the_mask_as_a_file(attached: Bench) -> None:
    (event,) = attached.events()
    hidden = str(event.data.particulars.document_id)
    for more in ({}, {"piece": 0}):
        with pytest.raises(NotFoundError):
            told(attached, asked_for(attached, 0) | {"document_id": hidden} | more)


def test_a_file_of_an_erased_person_is_told_as_erased(attached: Bench) -> None:
    (event,) = attached.events()
    attached.vault.destroy_key(event.data.subject_id, NOW)
    for more in ({}, {"piece": 0}):
        with pytest.raises(ErasedError):
            told(attached, asked_for(attached, 0) | more)


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
