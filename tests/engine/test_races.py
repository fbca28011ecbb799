"""Races, crash points and late writers: what must hold whoever is slow, dead or too early."""

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.access import Principal
from mediamill.core.clock import DAY, FixedClock
from mediamill.core.errors import MediamillError, NotFound, TimedOut, Unavailable
from mediamill.engine.announcing import Announcer
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.slots import Started, Succeeded
from mediamill.engine.stages import job_unit
from mediamill.engine.worker import Crew, Worker
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.handlers.items.items import Items
from mediamill.handlers.removing import purge
from mediamill.media.facts import Facts
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.work import Outcome
from mediamill.services.uploads.intake import Uploads
from mediamill.services.uploads.recording import FileRows
from mediamill.services.uploads.validating import Validator
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job, JobState
from mediamill.store.repositories.results import ItemOutcome, ResultFile
from mediamill.store.repositories.units import Unit, Units, UnitState
from mediamill.store.repositories.usage import Usages
from tests.engine.harness import Harness

ALICE = Principal("user_alice")
GOOD, BAD = ItemOutcome.SUCCEEDED, ItemOutcome.FAILED


@pytest.fixture
async def harness():
    store = MemoryStore()
    yield Harness(store)
    await store.close()


async def claim(harness: Harness, lease_ms: int = 60_000, klass: str = "interactive") -> Lease:
    """Claim the next unit, as a worker that does nothing by itself."""
    unit = await Scheduler(harness.store, lease_ms).claim_next([klass], "by hand")
    assert unit is not None
    return Lease(harness.units, harness.jobs, unit, lease_ms)


async def step(harness: Harness, klass: str = "interactive") -> str:
    """Run one unit and roll its job up; return its kind."""
    engine = harness.engine()
    lease = await claim(harness, klass=klass)
    await engine.handlers[lease.unit.kind].run(lease)
    if job := lease.unit.payload.get("job"):
        await engine.rollup.advance(job)
    return lease.unit.kind


def fails(*items: int):
    async def settle(lease: Lease, item: int) -> ItemOutcome:
        return BAD if item in items else GOOD

    return settle


# -- cancel and retry ------------------------------------------------------------------------------


async def test_a_slow_cancellation_leaves_a_later_retry_alone(harness):
    """Its holder slept while the job ended and was opened again."""
    harness.items.settle = fails(1)
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 5))
    items = await claim(harness)
    await harness.service.cancel(ALICE, job.id)
    slow = await claim(harness)
    assert slow.unit.kind == "cancel"
    engine = harness.engine()
    await engine.handlers["items"].run(items)
    await engine.rollup.advance(job.id)
    assert await step(harness) == "seal"
    harness.items.settle = fails()
    await harness.service.retry(ALICE, job.id)
    await engine.handlers["cancel"].run(slow)
    async with harness.worker():
        ended = await harness.finished("user_alice", job)
    assert (ended.state, ended.counts.succeeded) == (JobState.SUCCEEDED, 5)


async def test_a_cancelled_retry_can_be_retried_and_counts_what_the_rows_say(harness):
    hanging = asyncio.Event()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        generation = lease.unit.payload["generation"]
        if generation == 2 and item == 3:
            hanging.set()
            await asyncio.sleep(60)
        return BAD if item in (1, 3) and generation < 3 else GOOD

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 5, media_type="video/mp4")
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        await harness.finished("user_alice", job)
        await harness.service.retry(ALICE, job.id)
        await asyncio.wait_for(hanging.wait(), 60)
        while (await harness.results.get(job.id, 0, 1)).generation < 2:
            await asyncio.sleep(0.01)
        await harness.service.cancel(ALICE, job.id)
        cancelled = await harness.finished("user_alice", job)
        failed = [r for r in await harness.outcomes(job) if r.outcome is BAD]
        await harness.service.retry(ALICE, job.id)
        with suppress(AssertionError):
            await harness.finished("user_alice", job)
    last = await harness.jobs.need(job.id)
    assert (last.state, last.counts.settled) == (JobState.SUCCEEDED, 5)
    assert cancelled.counts.failed == len(failed)


