"""The engine's promises, on the in-memory store and on SQLite, with real handlers."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from mediamill.core.access import Principal
from mediamill.core.clock import FixedClock
from mediamill.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from mediamill.core.metrics import ITEMS, LEASES_EXPIRED, UNIT_SECONDS
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.tending import Tending
from mediamill.handlers.removing import purge
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import Unit, Units, UnitState
from tests.engine.harness import Harness

ALICE, BOB = Principal("user_alice"), Principal("user_bob")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield Harness(store)
    await store.close()


async def test_a_job_runs_to_its_end(harness):
    files = await harness.add_files("user_alice", 5)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        ended = await harness.finished("user_alice", job)
    assert ended.state is JobState.SUCCEEDED
    assert (ended.counts.succeeded, ended.items, ended.units) == (5, 5, ended.watermark)
    assert [result.item for result in await harness.outcomes(ended)] == list(range(5))
    assert ended.active is None
    assert ended.open is None
    assert ended.download_size > 0


async def test_a_large_job_is_expanded_by_units(harness):
    files = await harness.add_files("user_alice", 1010, media_type="video/mp4")
    async with harness.worker(slots=4):
        job = await harness.submit("user_alice", files)
        assert job.state is JobState.EXPANDING
        ended = await harness.finished("user_alice", job, 60)
    assert ended.state is JobState.SUCCEEDED
    assert ended.counts.succeeded == 1010
    assert ended.units == 1010
    assert len(set(harness.items.runs)) == len(harness.items.runs) == 1010


async def test_failed_items_are_retried_in_the_next_generation(harness):
    bad = {1, 3}

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        return ItemOutcome.FAILED if item in bad else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 5)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        ended = await harness.finished("user_alice", job)
        assert ended.state is JobState.PARTIAL
        bad.discard(1)
        await harness.service.retry(ALICE, job.id)
        again = await harness.finished("user_alice", job)
        assert (again.state, again.generation) == (JobState.PARTIAL, 2)
        assert (again.counts.succeeded, again.counts.failed) == (4, 1)
        bad.clear()
        await harness.service.retry(ALICE, job.id)
        last = await harness.finished("user_alice", job)
        assert (last.state, last.counts.succeeded) == (JobState.SUCCEEDED, 5)
        with pytest.raises(Conflict):
            await harness.service.retry(ALICE, job.id)
    runs = Counter(item for _, item in harness.items.runs)
    assert runs == {0: 1, 1: 2, 2: 1, 3: 3, 4: 1}


async def test_cancel_keeps_what_is_done_and_stops_the_rest(harness):
    going = asyncio.Event()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        if item == 0:
            return ItemOutcome.SUCCEEDED
        going.set()
        await asyncio.sleep(60)
        return ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 6, media_type="video/mp4")
    async with harness.worker(slots=1):
        job = await harness.submit("user_alice", files)
        await asyncio.wait_for(going.wait(), 60)
        cancelled = await harness.service.cancel(ALICE, job.id)
        assert cancelled.state is JobState.CANCELLING
        ended = await harness.finished("user_alice", job)
        await harness.service.cancel(ALICE, job.id)
    assert ended.state is JobState.CANCELLED
    assert ended.counts.settled == 6
    done = len(await harness.outcomes(ended))
    assert ended.counts.cancelled == 6 - done


async def test_a_late_write_of_a_lost_lease_changes_nothing(harness):
    units, scheduler = harness.units, Scheduler(harness.store, lease_ms=50)
    files = await harness.add_files("user_alice", 1)
    job = await harness.submit("user_alice", files)
    first = await scheduler.claim_next(["interactive"], "one")
    assert first is not None
    await asyncio.sleep(0.08)
    second = await scheduler.claim_next(["interactive"], "two")
    assert second is not None
    assert (second.fence, second.lost) == (first.fence + 1, 1)
    late = Lease(units, harness.jobs, first, 50)
    with pytest.raises(LeaseLost):
        await late.finish()
    with pytest.raises(LeaseLost):
        await late.write(progress=0.5)
    current = await units.get(job.id, 0)
    assert current is not None
    assert (current.state, current.holder) == (UnitState.LEASED, "two")


async def test_a_released_unit_is_tried_again_later(harness):
    tries = Counter()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        tries[item] += 1
        if tries[item] < 3:
            raise Unavailable("the store of bytes is away")
        return ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 1)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        ended = await harness.finished("user_alice", job)
    assert ended.state is JobState.SUCCEEDED
    assert tries[0] == 3
    assert ends_of(harness, "items") == {"again": 2, "done": 1}
    assert harness.numbers.counts[ITEMS] == {("", "succeeded"): 1}


def ends_of(harness, kind: str) -> dict[str, int]:
    """Return what came of the units of a kind, as the metrics count it."""
    found = harness.numbers.times[UNIT_SECONDS].items()
    return {end: sum(seen.buckets) for (_, name, end), seen in found if name == kind}


async def test_leases_that_ran_out_are_counted_once_the_unit_has_ended(harness):
    files = await harness.add_files("user_alice", 1)
    job = await harness.submit("user_alice", files)
    for _ in range(2):  # of workers that are gone
        assert await Scheduler(harness.store, -1).claim_next([job.klass], "gone")
    async with harness.worker():
        await harness.finished("user_alice", job)
    assert ends_of(harness, "items") == {"done": 1}
    assert harness.numbers.counts[LEASES_EXPIRED] == {(job.klass,): 2}


async def test_what_its_handler_gives_back_is_not_done_and_lost_no_lease_again(harness):
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    claims, backs = Scheduler(harness.store, -1), [("", True), ("away", True), ("away", False)]
    assert await claims.claim_next([job.klass], "gone")
    run = harness.items.run

    async def gives_back(lease: Lease) -> None:
        error, counted = backs.pop()
        await lease.release(0, error, counted=counted)

    engine = harness.engine()
    tending = Tending(engine)
    for handle in (gives_back, gives_back, gives_back, run):
        harness.items.run = handle
        unit = await engine.scheduler.claim_next([job.klass], "here")
        assert unit is not None
        await tending.run(unit)
    assert ends_of(harness, "items") == {"returned": 2, "again": 1, "done": 1}
    assert harness.numbers.counts[LEASES_EXPIRED] == {(job.klass,): 1}


@pytest.mark.parametrize(
    ("handle", "end"), [("run", "done"), ("give_up", "again")], ids=["done", "failed"]
)
async def test_what_comes_again_whatever_happens_is_never_given_up(harness, handle, end):
    class Comes:
        recurs = True

        async def run(self, lease: Lease) -> None:
            if handle == "give_up":
                raise InvalidInput("nothing can be done with this")
            await lease.release(60_000)

        async def give_up(self, lease: Lease, error: BaseException) -> None:
            await lease.release(60_000, str(error))

    engine = harness.engine()
    engine = replace(engine, handlers={**engine.handlers, "comes": Comes()})
    await harness.units.begin_once("comes", "system", -1)
    assert await Scheduler(harness.store, -1).claim_next(["housekeeping"], "gone")
    unit = await engine.scheduler.claim_next(["housekeeping"], "here")
    assert unit is not None
    await Tending(engine).run(unit)
    assert ends_of(harness, "comes") == {end: 1}
    assert not harness.numbers.counts[LEASES_EXPIRED], "it would be told at each of its turns"


async def test_a_worker_that_is_stopped_gives_its_units_back(harness):
    started = asyncio.Event()

    async def hang(lease: Lease, item: int) -> ItemOutcome:
        started.set()
        await asyncio.sleep(60)
        return ItemOutcome.SUCCEEDED

    harness.items.settle = hang
    harness.timing.drain = 0.1
    files = await harness.add_files("user_alice", 1)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        await asyncio.wait_for(started.wait(), 60)
    unit = await harness.units.get(job.id, 0)
    assert unit is not None
    assert (unit.state, unit.attempts) == (UnitState.READY, 0)
    assert ends_of(harness, "items") == {"returned": 1}


async def test_owners_share_and_a_newcomer_is_served_at_once(harness):
    """A with a thousand units and B with ten: B's come within the first turns, then they share."""
    scheduler = Scheduler(harness.store, lease_ms=60_000)
    for owner, count in (("a", 60), ("b", 10)):
        files = await harness.add_files(owner, count, media_type="video/mp4")
        await harness.submit(owner, files, klass="bulk")
    order = []
    for _ in range(30):
        unit = await scheduler.claim_next(["bulk"], "w")
        assert unit is not None
        order.append(unit.owner)
    assert Counter(order[:20]) == {"a": 10, "b": 10}
    assert set(order[20:]) == {"a"}


