"""What was written is found soon after its commit, whatever comes between; on both databases."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from services.intake.ports import Sought
from services.kernel.errors import UnavailableError
from services.kernel.vault import WordIndex, word_follower
from tests.support.desk import CASE, DeskHouse
from tests.support.given import AGENT
from tests.support.intake import CLERK, NOW, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from services.kernel.store.database import Database
    from services.kernel.vault import WordFollower

LEAK = {
    "channel": "phone",
    "statement": "The kettle whistles. 漏水",
    "desired_outcome": "A new one.",
    "contact": {"name": "Wang", "phone": "+8613800138000"},
}


@pytest.fixture
def intake(make_database: Callable[..., Database]) -> Bench:
    return bench(make_database)


@contextmanager
def writing(intake: Bench) -> Iterator[None]:
    intake.writer.start()
    try:
        yield
    finally:
        intake.writer.stop()


def found(intake: Bench, text: str) -> set[UUID]:
    (cases,) = intake.inquiries.find([[Sought("words", text)]])
    return cases


def search(intake: Bench, text: str) -> tuple[set[UUID], dt.datetime | None]:
    """Search as colleagues do, who wait a moment for what is not taken in."""
    with writing(intake):
        (cases,), since = asyncio.run(
            intake.inquiries.search([[Sought("words", text)]])
        )
    return cases, since


def in_lots_of(follower: WordFollower, events: int) -> None:
    follower._size = events


def test_a_complaint_is_found_by_what_its_sender_wrote(intake: Bench) -> None:
    leak = intake.one(LEAK).case_id
    intake.one()
    assert found(intake, "whistles") == set()
    assert intake.follower.take() == 2
    for text in ("whistles", "漏水", "new kettle 漏水"):
        assert found(intake, text) == {leak}
    assert intake.follower.take() == 2  # nothing is new


def test_a_search_waits_for_what_was_committed_before_it(intake: Bench) -> None:
    cases = {intake.one(LEAK).case_id for _ in range(5)}
    in_lots_of(intake.follower, 2)
    assert search(intake, "whistles") == (cases, None)


def test_a_search_says_since_when_it_did_not_look(
    intake: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_follower, "PATIENCE", -1.0)
    first = intake.one(LEAK).case_id
    intake.moments.append(NOW + dt.timedelta(minutes=3))
    intake.one(LEAK)
    in_lots_of(intake.follower, 1)
    assert search(intake, "whistles") == ({first}, intake.moments[-1])


def test_a_crash_only_puts_it_off(
    intake: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of a lot and how far it is commit together, or neither."""
    cases = {intake.one(LEAK).case_id for _ in range(4)}
    in_lots_of(intake.follower, 2)
    intake.follower.take()
    whole = WordIndex.put

    def crashing(self: WordIndex, *given: object, **more: object) -> None:
        whole(self, *given, **more)  # type: ignore[arg-type]
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(WordIndex, "put", crashing)
        with pytest.raises(ConnectionError):
            intake.follower.take()
    assert len(found(intake, "whistles")) == 2
    in_lots_of(intake.follower, 2)
    assert intake.follower.take() == 4
    assert found(intake, "whistles") == cases


def erase(intake: Bench, case_id: UUID) -> None:
    received = intake.record.received(case_id)
    assert received is not None
    with intake.store.database.write() as tx:
        intake.record.erase(tx, received.subject_id, [case_id], at=NOW)


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
def test_who_was_erased_is_not_taken_in(intake: Bench, when: str) -> None:
    """Not when the texts had been read already, and the words lay ready, either."""
    gone = intake.one(LEAK).case_id
    stays = intake.one(LEAK | {"contact": {"name": "Li", "phone": "+8613800138001"}})
    follower, texts = intake.follower, intake.follower._worded

    def meanwhile(entries: Sequence[object]) -> list[object]:
        ready = texts(entries)  # type: ignore[arg-type]
        erase(intake, gone)
        return list(ready)

    if when == "before":
        erase(intake, gone)
    if when == "meanwhile":
        follower._worded = meanwhile  # type: ignore[method-assign, assignment]
    follower.take()
    if when == "after":
        erase(intake, gone)
    assert found(intake, "whistles") == {stays.case_id}
    with intake.store.database.read() as tx:
        rows = tx.fetchall("SELECT case_id, digests FROM worded")
    assert not any(any(digests) for case, digests in rows if case == gone)


def test_of_two_processes_one_takes_a_lot_in(intake: Bench) -> None:
    """The other sees that somebody was first, and goes on behind it."""
    case = intake.one(LEAK).case_id
    other, whole = intake.follower.take, intake.follower._worded

    def overtaken(entries: Sequence[object]) -> list[object]:
        intake.follower._worded = whole  # type: ignore[method-assign]
        other()
        return list(whole(entries))  # type: ignore[arg-type]

    intake.follower._worded = overtaken  # type: ignore[method-assign, assignment]
    assert intake.follower.take() == 0
    assert intake.follower.take() == 1
    assert found(intake, "whistles") == {case}


def test_it_runs_beside_the_work_and_is_woken_by_it(intake: Bench) -> None:
    async def main() -> UUID:
        intake.follower.start()
        try:
            receipt = await intake.intake.submit(
                LEAK, key=None, caller=CLERK, correlation_id="test"
            )
            async with asyncio.timeout(60):
                while not found(intake, "whistles"):  # noqa: ASYNC110 it tells nobody
                    await asyncio.sleep(0.01)
        finally:
            await intake.follower.stop()
        return receipt.case_id

    with writing(intake):
        case = asyncio.run(main())
    assert found(intake, "whistles") == {case}


def test_what_an_earlier_amends_kept_is_taken_in_anew(
    make_database: Callable[..., Database],
) -> None:
    make_database("intake").migrate(
        ("CREATE TABLE document_word (digest BYTEA, document_id UUID, case_id UUID)",)
    )
    intake = bench(make_database)
    case = intake.one(LEAK).case_id
    intake.follower.take()
    assert found(intake, "whistles") == {case}


def test_what_colleagues_wrote_is_found(
    make_database: Callable[[str], Database],
) -> None:
    house = DeskHouse(make_database)
    try:
        house.receive()  # its words are intake's
        assert house.follower.take() == house.store.last_position()
        with house.database.read() as tx:
            assert house.words.reach(tx) == 0  # nothing to keep, nothing committed
        house.give(
            AGENT,
            "accept",
            complaint_class="grievance",
            category="product/noise",
            scope_kind=1,
            order_check="found",
            shipment_check="found",
        )
        house.give(
            AGENT, "add-evidence", document="a cracked lid 退款", source="customer"
        )
        assert house.words.search("cracked") == set()
        assert house.follower.take() == house.store.last_position()
        assert house.words.search("cracked 退款") == {CASE}
    finally:
        house.close()


def test_when_the_writer_has_ended_nobody_is_told_that_all_is_there(
    intake: Bench,
) -> None:
    with pytest.raises(UnavailableError):
        asyncio.run(intake.inquiries.search([[Sought("words", "kettle")]]))
