"""Following a feed: each event shown once, in order, whoever dies in between."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from events import subjects
from events.subjects import Stream
from services.bus import Feed
from services.handling.messaging import following
from services.handling.messaging.following import follow
from services.handling.ports import FeedAccess
from services.kernel.broker.server import API_PREFIX, NatsServer, new_seed
from services.kernel.errors import UnavailableError
from tests.support.feeds import department_bus, department_server

pytestmark = pytest.mark.connected

PATIENCE = 20.0  # seconds; only a hang reaches it


@pytest.fixture
def broker(tmp_path) -> Iterator[tuple[NatsServer, dict[str, Feed]]]:
    with department_server(tmp_path) as running:
        yield running


def access(server: NatsServer | None, feed: Feed, **changes) -> FeedAccess:
    known = FeedAccess(
        nats_url=server.url if server else "",
        seed=feed.seed,
        api_prefix=API_PREFIX,
        stream=Stream.DEPARTMENTS,
        durable=feed.user.name,
        inbox_prefix=feed.user.inbox_prefix,
    )
    return known._replace(**changes)


async def until(happened) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 others' doings, no event
            await asyncio.sleep(0.01)


class Follower:
    """One follower, what it showed, and what it told its reader besides."""

    def __init__(self, server: NatsServer, feed: Feed) -> None:
        self.access = access(server, feed)
        self.shown: list[bytes] = []
        self.told: list[str] = []

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(
            follow(self.access, self.shown.append, tell=self.told.append)
        )
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def has(self, *bodies: bytes) -> None:
        await until(lambda: len(self.shown) >= len(bodies))
        assert self.shown == list(bodies)


async def publish(bus, *bodies: bytes, department: str = "quality") -> None:
    subject = subjects.dept_event(department, "ComplaintClosed")
    for body in bodies:
        await bus.services.jetstream().publish(subject, body)


def test_it_shows_its_own_events_and_goes_on_where_it_stopped(broker):
    server, feeds = broker

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            await publish(bus, b"1")
            await publish(bus, b"theirs", department="logistics")
            first = Follower(server, feeds["quality"])
            async with first.running():
                await publish(bus, b"2", b"3")
                await first.has(b"1", b"2", b"3")
            await publish(bus, b"4", b"5")
            second = Follower(server, feeds["quality"])
            async with second.running():
                await second.has(b"4", b"5")
            assert not [*first.told, *second.told, *bus.refused]
            known = await bus.quality.js.consumer_info("DEPARTMENTS", "dept_quality")
            assert (known.num_ack_pending, known.num_pending) == (0, 0)

    asyncio.run(scenario())


def test_one_that_ends_while_an_event_comes_shows_it(broker, monkeypatch):
    """Given to nobody, it would come to the next one late."""
    server, feeds = broker
    monkeypatch.setattr(following, "ASK_FOR", 0.1)
    bodies = [str(number).encode() for number in range(12)]

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            shown, told = [], []
            for number, body in enumerate(bodies):
                follower = Follower(server, feeds["quality"])
                async with follower.running():
                    await asyncio.sleep(0.02)
                    publishing = asyncio.create_task(publish(bus, body))
                    await asyncio.sleep(number * 0.000_6)
                await publishing
                shown += follower.shown
                told += follower.told
            last = Follower(server, feeds["quality"])
            async with last.running():
                await until(lambda: len(shown) + len(last.shown) >= len(bodies))
            assert shown + last.shown == bodies
            assert not [*told, *last.told]

    asyncio.run(scenario())


def test_what_comes_behind_the_last_question_is_shown(broker, monkeypatch):
    """It is in the follower's hand, and would come to the next one late."""
    server, feeds = broker
    ask, asked = following._Feed._next, []

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            there, ended = asyncio.Event(), asyncio.Event()

            async def given_up_too_early(feed):
                asked.append(feed)
                if len(asked) > 1:
                    return await ask(feed)
                question = asyncio.ensure_future(ask(feed))
                await until_waiting(bus)
                question.cancel()
                await publish(bus, b"late")
                await until(lambda: feed._subscription.pending_msgs)
                there.set()
                await ended.wait()
                return None

            monkeypatch.setattr(following._Feed, "_next", given_up_too_early)
            monkeypatch.setattr(following, "ASK_FOR", PATIENCE)
            follower = Follower(server, feeds["quality"])
            async with follower.running():
                await asyncio.wait_for(there.wait(), PATIENCE)
                asyncio.get_running_loop().call_soon(ended.set)
            assert follower.shown == [b"late"]

    asyncio.run(scenario())


async def until_waiting(bus) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            known = await bus.quality.js.consumer_info("DEPARTMENTS", "dept_quality")
            if known.num_waiting:
                return


