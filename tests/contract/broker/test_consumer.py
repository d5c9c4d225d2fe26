"""A consumer applies every event once and in order, whoever dies on the way."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest

from services.kernel.broker.provision import ConsumerSpec
from services.kernel.clock import system_clock
from services.kernel.errors import UnavailableError
from services.kernel.inbox import Applied, Arrived, Consumer, Following, Inbox
from services.kernel.inbox import consumer as consumer_module
from services.kernel.store.database import Tx, open_database
from services.kernel.store.writer import Writer
from tests.support.bus import Bus
from tests.support.inbox import Follower, Key, Reader, body_of


@pytest.fixture
def database(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'inbox.sqlite'}", schema="inbox")
    yield database
    database.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    """Look often, and wait for nothing before filling."""
    monkeypatch.setattr(consumer_module, "_LOOK", 0.02)
    monkeypatch.setattr(consumer_module, "_PATIENCE", -1)


async def nothing(*_) -> Sequence[Arrived]:
    return []


async def until(condition, within=20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  (the thing under test runs beside)
            await asyncio.sleep(0.005)


async def fill(bus: Bus, keys: Sequence[Key], *, ack_wait: float = 10.0) -> None:
    """Publish events as the relay of their service would, each with its position."""
    await bus.provide(ConsumerSpec(bus.stream, "d", ack_wait=ack_wait))
    js = bus.js
    for position, key in enumerate(keys, 1):
        headers = {"Amends-Position": str(position)}
        await js.publish(bus.subject("x"), body_of(*key, position), headers=headers)


def make_consumer(bus: Bus, follower: Follower, writer: Writer, **options) -> Consumer:
    return Consumer(
        options.pop("client", bus.client),
        **{
            "stream": bus.stream,
            "durable": "d",
            "following": follower.following(writer),
            "fetch": nothing,
            "announce_on": bus.quarantine,
            "now": system_clock,
        }
        | options,
    )


@asynccontextmanager
async def running(consumer: Consumer):
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
        await consumer.stop()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def working(name: str):
    writer = Writer(name)
    writer.start()
    try:
        yield writer
    finally:
        await asyncio.to_thread(writer.stop)


def disordered(cases: int, versions: int, seed: int = 1) -> list[Key]:
    """Nearly in order: some events come late, some twice."""
    chance = random.Random(seed)  # noqa: S311  (a fixed disorder, no secret)
    keys = [(c, v) for v in range(1, versions + 1) for c in range(1, cases + 1)]
    for _ in range(len(keys) // 20):
        keys.insert(chance.randrange(len(keys)), keys.pop(chance.randrange(len(keys))))
    return keys + chance.choices(keys, k=len(keys) // 50)


def test_a_stream_is_applied_and_the_position_follows(open_bus, make_database):
    keys = [(case, version) for version in range(1, 6) for case in range(1, 101)]

    async def scenario() -> None:
        follower = Follower(make_database("inbox"))
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            async with running(make_consumer(bus, follower, writer)) as consumer:
                await until(lambda: consumer.status().position == 500)
                status = consumer.status()
                assert (status.behind, status.waiting.total) == (0, 0)
                assert status.healthy
        assert all(v == [1, 2, 3, 4, 5] for v in follower.by_case().values())
        with follower.database.read() as tx:
            assert follower.inbox.rows.position(tx) == 500

    asyncio.run(scenario())


def test_disorder_and_duplicates_end_in_the_same_result(open_bus, database):
    keys = disordered(cases=40, versions=10)

    async def scenario() -> None:
        follower = Follower(database)
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            consumer = make_consumer(bus, follower, writer, batch=7)
            async with running(consumer):
                await until(lambda: consumer.status().position == len(keys))
        assert all(v == list(range(1, 11)) for v in follower.by_case().values())
        assert len(follower.effects) == 400
        assert follower.waiting() == {}

    asyncio.run(scenario())


class WatermarkInbox(Inbox):
    """The control: it takes what lies behind the last position it has seen."""

    mark = 0

    def apply(self, tx: Tx, arrived: Sequence[Arrived], effect) -> Applied:
        fresh = [event for event in arrived if event.position > self.mark]
        for event in fresh:
            type(self).mark = event.position
        if fresh:
            effect(tx, fresh)
        return Applied(applied=len(fresh), duplicates=len(arrived) - len(fresh))


async def _killed_and_replaced(
    open_bus, database, inbox: type[Inbox], settled
) -> Follower:
    """A worker dies with a full hand, its successor starts at once."""
    keys = [(case, version) for version in range(1, 6) for case in range(1, 61)]
    follower = Follower(database, inbox=inbox)
    async with open_bus() as bus, working("t") as writer:
        await fill(bus, keys, ack_wait=0.5)
        stuck, handled = asyncio.Event(), 0

        class Dying(Consumer):
            async def _handle(self, messages) -> None:
                nonlocal handled
                handled += len(messages)
                if handled > 30:
                    stuck.set()
                    await asyncio.Event().wait()
                await super()._handle(messages)

        options = {"hand": 50, "batch": 10}
        dying = make_consumer(bus, follower, writer, **options)
        dying.__class__ = Dying
        doomed = asyncio.create_task(dying.run())
        await stuck.wait()
        doomed.cancel()
        successor = make_consumer(
            bus, follower, writer, client=await bus.connect(), **options
        )
        async with running(successor):
            with suppress(asyncio.CancelledError):
                await doomed
            await until(lambda: settled(successor, follower))
    return follower


def test_a_worker_killed_with_a_full_hand_costs_nothing(open_bus, database):
    follower = asyncio.run(
        _killed_and_replaced(
            open_bus,
            database,
            Inbox,
            lambda consumer, _: consumer.status().position == 300,
        )
    )
    assert len(follower.effects) == 300
    assert all(v == [1, 2, 3, 4, 5] for v in follower.by_case().values())


def test_a_watermark_would_lose_what_the_dead_worker_held(
    open_bus, database, monkeypatch
):
    """The control: what makes the test above worth anything."""
    monkeypatch.setattr(WatermarkInbox, "mark", 0)
    follower = asyncio.run(
        _killed_and_replaced(
            open_bus,
            database,
            WatermarkInbox,
            lambda consumer, _: consumer.status().position == 300,
        )
    )
    assert len(set(follower.effects)) < 300


def test_a_case_that_lacks_an_event_is_filled_from_the_log(open_bus, database):
    """Also one that lacks its first event, and one that the log does not have yet."""
    keys = [(1, 1), (1, 3), (1, 4), (2, 2), (3, 1), (3, 3)]
    log = {1: [1, 2, 3, 4], 2: [1, 2]}
    asked: list[Key] = []

    async def scenario() -> None:
        follower = Follower(database)

        async def fetch(case_id, after: int) -> list[Arrived]:
            asked.append((case_id.int, after))
            versions = [v for v in log.get(case_id.int, []) if v > after]
            return [follower.read((case_id.int, version)) for version in versions]

        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            async with running(make_consumer(bus, follower, writer, fetch=fetch)):
                await until(lambda: len(follower.effects) == 7)
                assert follower.waiting() == {"gap": 1}
                log[3] = [1, 2, 3]
                await until(lambda: len(follower.effects) == 9)
        assert follower.by_case() == {1: [1, 2, 3, 4], 2: [1, 2], 3: [1, 2, 3]}
        assert set(asked) == {(1, 1), (2, 0), (3, 1)}
        assert asked.count((3, 1)) < 4  # ever rarer

    asyncio.run(scenario())


def test_what_its_source_lacks_too_goes_to_quarantine_and_a_reader_away_does_not(
    open_bus, database, monkeypatch
):
    monkeypatch.setattr(consumer_module, "_FRUITLESS", 1)
    away = [True]

    async def source(case_id: UUID, _: int) -> Sequence[Arrived]:
        if away[0]:
            raise UnavailableError("log.away", "Later.")
        return [follower.read((1, version)) for version in (3, 4) if case_id.int == 1]

    follower = Follower(database)

    async def scenario() -> None:
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, [(1, 3), (2, 1), (1, 4)])
            consumer = make_consumer(bus, follower, writer, fetch=source)
            async with running(consumer):
                await until(lambda: consumer.status().fault == "UnavailableError")
                assert consumer.status().waiting.poison == 0
                away[0] = False
                await until(lambda: consumer.status().waiting.poison == 1)
            assert consumer.status().waiting.gaps == 1

    asyncio.run(scenario())
    assert follower.by_case() == {2: [1]}


def test_the_position_stays_below_what_waits(open_bus, database):
    async def scenario() -> None:
        follower = Follower(database)
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, [(1, 1), (2, 1), (1, 3), (2, 2)])
            async with running(make_consumer(bus, follower, writer)) as consumer:
                await until(lambda: consumer.status().position == 2)
                await asyncio.sleep(0.1)
                assert consumer.status().position == 2
                await bus.js.publish(bus.subject("x"), body_of(1, 2, 5))
                await until(lambda: len(follower.effects) == 5)
                headers = {"Amends-Position": "6"}
                await bus.js.publish(
                    bus.subject("x"), body_of(2, 3, 6), headers=headers
                )
                await until(lambda: consumer.status().position == 6)

    asyncio.run(scenario())


def test_too_much_that_waits_stops_the_pull_until_it_is_filled(open_bus, database):
    keys = [(case, 2) for case in range(1, 301)]
    allowed = asyncio.Event()

    async def scenario() -> None:
        follower = Follower(database)

        async def fetch(case_id, _after: int) -> list[Arrived]:
            return [follower.read((case_id.int, 1))] if allowed.is_set() else []

        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            consumer = make_consumer(
                bus, follower, writer, fetch=fetch, hand=20, batch=5, most_waiting=50
            )
            async with running(consumer):
                await until(lambda: consumer.status().waiting.gaps > 50)
                await asyncio.sleep(0.3)
                status = consumer.status()
                assert (status.paused, status.healthy) == (True, False)
                assert status.waiting.gaps <= 50 + 20
                allowed.set()
                await until(lambda: len(follower.effects) == 600, within=40)

    asyncio.run(scenario())


def test_poison_is_parked_told_and_replayed(open_bus, database):
    keys = [(case, version) for version in range(1, 5) for case in range(1, 31)]
    reader = Reader(poison={(7, 2), (8, 1)}, mute={(9, 3)})

    async def scenario() -> None:
        follower = Follower(database, reader)
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            async with running(make_consumer(bus, follower, writer)) as consumer:
                await until(lambda: consumer.status().waiting.total == 3 + 4 + 2)
                assert consumer.status().waiting.poison == 3
                assert not consumer.status().healthy
                cases = follower.by_case()
                assert (cases[7], cases.get(8), cases[9]) == ([1], None, [1, 2])
                reader.poison.clear()
                reader.mute.clear()
                following = follower.following(writer)
                await until(lambda: not following.unannounced())
                told = await bus.quarantined()
                assert {(t["reason"], t["behind"]) for t in told} == {
                    ("test.poison", 2),
                    ("test.poison", 3),
                    ("test.mute", 0),
                }
                assert not {"body", "headers"} & set().union(*told)
                assert (await following.replay()).applied == 3 + 4 + 2
                await until(lambda: consumer.status().healthy)
        assert all(v == [1, 2, 3, 4] for v in follower.by_case().values())
        assert len(follower.by_case()) == 30

    asyncio.run(scenario())


def test_what_was_too_new_is_applied_after_the_upgrade(open_bus, database):
    reader = Reader(newer={(1, 2)})

    async def scenario() -> None:
        follower = Follower(database, reader)
        async with open_bus() as bus, working("t") as writer:
            await fill(bus, [(1, 1), (1, 2), (1, 3)])
            async with running(make_consumer(bus, follower, writer)) as consumer:
                await until(lambda: consumer.status().waiting.total == 2)
                assert consumer.status().healthy  # somebody else upgraded first
            reader.newer.clear()  # the next start knows it
            async with running(make_consumer(bus, follower, writer)):
                await until(lambda: follower.by_case() == {1: [1, 2, 3]})

    asyncio.run(scenario())


def test_a_store_that_fails_for_a_while_loses_nothing(open_bus, database):
    keys = [(case, 1) for case in range(1, 41)]

    async def scenario() -> None:
        follower = Follower(database)
        failures = iter([True, True])

        def effect(tx: Tx, events: Sequence[Arrived]) -> None:
            if next(failures, False):
                raise OSError("disk")
            follower.effect(tx, events)

        async with open_bus() as bus, working("t") as writer:
            await fill(bus, keys)
            following = Following(
                follower.inbox, database=database, writer=writer, effect=effect
            )
            consumer = make_consumer(bus, follower, writer, following=following)
            async with running(consumer):
                await until(lambda: len(follower.effects) == 40)
                await until(lambda: consumer.status().healthy)

    asyncio.run(scenario())