async def test_a_job_with_cancelled_items_has_not_succeeded(harness):
    going = asyncio.Event()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        if item == 0:
            return BAD if lease.unit.payload["generation"] == 1 else GOOD
        going.set()
        await asyncio.sleep(60)
        return GOOD

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 6, media_type="video/mp4")
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        await asyncio.wait_for(going.wait(), 60)
        while await harness.results.get(job.id, 0, 0) is None:
            await asyncio.sleep(0.01)
        working = await harness.listing.list(ALICE, job.id, "running", None, 10)
        assert working.rows
        assert {item.index for item in working.rows} <= {1, 2, 3, 4, 5}
        await harness.service.cancel(ALICE, job.id)
        await harness.finished("user_alice", job)
        await harness.service.retry(ALICE, job.id, "failed")
        again = await harness.finished("user_alice", job)
    listed = await harness.listing.list(ALICE, job.id, None, None, 10)
    assert again.counts.cancelled == 5
    assert "pending" not in [item.state for item in listed.rows]
    assert again.state is not JobState.SUCCEEDED


async def test_who_works_on_a_part_works_on_its_item(harness):
    """While parts of a long video are done its own unit waits; it is one item however many do."""
    files = await harness.add_files("user_alice", 3, media_type="video/mp4")
    job = await harness.submit("user_alice", files)
    now = await harness.store.now()
    while unit := await Scheduler(harness.store, 60_000).claim_next([job.klass], "by hand"):
        assert unit.kind == "items"
        await harness.units.release(unit, now + DAY, "")
    parts = [
        job_unit(
            job, "segment", group=job.id, seq=job.units + n, now=now, klass=klass, items=[], item=1
        )
        for n, klass in enumerate((None, None, "long", "long"))
    ]  # fmt: skip
    await harness.units.insert(parts)
    progress = await harness.service.progress(job)
    assert (progress.running, progress.for_workers, progress.pending) == (0, 1, 3)
    for klass in ("interactive", "interactive", "long"):
        assert (await claim(harness, 5000, klass)).unit.kind == "segment"
    listed = await harness.listing.list(ALICE, job.id, None, None, 10)
    assert [item.state for item in listed.rows] == ["pending", "running", "pending"]
    (working,) = (await harness.listing.list(ALICE, job.id, "running", None, 10)).rows
    assert working.index == 1
    progress = await harness.service.progress(job)
    assert (progress.running, progress.for_workers, progress.pending) == (1, 0, 2)


async def test_a_cancelling_job_says_so_when_its_expansion_ends(harness):
    files = await harness.add_files("user_alice", 100, media_type="video/mp4")
    job = await harness.submit("user_alice", files)
    lease = await claim(harness, klass="bulk")
    finish = lease.finish

    async def cancelled_just_before(*actions, **more):
        await harness.service.cancel(ALICE, job.id)
        await finish(*actions, **more)

    lease.finish = cancelled_just_before
    with suppress(MediamillError):
        await harness.engine().handlers["expand"].run(lease)
    assert (await harness.jobs.need(job.id)).state is JobState.CANCELLING


async def test_units_of_an_expansion_that_gave_up_do_not_run(harness):
    files = await harness.add_files("user_alice", 100, media_type="video/mp4")
    job = await harness.submit("user_alice", files)
    lease = await claim(harness, klass="bulk")
    expand = harness.engine().handlers["expand"]
    items = await expand._next_items(job, lease.unit.payload, lease.unit.created)
    await expand._insert(lease, job, items, lease.unit.payload)
    await expand.give_up(lease, NotFound("a page is gone"))

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        await asyncio.sleep(600)  # until it notices
        return GOOD

    harness.items.settle = settle
    async with harness.worker():
        ended = await harness.finished("user_alice", job)
    assert ended.state is JobState.FAILED
    assert len(harness.items.runs) < 10


# -- claims ----------------------------------------------------------------------------------------


