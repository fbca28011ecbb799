"""Some pieces of work beside each other, never more than so many, begun in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Begin = Callable[[Coroutine[Any, Any, None]], Awaitable[None]]


@asynccontextmanager
async def beside(most: int) -> AsyncIterator[Begin]:
    """Give what begins a piece of work, and waits while `most` are under way.

    At the end of the block all are over. Raises what the first that failed raised; the others, and
    the block, are broken off then.
    """
    room = asyncio.Semaphore(most)
    try:
        async with asyncio.TaskGroup() as group:

            async def begin(work: Coroutine[Any, Any, None]) -> None:
                try:
                    await room.acquire()
                except asyncio.CancelledError:
                    work.close()
                    raise
                group.create_task(work).add_done_callback(lambda _: room.release())

            yield begin
    except* Exception as failures:
        raise failures.exceptions[0] from None
