"""Each outcome is announced once, whoever dies or sleeps at the end; mails: `test_mails.py`."""

import asyncio

import pytest

from mediamill.core.access import Principal
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import UnitState
from tests.engine.harness import Harness
from tests.web.conftest import plain_log

__all__ = ["plain_log"]  # a fixture

ALICE = Principal("user_alice")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield Harness(store)
    await store.close()


async def claim(harness, kind, lease_ms, klass="interactive"):
    """Claim the next unit, which is of this kind."""
    unit = await Scheduler(harness.store, lease_ms).claim_next([klass], "by hand")
    assert unit is not None
    assert unit.kind == kind
    return Lease(harness.units, harness.jobs, unit, lease_ms)


async def announced(harness, job):
    return [(u.seq, u.state) async for u in harness.units.walk_group(f"{job.id}:notify")]


async def test_whoever_ends_a_job_late_announces_nothing(harness):
    """One fell asleep while it ended the job, another ended it; then the first wakes."""
    engine = harness.engine()
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 3))
    await engine.handlers["items"].run(await claim(harness, "items", 60_000))
    await engine.rollup.advance(job.id)
    sleepy = await claim(harness, "seal", 1)
    await asyncio.sleep(0.01)
    prompt = await claim(harness, "seal", 60_000)
    await engine.handlers["seal"].run(prompt)
    revision = (await harness.jobs.need(job.id)).revision
    with pytest.raises(LeaseLost):
        await engine.handlers["seal"].run(sleepy)
    assert await announced(harness, job) == [(1, UnitState.READY)]
    ended = await harness.jobs.need(job.id)
    assert (ended.state, ended.revision) == (JobState.SUCCEEDED, revision)
    assert not await engine.rollup.advance(job.id)
    notify = await claim(harness, "notify", 60_000, "notices")
    await engine.handlers["notify"].run(notify)
    assert await announced(harness, job) == [(1, UnitState.DONE)]


async def test_each_generation_is_announced_once(harness):
    async def settle(lease, item):
        last = lease.unit.payload["generation"] == 3
        return ItemOutcome.SUCCEEDED if last else ItemOutcome.FAILED

    harness.items.settle = settle
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 3))
    told = []
    engine = harness.engine()
    notify = engine.handlers["notify"].run

    async def counted(lease):
        told.append(lease.unit.seq)
        await notify(lease)

    engine.handlers["notify"].run = counted
    harness.engine = lambda: engine
    async with harness.worker(), harness.worker():
        await harness.finished("user_alice", job)
        for _ in range(2):
            await harness.service.retry(ALICE, job.id)
            await harness.finished("user_alice", job)
        async with asyncio.timeout(10):
            while [state for _, state in await announced(harness, job)] != [UnitState.DONE] * 3:
                await asyncio.sleep(0.02)
    assert told == [1, 2, 3]
    assert [seq for seq, _ in await announced(harness, job)] == [1, 2, 3]