async def test_a_claim_sees_what_the_earlier_claimant_wrote_last(harness):
    """The holder of a lease that ran out wrote between the look at the unit and the claim."""
    files = await harness.add_files("user_alice", 100, media_type="video/mp4")
    job = await harness.submit("user_alice", files)
    first = await claim(harness, lease_ms=1, klass="bulk")
    await asyncio.sleep(0.005)
    expand = harness.engine().handlers["expand"]
    scheduler = Scheduler(harness.store, 60_000)
    take = scheduler._take

    async def late(*arguments):
        items = await expand._next_items(job, first.unit.payload, first.unit.created)
        await expand._insert(first, job, items, first.unit.payload)
        return await take(*arguments)

    scheduler._take = late
    unit = await scheduler.claim_next(["bulk"], "two")
    assert unit is not None
    assert unit.kind == "expand"
    await expand.run(Lease(harness.units, harness.jobs, unit, 60_000))
    items = [i for u in await harness.units.of_group(job.id, limit=1000) for i in u.items]
    assert sorted(items) == list(range(100))


async def test_a_lane_that_was_parked_for_long_does_not_push_all_others_back():
    clock = FixedClock()
    store = MemoryStore(clock)
    units, scheduler = Units(store), Scheduler(store, lease_ms=60_000)

    async def add(owner: str, count: int, delay: int = 0) -> None:
        now = clock.now()
        for _ in range(count):
            add.seq += 1
            unit = Unit(
                group=owner, seq=add.seq, kind="k", owner=owner, klass="housekeeping", created=now
            )
            await units.insert([unit.opened(now + delay)])

    add.seq = 0
    await add("sleeper", 1, DAY)
    await scheduler.tidy("housekeeping")
    await add("busy", 200)
    for _ in range(100):
        assert await scheduler.claim_next(["housekeeping"], "w") is not None
    clock.advance(DAY - 30_000)
    await add("busy", 1)
    clock.advance(30_000)
    await scheduler.tidy("housekeeping")
    await add("sleeper", 60)
    order = [(await scheduler.claim_next(["housekeeping"], "w")).owner for _ in range(40)]
    assert order.count("busy") >= 15


# -- workers ---------------------------------------------------------------------------------------


async def test_an_error_while_giving_up_leaves_the_worker_alive(harness):
    poison: list[str] = []

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        if lease.unit.payload["job"] in poison:
            raise NotFound("the operation was uninstalled")  # and `give_up` raises it again
        return GOOD

    harness.items.settle = settle
    harness.timing.lease = 0.2
    files = await harness.add_files("user_alice", 2)
    async with harness.worker(slots=1):
        bad = await harness.submit("user_alice", files[:1])
        poison.append(bad.id)
        await asyncio.sleep(1.0)
        good = await harness.submit("user_alice", files[1:])
        await harness.finished("user_alice", good)


async def test_a_unit_of_an_unknown_kind_leaves_the_worker_alive(harness):
    harness.timing.lease = 0.2
    now = await harness.store.now()
    newer = Unit(group="x", seq=0, kind="newer", owner="o", klass="interactive", created=now)
    await harness.units.insert([newer.opened(now)])
    async with harness.worker(slots=1):
        await asyncio.sleep(1.0)
        job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
        await harness.finished("user_alice", job)


async def test_a_worker_whose_task_is_cancelled_ends(harness):
    finished = asyncio.Event()

    async def run(lease: Lease) -> None:
        await lease.finish()
        finished.set()
        await asyncio.sleep(60)

    harness.items.run = run
    await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    worker = Worker(harness.engine(), Crew.of(1))
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(finished.wait(), 60)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=30)
    worker.stop()
    await asyncio.wait([task], timeout=30)
    assert done


# -- delete ----------------------------------------------------------------------------------------


