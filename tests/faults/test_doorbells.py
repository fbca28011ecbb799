"""R4: doorbells doubled, shuffled and dropped; and the order of a row and its ring.

PostgreSQL rings through its own, between two connections. The soak has 10,000 units under each,
1,000 on DynamoDB: about a minute each.
"""

import asyncio
from collections import Counter

import pytest

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.adapters.brokers.opening import open_bell
from mediamill.core.access import Principal
from mediamill.core.settings import Settings
from mediamill.engine.scheduler import Scheduler
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import Unit, UnitState
from tests.engine.harness import Harness
from tests.faults.doorbells import Across, Dead, Doubling, Dropping, Hasty, Prompt, Shuffling
from tests.support.places import DYNAMODB, EACH_STORE, POSTGRESQL, SQLITE, cases

JOBS = 4
MANY = {"sqlite": 10_000, "postgresql": 10_000, "dynamodb": 1000}
ALICE = Principal("user_alice")


class Belled(Harness):
    """The harness with a doorbell of the test's."""

    def __init__(self, store, bell):
        super().__init__(store)
        self.bell = self.service.bell = self.trash.bell = bell
        self.seconds = 0.0
        """How long a job may take at most; 0 means what its units say."""


@pytest.fixture
async def store(tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    yield store
    await store.close()


@pytest.fixture
async def bell(tmp_path, place, store):
    """A doorbell that does what it should, of the kind that comes with the store."""
    if place.store == "postgresql":
        url = Settings(home=tmp_path).store_url
        sound = Across(open_bell("postgresql:", url), open_bell("postgresql:", url))
    else:
        sound = InProcessDoorbell()
    yield sound
    await sound.close()


async def run(harness: Belled, units: int) -> None:
    """Run jobs of so many units; assert that each had one result and one run."""
    files = await harness.add_files("user_alice", units // JOBS, media_type="video/mp4")
    async with harness.worker(), harness.worker():
        jobs = [await harness.submit("user_alice", files, name=str(n)) for n in range(JOBS)]
        ended = [
            await harness.finished("user_alice", job, harness.seconds or 60 + units // 20)
            for job in jobs
        ]
    assert [job.state for job in ended] == [JobState.SUCCEEDED] * JOBS
    runs = Counter(harness.items.runs)
    assert (len(runs), set(runs.values())) == (units, {1})
    assert sum(job.units for job in ended) == units
    for job in ended:
        assert [r.item for r in await harness.outcomes(job)] == list(range(units // JOBS))
        assert (job.counts.succeeded, job.watermark) == (job.items, job.units)
        async for unit in harness.units.walk_group(job.id):
            assert (unit.state, unit.fence) == (UnitState.DONE, 1)


FAULTY = (Doubling, Shuffling, Dropping, Dead)


@cases(
    "faulty units",
    [
        *((SQLITE, faulty, 80) for faulty in FAULTY),
        (POSTGRESQL, Shuffling, 80),
        (DYNAMODB, Dead, 16),
    ],
    [(place, faulty, MANY[place.store]) for place in EACH_STORE for faulty in FAULTY],
)
@pytest.mark.timeout(1800)
async def test_each_unit_ends_once_whatever_the_doorbell_does(store, bell, faulty, units):
    await run(Belled(store, faulty(bell)), units)


async def test_work_that_waits_for_its_ring_is_noticed(store, bell):
    """A planted fault of R4: nobody looks by himself."""
    harness = Belled(store, Dead(bell))
    harness.timing.poll = harness.timing.lease = 3600
    harness.seconds = 1
    with pytest.raises(AssertionError):
        await run(harness, 80)


@pytest.mark.soak
@cases("", [(SQLITE,)], [(DYNAMODB,)])
async def test_a_claim_without_its_guard_is_noticed(store, bell, monkeypatch):
    """A planted fault of R4: whoever is rung for takes what others have taken already.

    That of PostgreSQL's claim is in `test_claims.py`.
    """
    take = Scheduler._take

    async def at_any_rate(self, lane, unit, now, holder):
        await asyncio.sleep(0)
        latest = await self.store.get(Unit, *unit.key_values())
        return await take(self, lane, latest, now, holder)

    monkeypatch.setattr(Scheduler, "_take", at_any_rate)
    harness = Belled(store, Doubling(bell))
    harness.seconds = 5
    with pytest.raises(AssertionError):
        await run(harness, 80)


async def ring_all(harness: Belled) -> None:
    """Go through every ring of a job's way: submission, expansion, seal, retry and delete.

    Nobody looks by himself here: whoever is rung for before the row is there never comes.
    """
    harness.timing.poll = harness.timing.lease = 3600
    seconds = harness.seconds or 60

    async def settle(lease, item):
        return ItemOutcome.FAILED if item == 1 else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 100, media_type="video/mp4")
    async with harness.worker():
        await asyncio.sleep(0.2)  # all have looked once
        for some in (files[:3], files):
            job = await harness.submit("user_alice", some)
            assert (await harness.finished("user_alice", job, seconds)).state is JobState.PARTIAL
            await harness.service.retry(ALICE, job.id)
            assert (await harness.finished("user_alice", job, seconds)).state is JobState.PARTIAL
        async with asyncio.timeout(seconds):  # a purge that has to wait for it looks again later
            while any(unit.state.open for unit in await harness.units.of_group(f"{job.id}:notify")):
                await asyncio.sleep(0.02)
        await harness.trash.delete(ALICE, job.id, now=True)
        async with asyncio.timeout(seconds):
            while await harness.jobs.get(job.id) is not None:
                await asyncio.sleep(0.02)


@pytest.mark.places(SQLITE, POSTGRESQL)
async def test_a_ring_finds_its_row(store, bell):
    """DynamoDB is left out: there an index follows its rows, and whoever finds nothing waits."""
    await ring_all(Belled(store, Prompt(bell)))


async def test_a_ring_before_its_row_is_noticed(store, bell):
    """The planted fault."""
    harness = Belled(store, Hasty(bell, store))
    harness.seconds = 1
    with pytest.raises((AssertionError, TimeoutError)):
        await ring_all(harness)
