"""Many small moves at a time, by a store that does them at a stroke, else beside each other."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

from mediamill.blobs.port import Blobs, MovesTogether

AT_ONCE = 8


async def adopt_together(blobs: Blobs, files: Sequence[tuple[str, Path]]) -> None:
    """Move finished scratch files under keys, durable on return; raises what `adopt` does."""
    if len(files) > 1 and isinstance(blobs, MovesTogether):
        await blobs.adopt_all(files)
    else:
        await _beside([blobs.adopt(key, path) for key, path in files])


async def copy_together(blobs: Blobs, pairs: Sequence[tuple[str, str]]) -> None:
    """Give objects a second key each, durable on return; raises what `copy` does."""
    if len(pairs) > 1 and isinstance(blobs, MovesTogether):
        await blobs.copy_all(pairs)
    else:
        await _beside([blobs.copy(source, target) for source, target in pairs])


async def _beside(work: Sequence[Awaitable[None]]) -> None:
    """Wait for all, a few at a time; raises what the first raised once none goes on."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with room:
            await each

    for error in await asyncio.gather(*map(one, work), return_exceptions=True):
        if isinstance(error, BaseException):
            raise error