async def test_parked_lanes_wake_in_time(tmp_path):
    clock = FixedClock()
    store = MemoryStore(clock)
    units, scheduler = Units(store), Scheduler(store, lease_ms=1000)
    unit = Unit(group="g", seq=0, kind="k", owner="o", klass="bulk", created=clock.now())
    await units.insert([unit.opened(clock.now() + 500)])
    await scheduler.tidy("bulk")
    assert await scheduler.claim_next(["bulk"], "w") is None
    clock.advance(500)
    await scheduler.tidy("bulk")
    claimed = await scheduler.claim_next(["bulk"], "w")
    assert claimed is not None
    await scheduler.tidy("bulk")
    clock.advance(1000)
    await scheduler.tidy("bulk")
    stolen = await scheduler.claim_next(["bulk"], "w2")
    assert stolen is not None
    assert stolen.lost == 1
    await units.finish(stolen)
    await scheduler.tidy("bulk")
    assert await scheduler.claim_next(["bulk"], "w") is None


async def test_other_owners_jobs_do_not_exist(harness):
    files = await harness.add_files("user_alice", 1)
    job = await harness.submit("user_alice", files)
    for call in (harness.service.get, harness.service.cancel, harness.service.retry):
        with pytest.raises(NotFound):
            await call(BOB, job.id)
    with pytest.raises(InvalidInput):
        await harness.submit("user_bob", files)


