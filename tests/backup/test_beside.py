"""Work beside each other: so many at a time, all over at the end, the first failure told."""

import asyncio

import pytest

from mediamill.backup.beside import beside
from mediamill.core.errors import Unavailable


async def test_so_many_at_a_time_and_all_at_the_end():
    under_way, most, ended = 0, 0, 0

    async def work() -> None:
        nonlocal under_way, most, ended
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        ended += 1

    async with beside(3) as begin:
        for _ in range(20):
            await begin(work())
    assert (most, ended, under_way) == (3, 20, 0)


async def test_the_first_failure_breaks_off_the_others():
    broken_off = asyncio.Event()

    async def hanging() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    async def failing() -> None:
        raise Unavailable("The disk is away.")

    async def together() -> None:
        async with beside(2) as begin:
            for work in (hanging, failing, hanging, hanging):
                await begin(work())

    with pytest.raises(Unavailable, match="away"):
        await together()
    assert broken_off.is_set()
