"""What is settled leaves the stream: together where nothing waits, else one by one."""

import asyncio
from contextlib import asynccontextmanager

from services.kernel.broker import wiping as wiping_module
from services.kernel.broker.provision import ConsumerSpec
from services.kernel.broker.pull import StandingPull
from services.kernel.broker.wiping import Wiping


class Worker:
    """Settles what it takes, but for what somebody waits for."""

    def __init__(self, bus, *, waits=frozenset()) -> None:
        self.bus, self.waits = bus, set(waits)
        self.pull = StandingPull(bus.client, stream=bus.stream, durable="d", batch=1)
        self.wiping = Wiping(bus.client, stream=bus.stream, durable="d")
        self.asked: list[str] = []

    async def take(self, messages) -> None:
        for message in messages:
            if message.data in self.waits:
                raise RuntimeError
            self.wiping.settled(message.metadata.sequence.stream)

    async def left(self) -> list[bytes]:
        return [message.data for message in await self.bus.messages()]

    async def until_left(self, *expected: bytes) -> None:
        await self.until(lambda left: left == list(expected))

    async def until(self, enough) -> None:
        async with asyncio.timeout(30):
            while not enough(await self.left()):  # noqa: ASYNC110 work under test
                await asyncio.sleep(0.02)


@asynccontextmanager
async def working(open_bus, *messages: bytes, waits=frozenset()):
    """A worker and its wiping, over a stream that holds these messages."""
    async with open_bus() as bus:
        await bus.provide(ConsumerSpec(bus.stream, "d", ack_wait=10.0))
        for message in messages:
            await bus.js.publish(bus.subject("x"), message)
        worker = Worker(bus, waits=waits)
        tasks = [
            asyncio.create_task(worker.pull.run(worker.take)),
            asyncio.create_task(worker.wiping.run()),
        ]
        try:
            yield worker
        finally:
            await worker.pull.stop()
            tasks[1].cancel()
            await asyncio.wait(tasks)


def many(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_all_of_it_goes_where_nothing_waits(open_bus):
    async def scenario() -> None:
        async with working(open_bus, *many(50)) as worker:
            await worker.until_left()
            await worker.bus.js.publish(worker.bus.subject("x"), b"later")
            await worker.until_left()

    asyncio.run(scenario())


def test_beside_one_that_waits_the_others_go_one_by_one(open_bus, monkeypatch):
    monkeypatch.setattr(wiping_module, "PATIENCE", 0.05)

    async def scenario() -> None:
        before, after = b"before", b"after"
        waits = {b"waits"}
        async with working(open_bus, before, b"waits", after, waits=waits) as worker:
            await worker.until_left(b"waits")
            worker.waits.clear()
            await worker.until_left()

    asyncio.run(scenario())


def test_before_a_backlog_is_worked_off_its_beginning_goes(open_bus, monkeypatch):
    """Many settled ones that others follow are purged, and none of the others is."""
    monkeypatch.setattr(wiping_module, "BATCH", 20)
    monkeypatch.setattr(wiping_module, "PATIENCE", 1_000)

    async def scenario() -> None:
        messages = [*many(40), b"waits"]
        async with working(open_bus, *messages, waits={b"waits"}) as worker:
            await worker.until(lambda left: len(left) <= 20)  # fewer are no backlog
            assert b"waits" in await worker.left()

    asyncio.run(scenario())


def test_what_nobody_has_settled_stays(open_bus):
    async def scenario() -> None:
        waits = {b"waits", b"too"}
        async with working(open_bus, b"waits", b"gone", b"too", waits=waits) as worker:
            await worker.until_left(b"waits", b"too")
            await asyncio.sleep(0.1)
            assert await worker.left() == [b"waits", b"too"]

    asyncio.run(scenario())


def test_what_a_crash_has_left_goes_at_the_next_start(open_bus):
    """It was acknowledged, and whoever was to wipe it is no more."""

    async def scenario() -> None:
        async with open_bus() as bus:
            await bus.provide(ConsumerSpec(bus.stream, "d", ack_wait=10.0))
            for message in many(5):
                await bus.js.publish(bus.subject("x"), message)
            crashed = Worker(bus)
            taking = asyncio.create_task(crashed.pull.run(crashed.take))
            async with asyncio.timeout(20):
                while len(crashed.wiping._settled) < 5:  # noqa: ASYNC110 another task's
                    await asyncio.sleep(0.01)
            await crashed.pull.stop()
            await taking
            assert len(await crashed.left()) == 5
            wiping = asyncio.create_task(Worker(bus).wiping.run())
            await crashed.until_left()
            wiping.cancel()
            await asyncio.wait([wiping])

    asyncio.run(scenario())
