"""R4: doorbells doubled, shuffled and dropped; and the order of a row and its ring.

The soak has 10,000 units under each: about half a minute each.
"""

import asyncio
from collections import Counter

import pytest

from mediamill.core.access import Principal
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import UnitState
from tests.engine.harness import Harness
from tests.faults.doorbells import Dead, Doubling, Dropping, Prompt, Shuffling

JOBS = 4
ALICE = Principal("user_alice")


class Belled(Harness):
    """The harness with a doorbell of the test's."""

    def __init__(self, store, bell):
        super().__init__(store)
        self.bell = self.service.bell = self.trash.bell = bell


@pytest.fixture
async def store(tmp_path):
    store = await open_store(f"sqlite:///{tmp_path}/test.db")
    yield store
    await store.close()


@pytest.mark.parametrize("bell", [Doubling, Shuffling, Dropping, Dead])
@pytest.mark.parametrize("units", [80, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
async def test_each_unit_ends_once_whatever_the_doorbell_does(store, bell, units):
    harness = Belled(store, bell())
    files = await harness.add_files("user_alice", units // JOBS, media_type="video/mp4")
    async with harness.worker(), harness.worker():
        jobs = [await harness.submit("user_alice", files, name=str(n)) for n in range(JOBS)]
        ended = [await harness.finished("user_alice", job, 30 + units // 20) for job in jobs]
    assert [job.state for job in ended] == [JobState.SUCCEEDED] * JOBS
    runs = Counter(harness.items.runs)
    assert (len(runs), set(runs.values())) == (units, {1})
    for job in ended:
        assert [r.item for r in await harness.outcomes(job)] == list(range(units // JOBS))
        assert (job.counts.succeeded, job.watermark) == (job.items, job.units)
        async for unit in harness.units.walk_group(job.id):
            assert (unit.state, unit.fence) == (UnitState.DONE, 1)


async def test_a_ring_finds_its_row(store):
    """Nobody looks by himself here: whoever is rung for before the row is there never comes.

    Through every ring of a job's way: submission, expansion, seal, retry and delete.
    """
    harness = Belled(store, Prompt())
    harness.timing.poll = harness.timing.lease = 3600

    async def settle(lease, item):
        return ItemOutcome.FAILED if item == 1 else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 100, media_type="video/mp4")
    async with harness.worker():
        await asyncio.sleep(0.2)  # all have looked once
        for some in (files[:3], files):
            job = await harness.submit("user_alice", some)
            assert (await harness.finished("user_alice", job)).state is JobState.PARTIAL
            await harness.service.retry(ALICE, job.id)
            assert (await harness.finished("user_alice", job)).state is JobState.PARTIAL
        await harness.trash.delete(ALICE, job.id, now=True)
        async with asyncio.timeout(20):
            while await harness.jobs.get(job.id) is not None:
                await asyncio.sleep(0.02)