async def test_a_retry_that_races_a_purge_leaves_no_work_without_a_job(harness):
    harness.items.settle = fails(0)
    files = await harness.add_files("user_alice", 2)
    job = await harness.submit("user_alice", files)
    while not (await harness.jobs.need(job.id)).state.terminal:
        await step(harness)
    assert await step(harness, "notices") == "notify"
    seen_before = await harness.jobs.need(job.id)
    await harness.trash.delete(ALICE, job.id, now=True)
    purging = await claim(harness, klass="housekeeping")
    handler = harness.engine().handlers["purge_job"]
    rows, load = handler._rows, harness.service.access.load

    async def rows_then_retry(job: Job) -> None:
        await rows(job)

        async def stale(*_: object) -> Job:
            return seen_before

        harness.service.access.load = stale
        with suppress(MediamillError):
            async with asyncio.timeout(30):
                await harness.service.retry(ALICE, job.id)
        harness.service.access.load = load

    handler._rows = rows_then_retry
    await handler.run(purging)
    assert await harness.jobs.get(job.id) is None
    left = await harness.units.of_group(f"{job.id}:expand")
    assert [unit.state for unit in left if unit.state.open] == []


async def test_a_purged_job_leaves_no_unit(harness, monkeypatch):
    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 50)  # its notice may still be in hand
    files = await harness.add_files("user_alice", 2)
    async with harness.worker():
        job = await harness.submit("user_alice", files)
        await harness.finished("user_alice", job)
        await harness.trash.delete(ALICE, job.id, now=True)
        async with asyncio.timeout(60):
            while await harness.jobs.get(job.id) is not None:
                await asyncio.sleep(0.02)
    kinds = ("expand", "next_stage", "seal", "cancel", "notify")
    left = [await harness.units.of_group(f"{job.id}:{kind}") for kind in kinds]
    assert left == [()] * len(kinds)


async def test_a_job_that_ends_while_it_is_deleted_is_deleted(harness):
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    before = await harness.jobs.need(job.id)
    while not (await harness.jobs.need(job.id)).state.terminal:
        await step(harness)
    load = harness.service.access.load

    async def stale(*arguments: object, **_: object) -> Job:
        harness.service.access.load = load
        return before

    harness.service.access.load = stale
    await harness.trash.delete(ALICE, job.id, now=True)
    assert (await harness.jobs.need(job.id)).hidden


async def test_a_deletion_for_good_that_meets_another_is_for_good(harness, monkeypatch):
    """The other hides the job for a day while this one cancels it."""
    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 50)
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 1))
    cancel = harness.service.cancel

    async def meanwhile(*arguments: object) -> Job:
        harness.service.cancel = cancel
        await harness.trash.delete(ALICE, job.id)
        return await cancel(*arguments)

    harness.service.cancel = meanwhile
    await harness.trash.delete(ALICE, job.id, now=True)
    async with harness.worker(), asyncio.timeout(60):
        while await harness.jobs.get(job.id) is not None:
            await asyncio.sleep(0.02)


async def test_results_wait_for_the_jobs_that_read_them(harness):
    """As uploaded files do: deleting hides at once, bytes wait for jobs accepted earlier."""
    files = await harness.add_files("user_alice", 1)
    made = await harness.submit("user_alice", files)
    while not (await harness.jobs.need(made.id)).state.terminal:
        await step(harness)
    assert await step(harness, "notices") == "notify"
    await harness.blobs.put("results/x", b"picture")
    result = (await harness.outcomes(made))[0]
    output = ResultFile(
        name="a.jpg",
        media_type="image/jpeg",
        size=7,
        sha256="0" * 64,
        crc32=0,
        blob="results/x",
    )
    await harness.store.transact(Put(result.evolve(files=(output,))))
    reader = await harness.submit("user_alice", [result.file_id(0)])
    await harness.trash.delete(ALICE, made.id, now=True)
    await step(harness, "housekeeping")
    assert not (await harness.jobs.need(reader.id)).state.terminal
    assert await harness.lookup.get_many([result.file_id(0)]) != [None]


# -- counters --------------------------------------------------------------------------------------


