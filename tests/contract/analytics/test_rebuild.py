"""A rebuild makes the same rows again, says so, and repairs what somebody altered."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from events.codec import encode
from services.analytics.application.rebuilding import (
    SLICE,
    Progress,
    Rebuilder,
    run_rebuild,
)
from services.analytics.application.recording import record
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.log_client import Page
from tests.support.histories import Logged, made_up_log, shuffled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.kernel.store.database import Database


class StoredLog:
    """Handling's log, growing; what is asked of it can be made to happen meanwhile."""

    def __init__(self, log: Sequence[Logged]) -> None:
        self.log = list(log)
        self.unreadable: set[int] = set()
        self.meanwhile: list[Callable[[], None]] = []

    async def __call__(self, after: int, limit: int) -> Page:
        await asyncio.sleep(0)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        lines = [self._line(each) for each in self.log if each.position > after]
        last = self.log[-1].position if self.log else 0
        return Page(lines[:limit], last)

    def _line(self, logged: Logged) -> Any:
        body = encode(logged.event)
        if logged.position in self.unreadable:
            body = body.replace(b'"type":"', b'"type":"Unheard')
        return _Line(logged.position, logged.committed_at, body)


class _Line:
    def __init__(self, position: int, committed_at: int, body: bytes) -> None:
        self.position, self.committed_at, self.body = position, committed_at, body


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


def arrive(store: SqlFactStore, log: Sequence[Logged]) -> None:
    with store.transaction() as tx:
        unfit = record(store.live, tx, [each.entry for each in log])
        store.live.note(tx, [Known(*each[:2]) for each in log])
        store.settle(tx, unfit=unfit)


def rebuilt(store: SqlFactStore, log: StoredLog) -> Progress:
    reports: list[Progress] = []
    done = asyncio.run(
        run_rebuild(
            store,
            fetch=log,
            write=at_once,
            report=reports.append,
            patience=0,
        )
    )
    assert reports[-1] == done
    positions = [report.position for report in reports]
    assert positions == sorted(positions)
    return done


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database("analytics")


@pytest.fixture
def store(database: Database) -> SqlFactStore:
    return SqlFactStore(database)


def test_unaltered_rows_are_equal(store: SqlFactStore) -> None:
    log = made_up_log(31, cases=80, events=SLICE * 2 + 11)
    arrive(store, shuffled(log, random.Random(1)))  # noqa: S311 - repeatable
    before = store.digest(len(log), beside=False)
    done = rebuilt(store, StoredLog(log))
    assert (done.state, done.equal, done.compared_to) == ("done", True, len(log))
    assert done.digest == done.live_digest == before
    assert store.digest(len(log), beside=False) == before


def test_a_rebuild_may_follow_a_rebuild(store: SqlFactStore) -> None:
    log = made_up_log(32, cases=20, events=100)
    arrive(store, log[:60])
    for end in (60, 80, 100):
        done = rebuilt(store, StoredLog(log[:end]))
        assert (done.equal, done.held) == (True, 0)
    arrive(store, log)
    with store.snapshot() as rows:
        assert rows.standing[:2] == (100, 0)


@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE complaint_row SET category = 'billing/other' WHERE from_position = 40",
        "UPDATE complaint_row SET to_position = to_position - 1"  # noqa: ISC004 one statement
        " WHERE from_position = (SELECT MIN(from_position) FROM complaint_row"
        " WHERE to_position IS NOT NULL)",
        "DELETE FROM complaint_row WHERE from_position = 40",
        "UPDATE log_position SET committed_at = committed_at + 1 WHERE position = 40",
    ],
)
def test_an_altered_row_is_found_and_repaired(
    store: SqlFactStore, database: Database, alteration: str
) -> None:
    log = made_up_log(33, cases=200, events=200)
    arrive(store, log)
    sound = store.digest(200, beside=False)
    with database.write() as tx:
        tx.execute(alteration)
    altered = store.digest(200, beside=False)
    assert altered != sound
    done = rebuilt(store, StoredLog(log))
    assert (done.equal, done.live_digest, done.digest) == (False, altered, sound)
    assert store.digest(200, beside=False) == sound
    assert rebuilt(store, StoredLog(log)).equal is True


def test_a_rebuild_ends_the_damage(store: SqlFactStore, database: Database) -> None:
    log = made_up_log(37, cases=3, events=60)
    arrive(store, log[:50])
    with database.write() as tx:
        tx.execute("DELETE FROM complaint_row")
    arrive(store, log[50:])
    with store.snapshot() as rows:
        assert rows.standing[:2] == (60, 10)
    assert rebuilt(store, StoredLog(log)).equal is False
    with store.snapshot() as rows:
        assert rows.standing[:2] == (60, 0)


