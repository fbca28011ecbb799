"""A lease whose store has gone silent: no error comes, and no answer."""

import asyncio
import time

import pytest

from mediamill.core.errors import Unavailable
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.store.memory import MemoryStore
from tests.engine.harness import Harness


async def working(harness: Harness, lease_ms: int):
    """Claim a unit; return its lease and work that never ends."""
    await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    unit = await Scheduler(harness.store, lease_ms).claim_next(["interactive"], "one")
    assert unit is not None
    lease = Lease(harness.units, harness.jobs, unit, lease_ms)
    return lease, asyncio.create_task(asyncio.sleep(3600))


@pytest.fixture
def harness():
    return Harness(MemoryStore())


async def test_work_ends_when_the_store_never_answers(harness, monkeypatch):
    lease, work = await working(harness, 300)

    async def silent(*actions: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(harness.store, "transact", silent)
    async with asyncio.timeout(60):
        await lease.keep(work)
        with pytest.raises(asyncio.CancelledError):
            await work
    assert lease.lost


async def test_work_ends_with_its_lease_when_that_cannot_be_extended(harness, monkeypatch):
    """One with an end holds until then at the store, whoever answers meanwhile, and no longer."""
    lease, work = await working(harness, 150)
    lease.ends = time.monotonic() + 0.6

    async def away(*actions: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(harness.store, "transact", away)
    async with asyncio.timeout(60):
        await lease.keep(work)
        with pytest.raises(asyncio.CancelledError):
            await work
    assert lease.lost
    assert time.monotonic() >= lease.ends, "it gave up what it held"


async def test_a_silence_shorter_than_the_lease_is_survived(harness, monkeypatch):
    lease, work = await working(harness, 30_000)
    real, silences, answered = harness.store.transact, [0.2], []

    async def slow(*actions: object) -> None:
        if silences:
            await asyncio.sleep(silences.pop())
        await real(*actions)
        answered.append(actions)

    async def soon(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    monkeypatch.setattr(harness.store, "transact", slow)
    monkeypatch.setattr(lease, "_until_due", soon)
    keeping = asyncio.create_task(lease.keep(work))
    async with asyncio.timeout(60):
        while len(answered) < 3 and not keeping.done():
            await asyncio.sleep(0.01)
    assert not keeping.done()
    assert not lease.lost
    keeping.cancel()
    work.cancel()