async def test_a_deleted_job_leaves_no_rows_and_no_blobs(harness, monkeypatch):
    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 50)  # its notice may still be in hand
    files = await harness.add_files("user_alice", 3)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        await harness.finished("user_alice", job)
        await harness.trash.delete(ALICE, job.id, now=True)
        with pytest.raises(NotFound):
            await harness.service.get(ALICE, job.id)
        async with asyncio.timeout(60):
            while await harness.jobs.get(job.id) is not None:
                await asyncio.sleep(0.02)
    assert await harness.outcomes(job) == []
    assert await harness.units.of_group(job.id) == ()
    assert [blob async for blob in harness.blobs.list("")] == []


async def test_items_are_listed_with_and_without_outcome(harness):
    async def settle(lease: Lease, item: int) -> ItemOutcome:
        return ItemOutcome.FAILED if item == 2 else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 5)
    job = await harness.submit("user_alice", files)
    before = await harness.listing.list(ALICE, job.id, None, None, 3)
    assert [item.state for item in before.rows] == ["pending"] * 3
    async with harness.worker():
        await harness.finished("user_alice", job)
    rest = await harness.listing.list(ALICE, job.id, None, before.after, 3)
    assert [item.index for item in rest.rows] == [3, 4]
    assert rest.after is None
    failed = await harness.listing.list(ALICE, job.id, "failed", None, 10)
    assert [item.index for item in failed.rows] == [2]
    with pytest.raises(InvalidInput):
        await harness.listing.list(ALICE, job.id, "odd", None, 10)


async def outlast(harness, clock: FixedClock, monkeypatch) -> None:
    """Run work that takes four leases; assert that it was done once, under one lease.

    The store's time goes on by two thirds of a lease with each extension, and only so: whoever gets
    no processor for a while loses nothing.
    """
    harness.timing.lease, extensions, extend = 0.2, [], Lease._extend

    async def later(self: Lease) -> bool:
        kept = await extend(self)
        clock.advance(int(harness.timing.lease * 1000) * 2 // 3)
        extensions.append(self.unit.name)
        return kept

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        while len(extensions) < 6:
            await asyncio.sleep(0.01)
        return ItemOutcome.SUCCEEDED

    monkeypatch.setattr(Lease, "_extend", later)
    harness.items.settle = settle
    files = await harness.add_files("user_alice", 1)
    async with harness.worker(), harness.worker():
        job = await harness.submit("user_alice", files)
        await harness.finished("user_alice", job)
    unit = await harness.units.get(job.id, 0)
    assert unit is not None
    assert (len(harness.items.runs), unit.lost, unit.fence) == (1, 0, 1)


@pytest.fixture(params=["memory", "sqlite"])
async def clocked(request, tmp_path):
    """A harness whose store's time goes on as the test says, and that time."""
    url, clock = f"sqlite:///{tmp_path}/test.db", FixedClock()
    store = MemoryStore(clock) if request.param == "memory" else await open_store(url, clock=clock)
    yield Harness(store), clock
    await store.close()


async def test_work_that_outlasts_its_lease_is_not_done_twice(clocked, monkeypatch):
    await outlast(*clocked, monkeypatch)


async def test_a_lease_that_is_not_extended_is_noticed(clocked, monkeypatch):
    """The planted fault."""

    async def as_if(self: Lease) -> bool:
        return True

    monkeypatch.setattr(Lease, "_extend", as_if)
    with pytest.raises(AssertionError):
        await outlast(*clocked, monkeypatch)


async def test_what_is_settled_is_not_done_again(harness):
    failed = asyncio.Event()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        if item == 3 and not failed.is_set():
            failed.set()
            raise Unavailable("the store of bytes is away")
        return ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 5)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        ended = await harness.finished("user_alice", job)
    assert ended.counts.succeeded == 5
    assert [item for _, item in harness.items.runs] == [0, 1, 2, 3, 3, 4]


async def test_a_job_is_sealed_once_and_only_when_all_is_summed(harness):
    async def settle(lease: Lease, item: int) -> ItemOutcome:
        await asyncio.sleep(0.3 if item == 7 else 0)
        return ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 8, media_type="video/mp4")
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        ended = await harness.finished("user_alice", job)
    (seal,) = await harness.units.of_group(f"{job.id}:seal")
    assert (ended.state, seal.attempts, seal.fence) == (JobState.SUCCEEDED, 0, 1)
