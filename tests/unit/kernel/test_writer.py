"""The writer groups what waits, answers each alone, and loses no work at the end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from services.kernel.errors import UnavailableError
from services.kernel.store.writer import BATCH, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer("test")
    writer.start()
    yield writer
    writer.stop()


async def hold(writer: Writer) -> threading.Event:
    """Keep the thread busy until the event is set, so that work gathers."""
    release, busy = threading.Event(), threading.Event()

    def wait() -> None:
        busy.set()
        release.wait()

    asyncio.get_running_loop().create_task(writer.run(wait))
    await asyncio.to_thread(busy.wait)
    return release


def test_what_waits_together_is_one_batch(writer: Writer) -> None:
    sizes: list[int] = []

    def double(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * item for item in items]

    async def main() -> list[int]:
        release = await hold(writer)
        calls = [asyncio.create_task(writer.call(double, n)) for n in range(BATCH + 7)]
        await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == [2 * n for n in range(BATCH + 7)]
    assert sizes == [BATCH, 7]


def test_handlers_take_turns_in_order_of_arrival(writer: Writer) -> None:
    order: list[tuple[str, int]] = []

    def first(items: Sequence[int]) -> Sequence[int]:
        order.append(("first", len(items)))
        return items

    def second(items: Sequence[int]) -> Sequence[int]:
        order.append(("second", len(items)))
        return items

    async def main() -> None:
        release = await hold(writer)
        calls = [
            asyncio.create_task(writer.call(handler, 0))
            for handler in (first, first, second, first)
        ]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*calls)

    asyncio.run(main())
    assert order == [("first", 2), ("second", 1), ("first", 1)]


def test_a_refused_item_is_its_callers_alone_and_a_failed_batch_everyones(
    writer: Writer,
) -> None:
    def refuse_odd(items: Sequence[int]) -> Sequence[int | Exception]:
        return [ValueError(item) if item % 2 else item for item in items]

    def fail(items: Sequence[int]) -> Sequence[int]:
        raise OSError(len(items))

    async def main() -> tuple[list[object], list[object]]:
        odd = await asyncio.gather(
            *(writer.call(refuse_odd, n) for n in range(4)), return_exceptions=True
        )
        all_of_them = await asyncio.gather(
            *(writer.call(fail, n) for n in range(2)), return_exceptions=True
        )
        return list(odd), list(all_of_them)

    odd, failed = asyncio.run(main())
    assert [type(result) for result in odd] == [int, ValueError, int, ValueError]
    assert [type(result) for result in failed] == [OSError, OSError]


def test_stopping_finishes_what_was_taken_and_refuses_what_comes_later() -> None:
    done: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        done.extend(items)
        return items

    async def main() -> None:
        writer = Writer("test")
        writer.start()
        release = await hold(writer)
        taken = asyncio.create_task(writer.call(work, 1))
        await asyncio.sleep(0)
        release.set()
        await asyncio.to_thread(writer.stop)
        assert await taken == 1
        with pytest.raises(UnavailableError):
            await writer.call(work, 2)

    asyncio.run(main())
    assert done == [1]


def test_a_caller_that_went_away_disturbs_nobody(writer: Writer) -> None:
    def work(items: Sequence[int]) -> Sequence[int]:
        return items

    async def main() -> int:
        release = await hold(writer)
        gone = asyncio.create_task(writer.call(work, 1))
        stays = asyncio.create_task(writer.call(work, 2))
        await asyncio.sleep(0)
        gone.cancel()
        release.set()
        return await stays

    assert asyncio.run(main()) == 2


def test_who_comes_when_too_many_wait_is_refused_at_once() -> None:
    """Those that wait are handled all the same, and so is the service's own work."""
    writer = Writer("test", limit=3)
    writer.start()
    done: list[int] = []

    def keep(items: Sequence[int]) -> Sequence[int]:
        done.extend(items)
        return items

    async def main() -> list[int | BaseException]:
        release = await hold(writer)
        calls = [asyncio.create_task(writer.call(keep, n)) for n in range(10)]
        await asyncio.sleep(0)
        own = asyncio.create_task(writer.run(lambda: done.append(99)))
        await asyncio.sleep(0)
        refused = [call for call in calls if call.done()]
        assert len(refused) == 7, "told while the thread is still busy"
        release.set()
        await own
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(main())
    writer.stop()
    assert answers[:3] == [0, 1, 2]
    assert {type(each) for each in answers[3:]} == {UnavailableError}
    assert all(each.code == "service.busy" and each.retry_after for each in answers[3:])
    assert done == [0, 1, 2, 99]
