"""Each outcome is announced once, whoever dies or sleeps at the end; mails: `test_mails.py`."""

import asyncio

import pytest

from mediamill.core.access import Principal
from mediamill.engine.announcing import event_of, job_event
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.worker import Crew, Worker
from mediamill.handlers.telling.notify import Notify
from mediamill.store.opening import open_store
from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Job, JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import Unit, UnitState
from tests.engine.harness import Harness
from tests.web.conftest import plain_log

__all__ = ["plain_log"]  # a fixture

ALICE = Principal("user_alice")


@pytest.fixture(params=[pytest.param("memory", marks=pytest.mark.soak), "sqlite"])
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


class Broken:
    async def units(self, notice, now):
        raise RuntimeError("a channel with a defect")


class Whole:
    async def units(self, notice, now):
        return [Unit.notice("mail", notice.group + ":x", notice.seq, notice.owner, now=now)]


async def test_a_channel_with_a_defect_silences_no_other(harness):
    engine = harness.engine()
    notify = Notify(harness.jobs, harness.bell, (Broken(), Whole()))
    engine.handlers = {**engine.handlers, "notify": notify}
    harness.engine = lambda: engine
    engine.policy = RetryPolicy(base_ms=1, cap_ms=2, attempts=2)
    async with harness.worker():
        job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
        await harness.finished("user_alice", job)
        async with asyncio.timeout(60):
            while await announced(harness, job) != [(1, UnitState.DONE)]:
                await asyncio.sleep(0.02)
    assert await harness.units.get(f"{job.id}:notify:x", 1) is not None


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
        async with asyncio.timeout(60):
            while [state for _, state in await announced(harness, job)] != [UnitState.DONE] * 3:
                await asyncio.sleep(0.02)
    assert told == [1, 2, 3]
    assert [seq for seq, _ in await announced(harness, job)] == [1, 2, 3]


async def test_a_worker_that_does_not_know_the_class_leaves_it_to_one_that_does(harness):
    """As an older version's: it ends the job, and a newer one tells of it."""
    older = Crew(tuple(order for order in Crew.of(1).runners if "notices" not in order))
    worker = Worker(harness.engine(), older)
    working = asyncio.create_task(worker.run())
    try:
        job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
        await harness.finished("user_alice", job)
        await asyncio.sleep(5 * harness.timing.poll)
        assert await announced(harness, job) == [(1, UnitState.READY)]
    finally:
        worker.stop()
        await working
    async with harness.worker(), asyncio.timeout(60):
        while await announced(harness, job) != [(1, UnitState.DONE)]:
            await asyncio.sleep(0.02)


async def test_a_job_that_an_earlier_version_ended_has_its_event(harness):
    """Its announcement holds neither event nor outcome: they are as the row has them, each time."""
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    async with harness.worker():
        ended = await harness.finished("user_alice", job)
    named = {"job": job.id, "stage": ended.stage, "generation": 1}
    plain = Unit.notice("notify", "earlier", 1, "user_alice", now=ended.finished, **named)
    notify, seen = Notify(harness.jobs, harness.bell), []

    class Looking:
        async def units(self, notice, now):
            seen.append(event_of(notice))
            return []

    notify.channels = (Looking(),)
    for seq in (1, 2):
        await harness.units.insert([plain.evolve(seq=seq, created=seq)])
        await notify.run(await claim(harness, "notify", 60_000, "notices"))
    assert seen[0] == seen[1] == job_event("job.succeeded", ended, ended.finished)
    await harness.store.transact(Update(Job, (job.id,), set={"generation": 2}))
    await harness.units.insert([plain.evolve(seq=3)])
    await notify.run(await claim(harness, "notify", 60_000, "notices"))
    assert seen[2] is None, "the row tells of another generation"