def test_events_that_arrive_meanwhile_are_in_the_rows_after_the_swap(
    store: SqlFactStore,
) -> None:
    log = made_up_log(34, cases=60, events=700)
    arrive(store, log[:600])
    stored = StoredLog(log[:600])

    def more(start: int, end: int, log_end: int) -> None:
        stored.log = log[:log_end]
        arrive(store, log[start:end])

    stored.meanwhile = [
        lambda: more(600, 620, 620),
        lambda: more(620, 640, 640),
        lambda: more(640, 650, 690),  # after the comparison; the bus is behind the log
    ]
    assert rebuilt(store, stored).equal is True
    assert stored.meanwhile == []
    with store.snapshot() as rows:
        assert rows.standing[:2] == (690, 0)
    arrive(store, log[600:])  # what the bus still delivers is there already, mostly
    with store.snapshot() as rows:
        assert rows.standing[:2] == (700, 0)
    assert rebuilt(store, StoredLog(log)).equal is True


@pytest.mark.parametrize(("ahead", "ends"), [(3, True), (1_000, False)])
def test_live_rows_that_run_ahead_are_caught_up_or_left_alone(
    store: SqlFactStore, *, ahead: int, ends: bool
) -> None:
    log = made_up_log(38, cases=60, events=400)
    arrive(store, log[:100])
    stored = StoredLog(log[:100])
    runs = 0

    async def overtaken(work: Callable[[], Any]) -> Any:
        """Let the bus be faster than the next job, as often as asked."""
        nonlocal runs
        runs += 1
        end = len(stored.log) + 2
        if 2 < runs <= 2 + ahead and end <= len(log):
            stored.log = log[:end]
            arrive(store, log[end - 2 : end])
        return work()

    rebuild = run_rebuild(
        store, fetch=stored, write=overtaken, report=lambda _: None, patience=0
    )
    if ends:
        assert asyncio.run(rebuild).equal is True
    else:
        with pytest.raises(UnavailableError):
            asyncio.run(rebuild)
    position = len(stored.log)
    with store.snapshot() as rows:
        assert rows.standing[:2] == (position, 0)
    sound = store.digest(position, beside=False)
    assert rebuilt(store, StoredLog(stored.log)).digest == sound


def test_a_swap_waits_until_the_rebuilt_rows_have_what_the_live_ones_have(
    store: SqlFactStore,
) -> None:
    log = made_up_log(35, cases=30, events=90)
    arrive(store, log)
    store.begin_rebuild()
    with store.transaction() as tx:
        record(store.beside, tx, [each.entry for each in log[:80]])
    before = store.digest(90, beside=False)
    assert store.swap(80) is False
    assert store.digest(90, beside=False) == before


def test_a_rebuild_that_another_process_began_ends_the_one_before(
    make_database: Callable[..., Database],
) -> None:
    """Neither goes on in the other's rows."""
    log = made_up_log(37, cases=20, events=120)
    one, other = (
        SqlFactStore(make_database("analytics"), consumer="analytics") for _ in "ab"
    )
    arrive(one, log)
    one.begin_rebuild()
    other.begin_rebuild()
    with pytest.raises(RefusedError), one.transaction() as tx:
        one.require_rebuild(tx)
    with pytest.raises(RefusedError):
        one.swap(120)
    assert rebuilt(other, StoredLog(log)).equal is True


def test_what_cannot_be_read_is_held_with_its_case_and_no_other(
    store: SqlFactStore,
) -> None:
    log = made_up_log(36, cases=10, events=200)
    held = log[50]
    behind = [each for each in log[50:] if each.event.case_id == held.event.case_id]
    arrived = [each for each in log if each not in behind]
    with store.transaction() as tx:
        record(store.live, tx, [each.entry for each in arrived])
        store.live.note(tx, [Known(*each[:2]) for each in log])
        store.settle(tx)
    stored = StoredLog(log)
    stored.unreadable = {held.position}
    done = rebuilt(store, stored)
    assert (done.equal, done.held) == (True, len(behind))


def test_an_empty_log_is_rebuilt_too(store: SqlFactStore) -> None:
    done = rebuilt(store, StoredLog([]))
    assert (done.state, done.equal, done.position) == ("done", True, 0)


def test_one_rebuild_runs_at_a_time_and_a_failure_is_told() -> None:
    async def scenario() -> None:
        going = asyncio.Event()
        runs = 0

        async def run(report: Callable[[Progress], None]) -> Progress:
            nonlocal runs
            runs += 1
            report(Progress(state="running", position=7))
            await going.wait()
            if runs == 1:
                raise UnavailableError("handling.away", "Try again.")
            if runs == 2:
                raise RuntimeError
            report(Progress(state="done", equal=True))
            return Progress(state="done")

        rebuilder = Rebuilder(run)
        assert rebuilder.progress.state == "idle"
        for expected in (
            ("failed", "handling.away: Try again."),
            ("failed", "RuntimeError: see the log of analytics"),
            ("done", None),
        ):
            going.clear()
            assert rebuilder.begin().state == "running"
            await asyncio.sleep(0.01)
            assert rebuilder.begin().position == 7
            going.set()
            await asyncio.sleep(0.01)
            assert (rebuilder.progress.state, rebuilder.progress.fault) == expected
        assert runs == 3
        going.clear()
        rebuilder.begin()
        await asyncio.sleep(0.01)
        await rebuilder.stop()

    asyncio.run(scenario())
