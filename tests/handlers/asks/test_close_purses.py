"""The sweep of purses: it sees all of them, and one that cannot be closed stops no other."""

import pytest

from mediamill.engine.asking.asking import settle_dead
from mediamill.handlers.asks import close_purses
from mediamill.store.port import Put
from mediamill.store.repositories.spending import Purse
from mediamill.store.repositories.units import Unit
from tests.handlers.asks.test_asks import asking
from tests.support.places import EACH_STORE

__all__ = ["asking"]


@pytest.fixture
async def left(asking):
    """Give a service with five purses: of the first three the batches go on, two are dead."""
    works = await asking("")
    await works.worker.pause()
    store, spending = works.app.store, works.app.repositories.spending
    for n in range(5):
        payload = {"stage": 0, "items": [], "batch": {"fence": 1} if n < 3 else None}
        unit = Unit(
            group="job_a", seq=n, kind="asks", owner="user_a", klass="bulk", created=0,
            payload=payload,
        )  # fmt: skip
        await store.transact(Put(unit))
        purse = Purse(
            job="job_a", unit=n, fence=1, owner="user_a", day="2026-11-22", bounded=("job_a",),
            created=n + 1,
        )  # fmt: skip
        await spending.allot(purse, 100, (), new=True)
    return works


async def open_units(works) -> list[int]:
    purses = works.app.repositories.spending.purses("job_a")
    return [purse.unit async for purse in purses]


@pytest.mark.places(*EACH_STORE)
async def test_purses_that_wait_hide_no_dead_ones(left, monkeypatch):
    monkeypatch.setattr(close_purses, "PAGE", 2)
    await left.app.handlers()["close_purses"].sweep(young_ms=0)
    assert await open_units(left) == [0, 1, 2]
    assert await left.app.repositories.spending.taken("job_a") == 300


async def test_one_that_cannot_be_closed_stops_no_other(left, monkeypatch):
    async def settled(attempts, booking, purse, *more):
        if purse.unit == 3:
            raise RuntimeError("a fault")
        await settle_dead(attempts, booking, purse, *more)

    monkeypatch.setattr(close_purses, "settle_dead", settled)
    await left.app.handlers()["close_purses"].sweep(young_ms=0)
    assert await open_units(left) == [0, 1, 2, 3]
