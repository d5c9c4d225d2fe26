"""The broker is killed while a relay is in mid-pipeline; the stream is exact after."""

import asyncio

import pytest

from services.kernel.broker.provision import StreamSpec, provision
from services.kernel.broker.server import NatsServer
from services.kernel.relay import Outgoing, Relay
from tests.fakes.log import MemoryLog
from tests.support.nats import client_of

pytestmark = pytest.mark.connected


def test_a_killed_broker_costs_nothing(own_nats: NatsServer):
    async def scenario() -> tuple[list[str], list[str], int]:
        log = MemoryLog()
        async with client_of(own_nats) as client, client_of(own_nats) as reader:
            js = reader.jetstream()
            spec = StreamSpec("CASES", ("c.>",), max_age_days=1, max_bytes=64 << 20)
            await provision(js, [spec])
            relay = Relay(
                client,
                log=log,
                stream="CASES",
                outgoing=lambda entry: [Outgoing("c.x", entry.body, {})],
                silence=0.5,
            )
            task = asyncio.create_task(relay.run())
            kills = 0
            async with asyncio.timeout(60):
                for round_ in range(4):
                    for _ in range(600):
                        log.append()
                    while relay.position < 600 * round_ + 50:  # noqa: ASYNC110  (as below)
                        await asyncio.sleep(0)
                    if relay.position < log.last_position():
                        kills += 1
                    own_nats.kill9()
                    await asyncio.sleep(0.05)
                    own_nats.start()
                while relay.position < log.last_position():  # noqa: ASYNC110  (a task beside)
                    await asyncio.sleep(0.01)
            await relay.stop()
            await task
            last = (await js.stream_info("CASES")).state.last_seq
            found = [
                (await js.get_msg("CASES", number)).headers["Nats-Msg-Id"]
                for number in range(1, last + 1)
            ]
            return found, [f"store.e1:{e.position}" for e in log.entries], kills

    found, expected, kills = asyncio.run(scenario())
    assert found == expected
    assert kills >= 3
