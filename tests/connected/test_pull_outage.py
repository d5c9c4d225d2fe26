"""A standing pull that waits when its broker dies asks the next one anew."""

import asyncio

import pytest

from services.kernel.broker import pull as pull_module
from services.kernel.broker.provision import ConsumerSpec, StreamSpec, provision
from services.kernel.broker.pull import StandingPull
from services.kernel.broker.server import NatsServer
from tests.support.nats import client_of

pytestmark = pytest.mark.connected


def test_an_idle_pull_asks_again_after_a_crash(
    own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pull_module, "_HEARTBEAT", 0.2)

    async def scenario() -> list[bytes]:
        seen: list[bytes] = []

        async def handle(messages) -> None:
            seen.extend(message.data for message in messages)

        async with client_of(own_nats) as client, client_of(own_nats) as other:
            js = other.jetstream()
            spec = StreamSpec("S", ("s.>",), max_age_days=1, max_bytes=1 << 20)
            await provision(js, [spec], [ConsumerSpec("S", "d")])
            pull = StandingPull(client, stream="S", durable="d")
            task = asyncio.create_task(pull.run(handle))
            async with asyncio.timeout(30):
                for round_ in range(1, 4):
                    await js.publish("s.x", str(round_).encode())
                    while len(set(seen)) < round_:  # noqa: ASYNC110  (a task beside)
                        await asyncio.sleep(0.01)
                    own_nats.kill9()
                    own_nats.start()
                    while other.stats["reconnects"] < round_:  # noqa: ASYNC110  (as above)
                        await asyncio.sleep(0.01)
            await pull.stop()
            await task
        return seen

    # An acknowledgement may die with the broker: then the message comes again.
    assert list(dict.fromkeys(asyncio.run(scenario()))) == [b"1", b"2", b"3"]
