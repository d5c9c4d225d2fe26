"""The stream holds the log, each event once and in order, whatever happens between."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from services.kernel import relay as relay_module
from services.kernel.relay import Outgoing, Relay
from services.kernel.store.application import open_store
from services.kernel.store.recorder import LogEntry
from tests.fakes.log import MemoryLog
from tests.support.bus import Bus
from tests.support.records import START, FactCodec


class CrashError(BaseException):
    """The process is gone in the middle of a step: nothing may catch it."""


class Crashing:
    """A client whose process dies at its n-th message to a stream, sent or not."""

    def __init__(self, client: Any, *, at: int, sent: bool) -> None:
        self._client, self._left, self._sent = client, at, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def publish(self, subject: str, *rest: Any, **named: Any) -> None:
        if "Amends-Position" in (named.get("headers") or {}):
            self._left -= 1
            if self._left == 0:
                if self._sent:
                    await self._client.publish(subject, *rest, **named)
                raise CrashError
        await self._client.publish(subject, *rest, **named)


def outgoing_of(bus: Bus, copies=lambda _: 1):
    """Copies named a, b, c … of each entry; a single one has no suffix."""

    def outgoing(entry: LogEntry) -> list[Outgoing]:
        several = copies(entry.position)
        suffixes = [""] if several == 1 else "abcdef"[:several]
        return [
            Outgoing(bus.subject("case", suffix or "x"), entry.body, {"h": "1"}, suffix)
            for suffix in suffixes
        ]

    return outgoing


def expected_ids(log: MemoryLog, bus: Bus, copies=lambda _: 1) -> list[str]:
    outgoing = outgoing_of(bus, copies)
    return [
        f"{log.name}.{log.epoch}:{entry.position}"
        + (f":{o.suffix}" if o.suffix else "")
        for entry in log.entries
        for o in outgoing(entry)
    ]


def make_relay(bus: Bus, log: Any, client: Any = None, copies=lambda _: 1, **options):
    return Relay(
        client or bus.client,
        log=log,
        stream=bus.stream,
        outgoing=outgoing_of(bus, copies),
        hint_bucket=bus.bucket,
        **options,
    )


@asynccontextmanager
async def running(relay: Relay):
    task = asyncio.create_task(relay.run())
    try:
        yield relay
        await relay.stop()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, within=20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  (the thing under test runs beside)
            await asyncio.sleep(0.002)


async def relay_all(bus: Bus, log: MemoryLog, **options) -> Relay:
    async with running(make_relay(bus, log, **options)) as relay:
        await until(lambda: relay.position == log.last_position())
    return relay


def filled(events: int, **options) -> MemoryLog:
    log = MemoryLog(**options)
    for _ in range(events):
        log.append()
    return log


async def hint_of(bus: Bus, log: MemoryLog) -> Any:
    bucket = await bus.js.key_value(bus.bucket)
    return json.loads((await bucket.get(f"{log.name}.{bus.stream}")).value)


def test_every_event_arrives_once_in_order_byte_for_byte(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(1_200)
            await relay_all(bus, log)
            messages = await bus.messages()
            assert [m.data for m in messages] == [e.body for e in log.entries]
            assert await bus.ids() == expected_ids(log, bus)
            assert {
                "Nats-Msg-Id": "store.e1:7",
                "Nats-Expected-Last-Msg-Id": "store.e1:6",
                "Amends-Epoch": "e1",
                "Amends-Position": "7",
                "h": "1",
            }.items() <= messages[6].headers.items()

    asyncio.run(scenario())


def test_it_tells_what_is_not_in_the_stream_and_since_when(open_bus):
    """Before the stream's end was found it tells nothing: all would seem unpublished."""

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(3)
            relay = make_relay(bus, log)
            assert relay.oldest() is None
            async with running(relay):
                await until(lambda: relay.position == 3)
            assert relay.oldest() == (0, None)
            assert (relay.status().sent, relay.status().accepted) == (3, 3)
            log.append()
            log.append()
            assert relay.oldest() == (2, log.entries[3].committed_at)

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("at", [1, 2, 3, 5, 17])
def test_a_crash_at_any_message_leaves_the_exact_sequence(open_bus, at, sent):
    """Dead at every at-th message, copies included, until the log is through."""

    def copies(position: int) -> int:
        return position % 4  # none, one, two or three

    if at == 1 and not sent:
        pytest.skip("a relay that dies before its first message never gets on")

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(60)
            crashes = 0
            while True:
                client = Crashing(await bus.connect(), at=at, sent=sent)
                relay = make_relay(bus, log, client, copies, window=8)
                task = asyncio.create_task(relay.run())
                await until(
                    lambda relay=relay, task=task: (
                        task.done() or relay.position == log.last_position()
                    )
                )
                if task.done():
                    with pytest.raises(CrashError):
                        task.result()
                    crashes += 1
                else:
                    await relay.stop()
                    await task
                    break
            assert crashes >= 5
            assert await bus.ids() == expected_ids(log, bus, copies)

    asyncio.run(scenario())