def test_one_that_ends_while_it_connects_hangs_up(broker):
    """Told Ctrl-C before the broker has said a word, it leaves no connection open."""
    _, feeds = broker

    async def scenario() -> None:
        there, gone = asyncio.Event(), asyncio.Event()

        async def silent(reader, writer) -> None:
            there.set()
            await reader.read()
            writer.close()
            gone.set()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            known = access(None, feeds["quality"], nats_url=f"nats://127.0.0.1:{port}")
            follower = asyncio.create_task(
                follow(known, lambda _: None, tell=lambda _: None)
            )
            await asyncio.wait_for(there.wait(), PATIENCE)
            follower.cancel()
            await asyncio.wait({follower}, timeout=PATIENCE)
            assert follower.cancelled()
            await asyncio.wait_for(gone.wait(), PATIENCE)

    asyncio.run(scenario())
    gc.collect()  # what was left open would be told now


def test_it_ends_although_its_cancellation_was_lost_while_connecting(
    broker, monkeypatch
):
    """As `asyncio.wait_for` of Python 3.11 loses one that comes with the answer."""
    server, feeds = broker
    connected = following._connected

    async def scenario() -> None:
        there = asyncio.Event()

        async def losing(*how):
            client = await connected(*how)
            there.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE)
            return client

        monkeypatch.setattr(following, "_connected", losing)
        follower = asyncio.create_task(
            follow(
                access(server, feeds["quality"]), lambda _: None, tell=lambda _: None
            )
        )
        await asyncio.wait_for(there.wait(), PATIENCE)
        follower.cancel()
        await asyncio.wait({follower}, timeout=PATIENCE)
        assert follower.cancelled()

    asyncio.run(scenario())


def test_what_a_killed_one_had_in_hand_comes_first(broker, monkeypatch):
    server, feeds = broker
    waits: list[float] = []
    sleep = asyncio.sleep

    async def waiting(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            config = (
                await bus.quality.js.consumer_info("DEPARTMENTS", "dept_quality")
            ).config
            await bus.services.jetstream().add_consumer(
                "DEPARTMENTS",
                config.evolve(ack_wait=1.0),  # the test need not wait long
            )
            await publish(bus, b"1", b"2")
            fetching = await bus.quality.subscription()
            (message,) = await fetching.fetch(1, timeout=2)  # and never acknowledged
            assert message.data == b"1"
            follower = Follower(server, feeds["quality"])
            monkeypatch.setattr(following.asyncio, "sleep", waiting)
            async with follower.running():
                await follower.has(b"1", b"2")
            monkeypatch.undo()
            assert follower.told == [
                "Waiting 1 s for what a killed follower had in hand."
            ]
            assert 1.0 + following.GRACE in waits

    asyncio.run(scenario())


def test_it_survives_the_broker_s_death(broker):
    server, feeds = broker

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            await publish(bus, b"1")
            follower = Follower(server, feeds["quality"])
            async with follower.running():
                await follower.has(b"1")
                server.kill9()
                server.start()
                await until(
                    lambda: bus.services.is_connected and len(follower.told) > 1
                )
                await publish(bus, b"2")
                await follower.has(b"1", b"2")
            assert [word.split()[0] for word in follower.told] == [
                "Connection",
                "Connected",
            ]

    asyncio.run(scenario())


def test_a_second_one_is_told_that_it_is_not_alone(broker):
    server, feeds = broker

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            one, two = (Follower(server, feeds["quality"]) for _ in range(2))
            async with one.running():
                await publish(bus, b"1")
                await one.has(b"1")
                async with two.running():
                    await until(lambda: two.told)
            assert "Somebody else" in two.told[0]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seed": new_seed()}, "follow.not_connected"),
        ({"nats_url": "nats://127.0.0.1:9"}, "follow.not_connected"),
        ({"api_prefix": "$JS.API"}, "follow.no_feed"),
        ({"durable": "dept_logistics"}, "follow.no_feed"),
    ],
)
def test_one_that_is_not_let_in_says_so(broker, monkeypatch, changes, code):
    server, feeds = broker
    monkeypatch.setattr(following, "CONNECT_WITHIN", 1.0)
    monkeypatch.setattr(following, "_ANSWER_WITHIN", 0.5)

    async def scenario() -> None:
        async with department_bus(server, feeds):
            with pytest.raises(UnavailableError) as refused:
                await follow(
                    access(server, feeds["quality"], **changes), print, tell=print
                )
            assert refused.value.code == code
            assert "SU" not in refused.value.detail  # no secret in a message

    asyncio.run(scenario())
