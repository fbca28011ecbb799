"""Make the next of something while the one before it is used."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ahead(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield what a generator yields, which works on the next meanwhile; it is closed at the end."""
    async with aclosing(source):
        coming = asyncio.create_task(_next(source))
        try:
            while found := await coming:
                coming = asyncio.create_task(_next(source))
                yield found[0]
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _next(source: AsyncIterator[T]) -> tuple[T] | None:
    """Return the next as a tuple of one; None at the end."""
    async for found in source:
        return (found,)
    return None
