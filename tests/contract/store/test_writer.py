"""What a writer promises to those who wait for it; with a thread, and in steps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.kernel.errors import UnavailableError
from services.kernel.store.writer import BATCH, Writer
from tests.fakes.writer import SteppedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture(
    params=[Writer, lambda name: SteppedWriter(name, pause=lambda: 0.001)],
    ids=["thread", "steps"],
)
def make(request: pytest.FixtureRequest) -> Callable[[str], Writer]:
    making: Callable[[str], Writer] = request.param
    return making


class Book:
    """Remembers the batches that it was handed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def double(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        return [KeyError(each) if each < 0 else 2 * each for each in items]

    def fail(self, items: Sequence[int]) -> list[int]:
        raise OSError(len(items))


def test_all_who_wait_are_answered_each_with_its_own(
    make: Callable[[str], Writer],
) -> None:
    book, writer = Book(), make("test")

    async def work() -> list[Any]:
        writer.start()
        calls = [writer.call(book.double, each) for each in (*range(BATCH + 9), -1)]
        return await asyncio.gather(*calls, return_exceptions=True)

    *numbers, refused = asyncio.run(work())
    writer.stop()
    assert numbers == [2 * each for each in range(BATCH + 9)]
    assert isinstance(refused, KeyError)
    assert [each for batch in book.batches for each in batch] == [*range(BATCH + 9), -1]
    assert max(map(len, book.batches)) <= BATCH
    assert writer.handled == BATCH + 10


def test_what_one_handler_raises_is_heard_by_its_callers_alone(
    make: Callable[[str], Writer],
) -> None:
    book, writer = Book(), make("test")

    async def work() -> list[Any]:
        writer.start()
        calls = (
            writer.call(book.fail, 1),
            writer.call(book.double, 2),
            writer.run(lambda: 3),
            writer.call(book.double, 4),
        )
        return await asyncio.gather(*calls, return_exceptions=True)

    failed, *others = asyncio.run(work())
    writer.stop()
    assert isinstance(failed, OSError)
    assert others == [4, 3, 8]


def test_who_comes_before_the_start_or_behind_the_end_is_refused(
    make: Callable[[str], Writer],
) -> None:
    book, writer = Book(), make("test")

    async def refused() -> None:
        with pytest.raises(UnavailableError):
            await writer.call(book.double, 1)

    asyncio.run(refused())
    writer.start()
    writer.stop()
    asyncio.run(refused())
    assert book.batches == []
