"""What items made is kept some at a time: at once where one took long, soon in any case."""

import asyncio

import pytest

from mediamill.core.errors import StorageFull
from mediamill.handlers.items import keeping
from mediamill.handlers.items.keeping import MOST, Keeping
from mediamill.handlers.items.settling import Done
from mediamill.operations.work import Outcome


def done(number, seconds=0.0):
    return Done(number, Outcome(), seconds)


async def test_quick_items_wait_for_each_other_and_a_slow_one_for_none():
    kept = []

    async def keep(some):
        kept.append([one.work for one in some])

    collects = Keeping(keep)
    for number in range(MOST + 2):
        await collects.add(done(number))
    assert kept == [list(range(MOST))]
    await collects.add(done(99, seconds=1.0))
    assert kept[1:] == [[MOST, MOST + 1, 99]]
    await collects.settle()
    assert len(kept) == 2


async def test_nothing_waits_for_long(monkeypatch):
    monkeypatch.setattr(keeping, "LATEST_SECONDS", 0.01)
    came = asyncio.Event()

    async def keep(some):
        came.set()

    collects = Keeping(keep)
    async with collects.ticking():
        await collects.add(done(1))
        await asyncio.wait_for(came.wait(), 60)


async def test_what_the_ticker_could_not_keep_is_raised(monkeypatch):
    monkeypatch.setattr(keeping, "LATEST_SECONDS", 0.01)
    tried = asyncio.Event()

    async def keep(some):
        tried.set()
        raise StorageFull("full")

    collects = Keeping(keep)
    async with collects.ticking():
        await collects.add(done(1))
        await asyncio.wait_for(tried.wait(), 60)
        await asyncio.sleep(0)
        with pytest.raises(StorageFull):
            await collects.settle()