def test_two_relays_at_once_do_no_harm(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(300)

            def copies(position: int) -> int:
                return 1 + position % 3

            one = make_relay(bus, log, await bus.connect(), copies, window=7)
            two = make_relay(bus, log, await bus.connect(), copies, window=50)
            async with running(one), running(two):
                for _ in range(300):
                    log.append()
                    await asyncio.sleep(0)
                await until(lambda: one.position == two.position == log.last_position())
            assert await bus.ids() == expected_ids(log, bus, copies)

    asyncio.run(scenario())


def test_a_rival_in_mid_pipeline_leaves_no_hole(open_bus):
    """Expecting sequences would let messages in behind the rival's; ids do not."""

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(200)
            rival = await bus.connect()

            class Disturbed(Crashing):
                async def publish(self, subject, *rest, **named) -> None:
                    headers = named.get("headers") or {}
                    if headers.get("Amends-Position") == "100":
                        js = rival.jetstream()
                        await js.publish(bus.subject("rival"), b"?", headers={})
                    await self._client.publish(subject, *rest, **named)

            client = Disturbed(await bus.connect(), at=0, sent=True)
            relay = make_relay(bus, log, client)
            async with running(relay):
                await until(lambda: relay.status().state == "mismatch")
            bodies = [message.data for message in await bus.messages()]
            assert bodies.count(b"?") == 1
            ours = bodies[: bodies.index(b"?")]
            assert ours == [entry.body for entry in log.entries[: len(ours)]]
            assert bodies[-1] == b"?"
            assert relay.position <= len(ours)

    asyncio.run(scenario())


def test_a_position_that_was_refused_is_never_in_the_hint(open_bus):
    """A hint that ran ahead of the stream would lose what lies between, for good."""

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(40)
            nowhere = "no-stream-listens.here"

            def outgoing(entry: LogEntry) -> list[Outgoing]:
                lost = entry.position >= 11
                subject = nowhere if lost else bus.subject("case", "x")
                return [Outgoing(subject, entry.body, {})]

            relay = Relay(
                bus.client,
                log=log,
                stream=bus.stream,
                outgoing=outgoing,
                hint_bucket=bus.bucket,
            )
            async with running(relay):
                await until(lambda: relay.status().state == "hindered")
                assert "no stream takes the subject" in str(relay.status().fault)
            assert relay.position == 10
            assert (await hint_of(bus, log))["position"] == 10
            await relay_all(bus, log)
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


def test_an_emptied_stream_goes_on_where_it_was(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(100)
            await relay_all(bus, log)
            await bus.js.purge_stream(bus.stream)
            for _ in range(50):
                log.append()
            await relay_all(bus, log, client=await bus.connect())
            assert await bus.ids() == expected_ids(log, bus)[100:]

    asyncio.run(scenario())


def test_a_stream_without_its_last_messages_goes_on_behind_the_hint(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(10)
            await relay_all(bus, log)
            for number in (9, 10):
                await bus.js.delete_msg(bus.stream, number)
            log.append()
            await relay_all(bus, log)
            assert await bus.ids() == [
                *expected_ids(log, bus)[:8],
                *expected_ids(log, bus)[10:],
            ]

    asyncio.run(scenario())


def test_stretches_that_publish_nothing_are_not_read_again(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(30)

            def copies(position: int) -> int:
                return 1 if position <= 5 else 0

            await relay_all(bus, log, copies=copies)
            assert (await hint_of(bus, log))["position"] == 30
            log.reads.clear()
            await relay_all(bus, log, copies=copies)
            assert [after for after in log.reads if after != 4] == [30]  # 4: the check
            assert await bus.ids() == expected_ids(log, bus, copies)

    asyncio.run(scenario())


def test_a_broker_that_lost_its_tail_gets_it_again(open_bus):
    """The hint is ahead of the stream then, and must not be believed."""

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(30)
            await relay_all(bus, log)
            await bus.js.delete_stream(bus.stream)
            await bus.provide()
            for entry, message_id in zip(
                log.entries[:12], expected_ids(log, bus), strict=False
            ):
                header = {"Nats-Msg-Id": message_id}
                await bus.js.publish(bus.subject("x"), entry.body, headers=header)
            await relay_all(bus, log, client=await bus.connect())
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


@pytest.mark.parametrize("emptied", [True, False])
def test_a_stream_that_is_made_anew_meanwhile_is_filled_again(
    open_bus, monkeypatch: pytest.MonkeyPatch, emptied: bool
):
    """No event comes to show the relay that the stream is another one."""
    monkeypatch.setattr(relay_module, "_LOOK_AT_STREAM", 0.01)

    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(10)
            async with running(make_relay(bus, log)) as relay:
                await until(lambda: relay.position == 10)
                await bus.js.delete_stream(bus.stream)
                if emptied:
                    await until(lambda: relay.status().state == "hindered")
                await bus.provide()
                async with asyncio.timeout(20):
                    while await bus.ids() != expected_ids(log, bus):  # noqa: ASYNC110 the broker tells nobody
                        await asyncio.sleep(0.01)

    asyncio.run(scenario())


def _restored_epoch(log: MemoryLog) -> None:
    log.epoch = "e2"


def _restored_shorter(log: MemoryLog) -> None:
    del log.entries[15:]


def _restored_other(log: MemoryLog) -> None:
    del log.entries[10:]
    for number in range(10):
        log.append(body=f"after the restore {number}".encode())
    log.append()


@pytest.mark.parametrize("emptied", [False, True], ids=["full", "emptied"])
@pytest.mark.parametrize(
    "restore", [_restored_epoch, _restored_shorter, _restored_other]
)
def test_a_stream_of_another_history_gets_nothing(open_bus, restore, emptied):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(20)
            await relay_all(bus, log)
            if emptied:
                await bus.js.purge_stream(bus.stream)
            restore(log)
            before = await bus.ids()
            relay = make_relay(bus, log, await bus.connect())
            async with running(relay):
                if emptied and restore is _restored_other:
                    return  # an emptied stream and an equal epoch: nothing tells
                await until(lambda: relay.status().state != "starting")
                status = relay.status()
                assert (status.state, status.healthy) == ("mismatch", False)
                assert "amends reconcile" in str(status.fault)
            assert await bus.ids() == before

    asyncio.run(scenario())


def test_a_stream_with_a_foreign_end_gets_nothing(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            await bus.js.publish(bus.subject("x"), b"who?")
            relay = make_relay(bus, filled(3))
            async with running(relay):
                await until(lambda: relay.status().state == "mismatch")
            assert len(await bus.messages()) == 1

    asyncio.run(scenario())


def test_positions_may_have_holes(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = MemoryLog()
            for position in (3, 4, 9, 12):
                log.append(position=position)
            await relay_all(bus, log)
            log.append(position=40)
            await relay_all(bus, log)
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


def test_without_its_stream_it_says_so_and_starts_when_it_comes(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(5)
            await bus.js.delete_stream(bus.stream)
            relay = make_relay(bus, log)
            async with running(relay):
                await until(lambda: relay.status().state == "hindered")
                await bus.provide()
                await until(lambda: relay.position == 5)
                assert relay.status().healthy
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


def test_a_failing_log_is_asked_again(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            log = filled(5)
            read, failures = log.log, iter([True, True])

            def sometimes(after: int, limit: int) -> list[LogEntry]:
                if next(failures, False):
                    raise OSError("disk")
                return read(after, limit)

            log.log = sometimes
            await relay_all(bus, log)
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


def test_a_commit_wakes_it(open_bus, monkeypatch):
    """With looking by itself put off, only the store's own word can."""
    monkeypatch.setattr(relay_module, "_LOOK_AGAIN", 600)

    async def scenario() -> None:
        async with open_bus() as bus:
            log = MemoryLog()
            relay = make_relay(bus, log)
            async with running(relay):
                await until(lambda: log.reads)
                for _ in range(5):
                    await asyncio.to_thread(log.append)
                    await until(lambda: relay.position == log.last_position())
            assert await bus.ids() == expected_ids(log, bus)

    asyncio.run(scenario())


def test_it_stops_at_once_before_during_and_after(open_bus):
    async def scenario() -> None:
        async with open_bus() as bus:
            idle = make_relay(bus, filled(1))
            await idle.stop()
            log = filled(2_000)
            relay = make_relay(bus, log)
            task = asyncio.create_task(relay.run())
            await until(lambda: relay.position > 0)
            await relay.stop()
            await task
            assert relay.position == len(await bus.ids())
            assert (await hint_of(bus, log))["position"] == relay.position
            await relay.stop()

    asyncio.run(scenario())


def test_it_relays_a_store_of_either_kind(open_bus, make_database):
    database = make_database("store")
    store = open_store(database, name="store", codec=FactCodec(), now=lambda: START)

    async def scenario() -> None:
        async with open_bus() as bus:
            relay = make_relay(bus, store)
            async with running(relay):
                for case in range(1, 60):
                    facts = [(UUID(int=case), v, "fact") for v in range(1, 4)]

                    def put(facts=facts) -> None:
                        with database.write() as tx:
                            store.put(tx, facts)

                    await asyncio.to_thread(put)
                await until(lambda: relay.position == store.last_position())
            entries = store.log(0, 1_000)
            messages = await bus.messages()
            assert [m.data for m in messages] == [e.body for e in entries]

    asyncio.run(scenario())
