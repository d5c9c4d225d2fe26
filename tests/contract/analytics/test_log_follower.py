"""What no stream brings is taken from the log: holes, lost ends, unreadable events."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from events import codec
from services.analytics.messaging import LogFollower, filling, placed, recording
from services.analytics.persistence import SqlFactStore
from services.bus import read_event
from services.kernel.broker.headers import COMMITTED_AT, POSITION
from services.kernel.clock import system_clock
from services.kernel.errors import PoisonError, UnavailableError
from services.kernel.inbox import Inbox
from services.kernel.log_client import Page
from services.kernel.store.sqlite import SqliteDatabase
from services.kernel.store.writer import Writer
from services.kernel.web.log_lines import LogLine
from tests.support.histories import Logged, made_up_log
from tests.support.inbox import vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from uuid import UUID

    from services.kernel.store.database import Database

LOG = made_up_log(81, cases=60, events=900, gaps=True)


def line(logged: Logged, body: bytes | None = None) -> LogLine:
    event = logged.event
    return LogLine(
        position=logged.position,
        committed_at=logged.committed_at,
        case_id=event.case_id,
        version=event.version,
        type=event.type,
        epoch="e",
        leaf=b"",
        body=codec.encode(event) if body is None else body,
    )


class FakeLog:
    """Handling's log; fails as often as asked, first."""

    def __init__(
        self, lines: Sequence[LogLine], faults: Sequence[Exception] = ()
    ) -> None:
        self.lines, self.faults = list(lines), list(faults)

    async def page(self, after: int, limit: int) -> Page:
        if self.faults:
            raise self.faults.pop(0)
        lines = [each for each in self.lines if each.position > after]
        return Page(lines[:limit], self.lines[-1].position if self.lines else 0)

    async def of_case(self, case_id: UUID, after_version: int) -> list[LogLine]:
        return [
            each
            for each in self.lines
            if each.case_id == case_id and each.version > after_version
        ]


@pytest.fixture
def store(make_database: Callable[..., Database]) -> SqlFactStore:
    return SqlFactStore(make_database("analytics"))


def inbox(store: SqlFactStore) -> Inbox:
    return Inbox(
        "analytics",
        decode=placed(read_event),
        vault=vault(store._database),
        now=system_clock,
    )


def arrive(store: SqlFactStore, log: Sequence[Logged]) -> None:
    """Have events come on the stream."""
    box = inbox(store)
    with store.transaction() as tx:
        arrived = [
            box.read(
                codec.encode(each.event),
                {POSITION: str(each.position), COMMITTED_AT: str(each.committed_at)},
                stream_sequence=each.position,
            )
            for each in log
        ]
        box.apply(tx, arrived, recording(store))


@asynccontextmanager
async def following(store: SqlFactStore, log: FakeLog) -> AsyncIterator[None]:
    writer = Writer("analytics")
    writer.start()
    fake: Any = log
    follower = LogFollower(
        store, fake, inbox=inbox(store), read=read_event, writer=writer, pause=0.01
    )
    running = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        await follower.stop()
        await running
        writer.stop()


async def reached(store: SqlFactStore, position: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with store.snapshot() as rows:
                if rows.standing.complete_to >= position:
                    return
            await asyncio.sleep(0.01)


def in_order(make_database: Callable[..., Database]) -> SqlFactStore:
    alone = SqlFactStore(make_database("alone"))
    arrive(alone, LOG)
    return alone


@pytest.mark.parametrize("came", [0, 1, 450, 900])
def test_holes_and_lost_ends_are_taken_from_the_log(
    store: SqlFactStore, make_database: Callable[..., Database], came: int
) -> None:
    last = LOG[-1].position
    arrive(store, LOG[:came])
    failing = [UnavailableError("log.away", "Later."), RuntimeError("once")]

    async def main() -> None:
        async with following(store, FakeLog([line(each) for each in LOG], failing)):
            await reached(store, last)

    asyncio.run(main())
    sound = in_order(make_database).digest(last, beside=False)
    assert store.digest(last, beside=False) == sound


def lost(database: Database) -> None:
    """Lose the database of a service that does not run."""
    if isinstance(database, SqliteDatabase):
        database.close()
        for file in database.path.parent.glob(f"{database.path.name}*"):
            file.unlink()
        return
    with database.write() as tx:
        [(schema,)] = tx.fetchall("SELECT current_schema()")
        tx.execute(f"DROP SCHEMA {schema} CASCADE")


def test_rows_that_were_deleted_come_back_by_themselves(
    make_database: Callable[..., Database],
) -> None:
    """Also those of cases whose next event finds nothing before it, twice delivered."""
    last = LOG[-1].position
    database = make_database("analytics")
    before = SqlFactStore(database)
    arrive(before, LOG[:800])
    lost(database)
    store = SqlFactStore(make_database("analytics"))

    async def main() -> None:
        async with following(store, FakeLog([line(each) for each in LOG])):
            arrive(store, [*LOG[800:], *LOG[850:]])
            await reached(store, last)

    asyncio.run(main())
    sound = in_order(make_database).digest(last, beside=False)
    assert store.digest(last, beside=False) == sound
    with store.snapshot() as rows:
        assert rows.standing.unfit == 0
        assert rows.held(last) == 0


def test_an_empty_log_brings_nothing(store: SqlFactStore) -> None:
    async def main() -> None:
        async with following(store, FakeLog([])):
            await asyncio.sleep(0.1)

    asyncio.run(main())
    with store.snapshot() as rows:
        assert rows.standing == (0, 0, 0)


def test_unreadable_events_hold_their_case_and_no_position(store: SqlFactStore) -> None:
    bad, newer = LOG[200], LOG[300]
    lines = [line(each) for each in LOG]
    lines[200] = line(bad, b"{}")
    body = codec.encode(newer.event).replace(b'"type":"', b'"type":"New')
    lines[300] = line(newer, body)

    async def main() -> None:
        async with following(store, FakeLog(lines)):
            await reached(store, LOG[-1].position)

    asyncio.run(main())
    waiting = sum(
        each.event.case_id == held.event.case_id and each.position >= held.position
        for held in (bad, newer)
        for each in LOG
    )
    with store.snapshot() as rows:
        assert rows.held(LOG[-1].position) == waiting
        assert rows.standing.unfit == 0


def test_a_gap_of_a_case_is_filled_as_if_it_had_come() -> None:
    case_id = LOG[0].event.case_id
    mine = [each for each in LOG if each.event.case_id == case_id]
    fake: Any = FakeLog([line(each) for each in LOG])
    found = asyncio.run(filling(fake, read_event)(case_id, 1))
    assert [each.event for each in found] == [each.event for each in mine[1:]]
    assert [each.headers[COMMITTED_AT] for each in found] == [
        str(each.committed_at) for each in mine[1:]
    ]


@pytest.mark.parametrize("missing", [POSITION, COMMITTED_AT])
def test_a_message_that_does_not_tell_its_place_is_poison(missing: str) -> None:
    headers = {POSITION: "1", COMMITTED_AT: "2"}
    body = codec.encode(LOG[0].event)
    assert placed(read_event)(body, headers).event == LOG[0].event
    with pytest.raises(PoisonError, match=missing):
        placed(read_event)(body, headers | {missing: "x"})
