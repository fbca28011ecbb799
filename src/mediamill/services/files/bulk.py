"""Do the same to many records, each with an outcome of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mediamill.core.errors import MediamillError

AT_A_TIME = 8


@dataclass(frozen=True)
class Outcome:
    """What became of one id: `error` is None when it was done; `told` is what the work returned."""

    id: str
    error: MediamillError | None = None
    told: Any = None


async def each(ids: Sequence[str], work: Callable[[str], Awaitable[Any]]) -> list[Outcome]:
    """Do `work` for every id once, a few at a time; a refusal of one does not stop the others."""
    permits = asyncio.Semaphore(AT_A_TIME)

    async def one(record_id: str) -> Outcome:
        async with permits:
            try:
                return Outcome(record_id, told=await work(record_id))
            except MediamillError as error:
                if error.status >= 500:
                    raise  # the store is away: the rest would fare no better
                return Outcome(record_id, error)

    return await asyncio.gather(*(one(record_id) for record_id in dict.fromkeys(ids)))
