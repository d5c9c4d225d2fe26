"""The queue as it stood: what it would have shown then, in bounded steps, on both databases."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pytest

from events.vocabulary import State
from services.handling.application import past
from services.handling.application.cases import Handling
from services.handling.application.looking import own_past
from services.handling.persistence import WorkList
from services.handling.ports import QueueFilter
from services.kernel.access import Credential
from services.kernel.errors import ForbiddenError
from tests.support.given import DEFAULT_POLICY
from tests.support.stages import START, recorded, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.handling.application.past import PastPage
    from services.handling.ports import Listed
    from services.kernel.store.database import Database

EVENTS = staged(25, seed=3)
MANY = 1_000
MINUTE = dt.timedelta(minutes=1)
RECEIVED = EVENTS[0].occurred_at
FILTERS = (
    QueueFilter(),
    *(QueueFilter(state=state) for state in State),
    QueueFilter(unended=True),
    QueueFilter(department="quality"),
    QueueFilter(department="logistics", unassigned=True),
    QueueFilter(severity="minor", category="product"),
    QueueFilter(category="product/def"),
    QueueFilter(origins=("demo",)),
    QueueFilter(origins=("demo", "live"), channel="web"),
    QueueFilter(received_from=RECEIVED, received_before=RECEIVED + MINUTE),
    QueueFilter(closed_from=RECEIVED),
    QueueFilter(closed_before=RECEIVED + dt.timedelta(hours=9)),
)


@pytest.fixture
def handling(make_database: Callable[[str], Database]) -> Handling:
    return Handling(*recorded(make_database("handling"), EVENTS))


def as_of(handling: Handling, when: Any, wanted: QueueFilter, **given: Any) -> PastPage:
    given = {"among": QueueFilter(), "limit": MANY, **given}
    return handling.queue_as_of(when, wanted, **given)


def test_it_shows_what_the_queue_of_a_record_that_ends_there_shows(
    handling: Handling, make_database: Callable[[str], Database]
) -> None:
    chance = random.Random(9)  # noqa: S311 it must repeat
    for position in (*chance.sample(range(1, len(EVENTS)), 2), len(EVENTS)):
        database = make_database(f"until_{position}")
        then = Handling(*recorded(database, EVENTS[:position]))
        found = 0
        for wanted in FILTERS:
            page, stood = (
                then.queue(wanted, limit=MANY),
                as_of(handling, position, wanted),
            )
            assert (stood.rows, stood.total) == (page.rows, page.total), wanted
            assert (stood.position, stood.place) == (position, None)
            found += page.total
        assert found > 2 * len(then.queue(QueueFilter(), limit=MANY).rows)


def test_an_instant_and_a_position_ask_for_the_same(handling: Handling) -> None:
    """Known a minute apart, the first at START."""
    by_position = as_of(handling, 5, QueueFilter())
    for instant in (START + 4 * MINUTE, START + 5 * MINUTE - MINUTE / 60):
        assert as_of(handling, instant, QueueFilter()) == by_position
    assert handling.known_at(5) == START + 4 * MINUTE
    before = as_of(handling, START - MINUTE, QueueFilter())
    assert (before.rows, before.total, before.position) == ((), 0, 0)
    assert handling.known_at(0) is None


def pages(handling: Handling, wanted: QueueFilter, limit: int) -> Iterator[PastPage]:
    while True:
        page = as_of(handling, 90, wanted, limit=limit)
        yield page
        if page.place is None:
            return
        wanted = wanted._replace(after=page.place)


@pytest.mark.parametrize("wanted", [QueueFilter(), QueueFilter(state="CLOSED")])
def test_steps_of_bounded_work_come_to_the_whole(
    handling: Handling, monkeypatch: pytest.MonkeyPatch, wanted: QueueFilter
) -> None:
    whole = as_of(handling, 90, wanted)
    monkeypatch.setattr(past, "LOOKED_AT", 4)
    monkeypatch.setattr(past, "_AT_ONCE", 2)
    for limit in (1, 3, 50):
        rows: list[Listed] = []
        for page in pages(handling, wanted, limit):
            assert page.total is None, "nobody looked through all of it"
            assert len(page.rows) <= min(limit, 4)
            rows += page.rows
        assert tuple(rows) == whole.rows


def test_a_case_that_was_not_known_costs_nothing(
    handling: Handling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many came later, however long ago they were received."""
    monkeypatch.setattr(past, "LOOKED_AT", 2)
    assert as_of(handling, 1, QueueFilter()).place is None
    assert as_of(handling, 1, QueueFilter()).total == 1


def test_a_department_sees_of_what_was_its_own_what_still_is(
    handling: Handling,
) -> None:
    def listed(who: Credential, when: int) -> set[str]:
        page = own_past(handling, when, QueueFilter(), who, DEFAULT_POLICY, limit=MANY)
        return {row.receipt_no for row in page.rows}

    han = Credential("user-han", "department_handler", "quality")
    auditor = Credential("user-yao", "auditor")
    present = {
        row.receipt_no
        for row in handling.queue(QueueFilter(department="quality"), limit=MANY).rows
    }
    everything = listed(auditor, 60)
    own = listed(han, 60)
    assert len(everything) > len(own) > 0
    assert own < present
    assert own <= everything
    with pytest.raises(ForbiddenError):
        listed(Credential("user-amy", "admin"), 60)


def test_rows_are_those_of_the_work_list(handling: Handling) -> None:
    """The two ways to a row, by SQL and by hand, give the same values."""
    page = handling.queue(QueueFilter(), limit=MANY)
    for row in page.rows:
        assert past.listed(handling.history(str(row.case_id)).case) == row


def test_the_work_list_asks_for_what_was_known(
    make_database: Callable[[str], Database],
) -> None:
    database = make_database("known")
    recorded(database, EVENTS)
    work_list = WorkList(database)
    for position in (0, 7, 30):
        known = {event.case_id for event in EVENTS[:position]}
        assert work_list.count(QueueFilter(known_by=position)) == len(known)
