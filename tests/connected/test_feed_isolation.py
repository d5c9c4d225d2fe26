"""What a department's user tries against another department's: refused, all of it."""

import asyncio
from collections.abc import Iterator

import pytest

from bench.isolation.attacks import ATTACKS, filled, tried
from events import subjects
from services.bus import Feed
from services.kernel.broker.server import API_PREFIX, NatsServer
from tests.support.feeds import department_bus, department_server
from tests.support.nats import settled

pytestmark = pytest.mark.connected


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[NatsServer, dict[str, Feed]]]:
    with department_server(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_department_gets_nowhere_with(attack, broker):
    assert asyncio.run(tried(attack, *broker)) == {
        "$JS.API": False,
        API_PREFIX: False,
        "control": True,
    }


def test_what_a_department_may_do_works(broker):
    async def scenario() -> tuple[bytes, int, bytes, int]:
        async with department_bus(*broker) as bus:
            await filled(bus)

            async def answer(message):
                await message.respond(message.subject.encode())

            await bus.services.subscribe(subjects.commands_of("quality"), cb=answer)
            await settled(bus.services)
            fetching = await bus.quality.subscription()
            await bus.services.jetstream().publish(
                subjects.dept_event("quality", "ComplaintReopened"), b"again"
            )
            message, other = await fetching.fetch(2, timeout=2)
            await message.ack_sync()
            await other.ack_sync()
            known = await bus.quality.js.consumer_info("DEPARTMENTS", "dept_quality")
            done = await bus.quality.client.request(
                subjects.do("quality", "sign-for"), b"", timeout=2
            )
            assert not bus.refused
            return (
                message.data,
                known.ack_floor.stream_seq,
                done.data,
                known.num_pending,
            )

    assert asyncio.run(scenario()) == (
        b"of quality",
        3,
        b"amends.ask.do.quality.sign-for",
        0,
    )
