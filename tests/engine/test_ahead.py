"""What is made ahead: in order, one at a time, closed with whoever uses it."""

import asyncio
from contextlib import aclosing

import pytest

from mediamill.engine.gathering.ahead import ahead


class Walk:
    """Numbers, with a note of how many were made, and whether the walk was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error, self.made, self.closed = count, error, 0, False

    async def numbers(self):
        try:
            for number in range(self.count):
                await asyncio.sleep(0)
                self.made += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_is_made_while_another_is_used():
    walk, seen = Walk(5), []
    async for number in ahead(walk.numbers()):
        await settled()
        seen.append((number, walk.made))
    assert seen == [(0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]
    assert walk.closed


async def test_an_error_comes_behind_what_was_made():
    numbers = ahead(Walk(2, ValueError("line 3")).numbers())
    assert [await anext(numbers), await anext(numbers)] == [0, 1]
    with pytest.raises(ValueError, match="line 3"):
        await anext(numbers)


async def test_who_stops_leaves_nothing_running():
    walk, before = Walk(5), asyncio.all_tasks()
    async with aclosing(ahead(walk.numbers())) as numbers:
        async for _ in numbers:
            break
    assert walk.closed
    assert asyncio.all_tasks() == before