async def test_progress_counts_every_unit_behind_a_slow_one(harness):
    files = await harness.add_files("user_alice", 300, media_type="video/mp4")
    job = await harness.submit("user_alice", files)
    while not (await harness.jobs.need(job.id)).expanded:
        lease = await claim(harness, klass="bulk")
        await harness.engine().handlers[lease.unit.kind].run(lease)
    closing = {"state": UnitState.DONE, "queue": None, "due": None, "succeeded": 1}
    for seq in range(1, 300):
        await harness.store.transact(Update(Unit, (job.id, seq), set=closing))
    await harness.engine().rollup.advance(job.id)
    progress = await harness.service.progress(await harness.jobs.need(job.id))
    assert (progress.succeeded, progress.pending) == (299, 1)


# -- bytes -----------------------------------------------------------------------------------------


class Inspected:
    async def look(self, *_: object) -> Facts:
        return Facts(media_type="image/jpeg", width=1, height=1)


class AnswerLost(MemoryStore):
    """Commits, and then the answer does not arrive."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = error

    async def transact(self, *actions: object) -> None:
        await super().transact(*actions)
        files = (a for a in actions if isinstance(a, Put) and isinstance(a.record, File))
        if self.error is not None and any(files):
            raise self.error


@pytest.mark.parametrize("error", [Unavailable("no answer"), asyncio.CancelledError()])
async def test_a_file_whose_row_may_be_there_keeps_its_bytes(error):
    store, blobs = AnswerLost(error), MemoryBlobs()
    usages = Usages(store)
    rows = FileRows(store, Units(store), usages, InProcessDoorbell(), Announcer(store))
    uploads = Uploads(rows, Validator(blobs, Inspected(), usages, 1000))

    async def chunks():
        yield b"picture"

    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await uploads.receive(ALICE, "a.jpg", chunks(), None)
    index = File.index("file_listed")
    rows = (await store.query(File, index, "user_alice")).rows
    assert len(rows) == 1
    assert await blobs.get(rows[0].blob) == b"picture"


class FakeSlots:
    """Succeeds with whatever can be opened."""

    @asynccontextmanager
    async def acquire(self):
        yield self

    async def run(self, call):
        async for item in call.items:
            yield Started(item.index)
            yield Succeeded(item.index, Outcome())


async def test_an_input_without_bytes_fails_alone(harness, tmp_path: Path):
    files = await harness.add_files("user_alice", 3)
    for file_id in (files[0], files[2]):
        await harness.blobs.put(f"files/{file_id}", b"picture")
    job = await harness.submit("user_alice", files)
    items = Items(
        harness.jobs,
        harness.manifests,
        harness.lookup,
        harness.blobs,
        harness.blobs,
        FakeSlots(),
        OPERATIONS,
        tmp_path,
    )
    harness.items.run, harness.items.give_up = items.run, items.give_up
    async with harness.worker():
        ended = await harness.finished("user_alice", job)
    assert (ended.counts.succeeded, ended.counts.failed) == (2, 1)


class LoopingSlots:
    """Every call ends by the time limit."""

    def __init__(self) -> None:
        self.calls = 0

    @asynccontextmanager
    async def acquire(self):
        yield self

    async def run(self, call):
        self.calls += 1
        raise TimedOut("The item took longer than 3600 seconds.", index=0)
        yield


async def test_a_thumbnail_that_loops_does_not_hold_housekeeping_for_hours(harness, tmp_path: Path):
    file_id = (await harness.add_files("user_alice", 1))[0]
    await harness.blobs.put(f"files/{file_id}", b"picture")
    slots = LoopingSlots()
    engine = harness.engine()
    thumbnail = Thumbnail(harness.files, harness.blobs, slots, tmp_path)
    engine.handlers = {**engine.handlers, "thumbnail": thumbnail}
    now = await harness.store.now()
    unit = Unit(
        group=f"thumbnail:{file_id}",
        seq=0,
        kind="thumbnail",
        owner="user_alice",
        klass="housekeeping",
        payload={"file": file_id},
        created=now,
    )
    await harness.units.insert([unit.opened(now)])
    worker = Worker(engine, Crew.of(1))
    task = asyncio.create_task(worker.run())
    while (await harness.files.get(file_id)).thumbnail is None:
        await asyncio.sleep(0.02)
    worker.stop()
    await task
    assert slots.calls <= 3
