"""The broker is killed in the middle of everything; what is derived is exact after."""

import asyncio
from uuid import UUID

import pytest

from services.kernel.broker.provision import ConsumerSpec, StreamSpec, provision
from services.kernel.broker.server import NatsServer
from services.kernel.clock import system_clock
from services.kernel.inbox import Consumer
from services.kernel.relay import Outgoing, Relay
from services.kernel.store.database import open_database
from services.kernel.store.writer import Writer
from tests.fakes.log import MemoryLog
from tests.support.inbox import Follower, body_of
from tests.support.nats import client_of

pytestmark = pytest.mark.connected

ROUNDS, EVENTS = 4, 500


def append(log: MemoryLog, count: int) -> None:
    for _ in range(count):
        position = log.last_position() + 1
        case, version = position % 50, (position + 49) // 50
        log.append(body=body_of(case, version, position), case=case)


def test_a_killed_broker_costs_nothing(own_nats: NatsServer, tmp_path):
    """kill -9 while the relay has a window under way and the consumer a full hand."""
    log = MemoryLog()
    database = open_database(f"sqlite:///{tmp_path / 'inbox.sqlite'}", schema="inbox")
    follower = Follower(database)
    writer = Writer("t")

    async def nothing(_case: UUID, _after: int) -> list:
        return []

    async def scenario() -> tuple[list[str], int]:
        async with client_of(own_nats) as client, client_of(own_nats) as reader:
            js = reader.jetstream()
            spec = StreamSpec("CASES", ("c.>",), max_age_days=1, max_bytes=64 << 20)
            await provision(js, [spec], [ConsumerSpec("CASES", "d", ack_wait=2)])
            relay = Relay(
                client,
                log=log,
                stream="CASES",
                outgoing=lambda entry: [Outgoing("c.x", entry.body, {})],
                window=100,
                silence=0.5,
            )
            consumer = Consumer(
                client,
                stream="CASES",
                durable="d",
                following=follower.following(writer),
                fetch=nothing,
                announce_on="q.d",
                now=system_clock,
                hand=100,
                batch=20,
            )
            tasks = [asyncio.create_task(part.run()) for part in (relay, consumer)]
            in_mid_pipeline = 0
            async with asyncio.timeout(100):
                for round_ in range(ROUNDS):
                    append(log, EVENTS)
                    while relay.position < EVENTS * round_ + 50:  # noqa: ASYNC110  (a task beside)
                        await asyncio.sleep(0)
                    in_mid_pipeline += relay.position < log.last_position()
                    own_nats.kill9()
                    await asyncio.sleep(0.05)
                    own_nats.start()
                while consumer.status().position < ROUNDS * EVENTS:  # noqa: ASYNC110  (as above)
                    await asyncio.sleep(0.01)
            for part in (consumer, relay):
                await part.stop()
            await asyncio.gather(*tasks)
            last = (await js.stream_info("CASES")).state.last_seq
            ids = [
                (await js.get_msg("CASES", number)).headers["Nats-Msg-Id"]
                for number in range(1, last + 1)
            ]
            return ids, in_mid_pipeline

    writer.start()
    try:
        ids, in_mid_pipeline = asyncio.run(scenario())
    finally:
        writer.stop()
    assert ids == [f"store.e1:{entry.position}" for entry in log.entries]
    assert in_mid_pipeline >= ROUNDS - 1
    assert len(follower.effects) == ROUNDS * EVENTS
    assert all(v == list(range(1, 41)) for v in follower.by_case().values())
    database.close()


def test_an_emptied_stream_goes_on_after_a_restart(own_nats: NatsServer):
    """No message and no remembered id tells the position then; the hint does."""

    async def scenario() -> list[str]:
        log = MemoryLog()
        async with client_of(own_nats) as client:
            js = client.jetstream()
            spec = StreamSpec("CASES", ("c.>",), max_age_days=1, max_bytes=64 << 20)
            await provision(js, [spec])
            for _ in range(2):
                for _ in range(100):
                    log.append()
                relay = Relay(
                    client,
                    log=log,
                    stream="CASES",
                    outgoing=lambda entry: [Outgoing("c.x", entry.body, {})],
                )
                task = asyncio.create_task(relay.run())
                while relay.position < log.last_position():  # noqa: ASYNC110  (as above)
                    await asyncio.sleep(0.01)
                await relay.stop()
                await task
                if log.last_position() == 100:
                    await js.purge_stream("CASES")
                    own_nats.kill9()
                    own_nats.start()
            state = (await js.stream_info("CASES")).state
            return [
                (await js.get_msg("CASES", number)).headers["Nats-Msg-Id"]
                for number in range(state.first_seq, state.last_seq + 1)
            ]

    assert asyncio.run(scenario()) == [f"store.e1:{n}" for n in range(101, 201)]
