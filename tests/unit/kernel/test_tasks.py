"""A task that swallows a cancellation is ended all the same."""

import asyncio
import contextlib

from services.kernel.tasks import end


def test_a_task_that_swallows_cancellations_ends():
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 2:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            swallowed += 1
        await asyncio.sleep(60)

    async def main() -> bool:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end(task)
        return task.cancelled()

    assert asyncio.run(main())
    assert swallowed == 2


def test_what_an_ended_task_raised_is_of_no_interest():
    async def fails() -> None:
        raise ValueError

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await end(task)

    asyncio.run(main())
