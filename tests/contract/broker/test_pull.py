"""The standing pull holds only what its hand may hold, and gives back what failed."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from services.kernel.broker import pull as pull_module
from services.kernel.broker.headers import COMMITTED_AT
from services.kernel.broker.provision import ConsumerSpec
from services.kernel.broker.pull import StandingPull
from tests.support.bus import Bus


@asynccontextmanager
async def prepared(open_bus, messages: int, *, ack_wait: float = 1.0, **options):
    """A bus with so many messages, and a pull of its durable."""
    async with open_bus() as bus:
        await bus.provide(ConsumerSpec(bus.stream, "d", ack_wait=ack_wait))
        for number in range(messages):
            await bus.js.publish(bus.subject("x"), str(number).encode())
        yield bus, StandingPull(bus.client, stream=bus.stream, durable="d", **options)


async def pending_of(bus: Bus) -> tuple[int, int]:
    info = await bus.js.consumer_info(bus.stream, "d")
    return info.num_pending, info.num_ack_pending


async def until(condition, within=20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  (the thing under test runs beside)
            await asyncio.sleep(0.005)


def test_everything_comes_in_order_and_is_acknowledged(open_bus):
    async def scenario() -> None:
        async with prepared(open_bus, 800, hand=100, batch=30) as (bus, pull):
            seen: list[bytes] = []

            async def handle(messages) -> None:
                assert len(messages) <= 30
                seen.extend(message.data for message in messages)

            task = asyncio.create_task(pull.run(handle))
            await until(lambda: len(seen) == 800)
            await bus.js.publish(bus.subject("x"), b"late")
            await until(lambda: len(seen) == 801)
            await pull.stop()
            await task
            assert seen == [*(str(n).encode() for n in range(800)), b"late"]
            assert await pending_of(bus) == (0, 0)
            assert pull.fault is None

    asyncio.run(scenario())


def test_it_tells_how_many_are_left_and_how_old_the_first_is(open_bus):
    """Counted from the commit that a message tells."""

    async def scenario() -> None:
        async with open_bus() as bus:
            await bus.provide(ConsumerSpec(bus.stream, "d", ack_wait=30))
            pull = StandingPull(bus.client, stream=bus.stream, durable="d", batch=1)
            assert await pull.lag() == (0, 0.0)
            now, told = time.time(), []
            for ago in (5_000, 2_000, 100):
                said = {COMMITTED_AT: str(int((now - ago) * 1e6))}
                await bus.js.publish(bus.subject("x"), b"x", headers=said)

            async def handle(_messages) -> None:
                while (lag := await pull.lag())[0] > 3 - len(told):
                    """What was acknowledged last is not counted out yet."""
                told.append(lag)

            task = asyncio.create_task(pull.run(handle))
            await until(lambda: len(told) == 3)
            await pull.stop()
            await task
            assert [left for left, _ in told] == [3, 2, 1]
            assert told[0][1] >= 5_000 > told[1][1] >= 2_000 > told[2][1] >= 100
            while await pull.lag() != (0, 0.0):
                pass

    asyncio.run(scenario())


def test_it_holds_no_more_than_its_hand(open_bus):
    """Arrival alone never asks for more: a dead worker would hold it all."""

    async def scenario() -> None:
        async with prepared(open_bus, 500, ack_wait=30, hand=40, batch=10) as (
            bus,
            pull,
        ):
            going_on, handled = asyncio.Event(), []

            async def handle(messages) -> None:
                await going_on.wait()
                handled.extend(messages)

            task = asyncio.create_task(pull.run(handle))
            await asyncio.sleep(0.3)
            assert await pending_of(bus) == (460, 40)
            going_on.set()
            await until(lambda: len(handled) == 500)
            await pull.stop()
            await task
            assert await pending_of(bus) == (0, 0)

    asyncio.run(scenario())


def test_stopping_finishes_what_is_in_hand_and_leaves_the_rest(open_bus):
    async def scenario() -> None:
        async with prepared(open_bus, 200, ack_wait=30, hand=50, batch=10) as (
            bus,
            pull,
        ):
            begun, handled = asyncio.Event(), []

            async def handle(messages) -> None:
                begun.set()
                await asyncio.sleep(0.01)
                handled.extend(messages)

            task = asyncio.create_task(pull.run(handle))
            await begun.wait()
            await pull.stop()
            await task
            async with asyncio.timeout(10):  # the acknowledgements are on their way
                while await pending_of(bus) != (200 - len(handled), 0):  # noqa: ASYNC110 (as above)
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_failed_batch_comes_again_until_only_the_culprit_is_left(open_bus):
    async def scenario() -> None:
        async with prepared(open_bus, 8, ack_wait=30, batch=8) as (bus, pull):
            done: list[bytes] = []
            culprit = b"5"

            async def handle(messages) -> None:
                bodies = [message.data for message in messages]
                if culprit in bodies:
                    raise ValueError("a name that nobody may log")
                done.extend(bodies)

            task = asyncio.create_task(pull.run(handle))
            await until(lambda: len(done) == 7 and pull.fault is not None)
            fault = str(pull.fault)
            culprit = b""
            await until(lambda: len(done) == 8)
            await pull.stop()
            await task
            assert sorted(done) == [str(n).encode() for n in range(8)]
            assert "ValueError in handle" in fault
            assert "name" not in fault
            assert await pending_of(bus) == (0, 0)
            assert pull.fault is None

    asyncio.run(scenario())


def test_a_missing_durable_is_told_and_then_used(
    open_bus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pull_module, "_HEARTBEAT", 0.1)

    async def scenario() -> None:
        async with open_bus() as bus:
            pull = StandingPull(bus.client, stream=bus.stream, durable="d")
            seen: list[bytes] = []

            async def handle(messages) -> None:
                seen.extend(message.data for message in messages)

            task = asyncio.create_task(pull.run(handle))
            await until(lambda: "amends provision" in str(pull.fault))
            await bus.provide(ConsumerSpec(bus.stream, "d"))
            await bus.js.publish(bus.subject("x"), b"1")
            await until(lambda: seen == [b"1"])
            assert pull.fault is None
            await pull.stop()
            await task

    asyncio.run(scenario())


def test_requests_that_expire_are_renewed(open_bus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pull_module, "_EXPIRES", 0.3)
    monkeypatch.setattr(pull_module, "_HEARTBEAT", 0.1)

    async def scenario() -> None:
        async with prepared(open_bus, 0, hand=10) as (bus, pull):
            seen: list[bytes] = []

            async def handle(messages) -> None:
                seen.extend(message.data for message in messages)

            task = asyncio.create_task(pull.run(handle))
            for number in range(4):
                await asyncio.sleep(0.35)
                await bus.js.publish(bus.subject("x"), b"")
                await until(lambda number=number: len(seen) == number + 1)
            await pull.stop()
            await task

    asyncio.run(scenario())
