"""DynamoDB's indexes are late: what listings show then, and that nothing is decided wrongly."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
from tests.contracts.store_contract import DUE, KINDS, Thing, orders, put, thing
from tests.engine.harness import Harness
from tests.support.late_indexes import LateIndexes, make_late
from tests.support.mailing import mailed_of
from tests.support.places import Servers

from mediamill.core.access import Principal
from mediamill.core.clock import SECOND, FixedClock
from mediamill.core.errors import NotFound, Unavailable
from mediamill.core.ids import new_id
from mediamill.engine.announcing import Announcer
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import PATIENCE_MS, Scheduler
from mediamill.handlers.removing.purge import PurgeFile, PurgeJob
from mediamill.services.accounts.tokens import ApiTokens
from mediamill.services.jobs.outputs import Outputs
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.opening import open_store
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.daily import Dailies
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Entry, Job, JobState
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.units import Unit, Units, UnitState

BEHIND = 2 * SECOND


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(
    servers: Servers, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DynamoStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = f"dynamodb://{new_id('late')}?region=eu-west-1&endpoint={servers.dynamodb}"
    store = await open_store(url, KINDS, clock)
    yield store
    await store.close()


@pytest.fixture
def late(store: DynamoStore, clock: FixedClock) -> LateIndexes:
    return make_late(store, clock.now, BEHIND)


async def test_a_listing_shows_nothing_that_is_gone_or_elsewhere(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    await put(store, *(thing(n, due=n) for n in range(6)))
    assert await orders(store, DUE, "o") == []
    clock.advance(BEHIND)
    assert await orders(store, DUE, "o", limit=2) == [*range(6)]
    await store.transact(
        Delete(Thing, ("g", 0)),
        Update(Thing, ("g", 1), set={"due": 100}),
        Update(Thing, ("g", 2), set={"text": "new"}),
    )
    late._seen = lambda *_: [versions[0][1] for versions in late.written.values()]  # all as it was
    assert await orders(store, DUE, "o", limit=2) == [2, 3, 4, 5]
    assert (await store.query(Thing, DUE, "o", limit=1)).rows[0].text == "new"
    assert await orders(store, DUE, "o", limit=2, descending=True) == [5, 4, 3, 2]


# -- lanes ------------------------------------------------------------------------------------


def unit(owner: str = "user_ann", due: int = 0, seq: int = 0) -> Unit:
    return Unit.chore("count", f"count:{owner}", seq, owner, cost=1.0, now=0, due=due)


async def looked_at(scheduler: Scheduler, clock: FixedClock, seconds: int) -> None:
    for _ in range(seconds):
        await scheduler.tidy("housekeeping")
        clock.advance(SECOND)


async def test_work_that_is_not_listed_yet_is_not_forgotten(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    late.behind, late.only = 30 * SECOND, frozenset({"units"})
    scheduler = Scheduler(store, 30_000)
    await Units(store).insert([unit(due=clock.now())])
    await looked_at(scheduler, clock, 20)
    late.behind = 0
    await looked_at(scheduler, clock, 20)
    assert await scheduler.claim_next(["housekeeping"], "a") is not None


async def test_new_work_is_claimed_as_soon_as_it_is_listed(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    late.only = frozenset({"units"})
    scheduler = Scheduler(store, 30_000)
    await Units(store).insert([unit(due=clock.now())])
    await looked_at(scheduler, clock, BEHIND // SECOND)
    assert await scheduler.claim_next(["housekeeping"], "a") is not None


async def test_a_unit_in_hands_keeps_its_lane(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    """The claim moves the unit in the index: for a moment it is nowhere, at each extension too."""
    late.only = frozenset({"units"})
    scheduler, units = Scheduler(store, 30_000), Units(store)
    await units.insert([unit(due=clock.now())])
    clock.advance(BEHIND)
    claimed = await scheduler.claim_next(["housekeeping"], "a")
    assert claimed is not None
    for _ in range(6):
        await looked_at(scheduler, clock, 10)
        await units.write(claimed, due=clock.now() + 30_000)
    await looked_at(scheduler, clock, 100)  # the holder is dead
    again = await scheduler.claim_next(["housekeeping"], "b")
    assert again is not None
    assert again.fence == claimed.fence + 1


async def test_a_quiet_lane_is_looked_at_less_and_less_and_switched_off_at_last(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    scheduler, units = Scheduler(store, 30_000), Units(store)
    await units.insert([unit(due=clock.now())])
    clock.advance(BEHIND)
    claimed = await scheduler.claim_next(["housekeeping"], "a")
    assert claimed is not None
    await units.finish(claimed)
    looks = 0
    for _ in range(200):
        lane = await store.get(Lane, "housekeeping", "user_ann")
        if lane.active is None and lane.parked is None:
            break
        clock.advance(max(SECOND, (lane.wake or 0) - clock.now()))
        await scheduler.tidy("housekeeping")
        looks += 1
    else:
        pytest.fail("never switched off")
    assert PATIENCE_MS // SECOND < looks < 120
    await units.insert([unit(due=clock.now(), seq=1)])
    clock.advance(BEHIND)
    assert await scheduler.claim_next(["housekeeping"], "a") is not None


# -- what is decided by a listing -------------------------------------------------------------


async def leased(store: DynamoStore, unit: Unit) -> Lease:
    mine = unit.evolve(state=UnitState.LEASED, fence=1)
    await store.transact(Put(mine))
    harness = Harness(store)
    return Lease(harness.units, harness.jobs, mine, 30_000)


async def test_a_purge_waits_until_it_would_see_every_job(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    harness = Harness(store)
    (file_id,) = await harness.add_files("user_ann", 1)
    await harness.blobs.put(f"files/{file_id}", b"0123456789")
    await harness.submit("user_ann", [file_id])
    clock.advance(1)
    gone = {"state": FileState.TRASHED, "trashed": clock.now(), "doomed": 1, "listed": None}
    await store.transact(Update(File, (file_id,), set=gone))
    chore = Unit.chore(
        "purge_file", f"purge:{file_id}", 1, "user_ann", cost=0.1, now=0, due=0, file=file_id
    )
    for wait in (0, 10, BEHIND, store.lag):
        clock.advance(wait)
        await PurgeFile(store, harness.files, harness.jobs, harness.blobs, Announcer(store)).run(
            await leased(store, chore)
        )
        assert await harness.blobs.get(f"files/{file_id}")


async def test_a_purged_job_leaves_nothing_that_was_written_at_its_end(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    from mediamill.store.repositories.reuse import Reuse

    harness, now = Harness(store), clock.now()
    job = ended_job(now).evolve(deleted=now, trash="user_ann", listed=None)
    row = Reuse(owner="user_ann", digest="d", job=job.id, stage=0, item=0)
    await store.transact(Put(job), Put(row))
    chore = Unit.chore(
        "purge_job", f"purge:{job.id}", 1, "user_ann",
        cost=0.1, now=now, due=now, purge=job.id, deleted=now,
    )  # fmt: skip
    purge = PurgeJob(store, harness.jobs, harness.results, harness.units, harness.blobs)
    await purge.run(await leased(store, chore))
    assert await store.get(Job, job.id) is not None
    clock.advance(store.lag)
    chore = await store.get(Unit, *chore.key_values())
    await purge.run(await leased(store, chore))
    assert await store.get(Job, job.id) is None
    assert await store.get(Reuse, "user_ann", "d") is None


async def test_what_was_made_a_moment_ago_is_counted_and_taken_along(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    harness = Harness(store)
    (file_id,) = await harness.add_files("user_ann", 1)
    hidden = clock.now()
    gone = {"state": FileState.TRASHED, "trashed": hidden, "expired": hidden, "doomed": 1}
    await store.transact(Update(File, (file_id,), set=gone))
    clock.advance(store.lag)  # a job that was accepted before ends only now
    job = ended_job(clock.now())
    made = Result(
        job=job.id, stage=0, item=0, generation=1, outcome=ItemOutcome.SUCCEEDED, input=file_id,
        root=file_id, name="a", created=clock.now(),
    )  # fmt: skip
    await store.transact(Put(job), Put(made))
    unit = Unit.chore(
        "expire_file", f"purge:{file_id}", 1, "user_ann", cost=0.1, now=0, due=0, file=file_id
    )
    purge = PurgeFile(store, harness.files, harness.jobs, harness.blobs, Announcer(store))
    for wait in (0, 10, store.lag, store.lag):  # for jobs, then for what they made at their end
        assert (await harness.files.get(file_id)).counted is None
        clock.advance(wait)
        await purge.run(await leased(store, unit))
        unit = await store.get(Unit, *unit.key_values())
    assert (await harness.files.get(file_id)).counted
    page = await Dailies(store).of_owner("user_ann", "0", "9", None, 10)
    assert [(row.files, row.items) for row in page.rows] == [(1, 1)]
    assert await store.get(Unit, f"expire_job:{job.id}", 0) is not None


def ended_job(now: int, **fields: object) -> Job:
    return Job(
        id=new_id("job"), owner="user_ann", listed="user_ann", steps=(), klass="bulk", created=now,
        finished=now, state=JobState.PARTIAL, **fields,
    )  # fmt: skip


def outcome(job: Job, stage: int, item: int, file: str, outcome: ItemOutcome) -> Result:
    return Result(
        job=job.id, stage=stage, item=item, generation=1, outcome=outcome, input=file, name=file,
        error="it failed", created=1,
    )  # fmt: skip


async def test_what_failed_is_retried_at_once(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    harness = Harness(store)
    files = await harness.add_files("user_ann", 5)
    job = ended_job(clock.now(), items=5, rerun="failed").evolve(generation=2, finished=None)
    entries = [Entry(file, file) for file in files]
    good, bad = ItemOutcome.SUCCEEDED, ItemOutcome.FAILED
    rows = [outcome(job, 0, n, files[n], bad if n % 2 else good) for n in range(4)]
    await store.transact(
        Put(job), await harness.manifests.page(job.id, 0, 0, entries), *map(Put, rows)
    )
    expand = harness.engine().handlers["expand"]
    for _ in range(2):
        found = await expand._next_items(job, {"only": "failed"}, clock.now())
        assert [item for item, _ in found] == [1, 3]  # not 4, which never ran
        clock.advance(store.lag)


async def test_outputs_and_failures_of_a_job_that_ended_just_now(
    store: DynamoStore, late: LateIndexes, clock: FixedClock
):
    harness = Harness(store)
    job = ended_job(clock.now(), items=2, stages=2).evolve(stage=1)
    first = outcome(job, 0, 0, "file_a", ItemOutcome.SUCCEEDED)
    made = first.file_id(0)
    rows = [
        outcome(job, 0, 1, "file_b", ItemOutcome.FAILED),
        outcome(job, 1, 0, made, ItemOutcome.SUCCEEDED),
    ]
    await store.transact(
        Put(job), Put(first.evolve(files=(result_file(),))), *map(Put, rows),
        await harness.manifests.page(job.id, 0, 0, [Entry(f, f) for f in ("file_a", "file_b")]),
        await harness.manifests.page(job.id, 1, 0, [Entry(made, made)]),
    )  # fmt: skip
    outputs = Outputs(harness.service.access, harness.manifests, harness.results, harness.blobs)
    for _ in range(2):
        assert [row.stage for row in await outputs._rows(job, "file_a")] == [1]
        assert [row.outcome for row in await outputs._rows(job, "file_b")] == [ItemOutcome.FAILED]
        failed = [row async for row in harness.results.failed_before(job.id, 1, job.finished)]
        assert [row.input for row in failed] == ["file_b"]
        clock.advance(store.lag)


def result_file():
    from mediamill.store.repositories.results import ResultFile

    return ResultFile(name="a", media_type="image/png", size=1, sha256="", crc32=0, blob="b")


async def test_a_new_token_is_revoked(store: DynamoStore, late: LateIndexes):
    tokens = ApiTokens(mailed_of(store, FixedClock()))
    ann = Principal("user_ann", session=True)
    issued = await tokens.issue(ann, "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mediamill.services.accounts.sessions.BETWEEN_LOOKS", 0.001)
        with pytest.raises(Unavailable, match="new"):
            await tokens.revoke(ann, issued.token.id)
    other = await tokens.issue(ann, "shown")
    shows = Principal(ann.user, token=other.token.id)
    await tokens.sessions.remove(await tokens.sessions.shown(shows, other.secret))
    assert await tokens.sessions.find(other.secret) is None, "what is shown need not be listed"
    late.behind = 0
    await tokens.revoke(ann, issued.token.id)
    with pytest.raises(NotFound):
        await tokens.revoke(ann, "token_00000000000000000000000000")


# -- all together -----------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_jobs_end_and_go_whatever_the_indexes_lag(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
):
    """Half a second to five seconds, for about two minutes: 20 jobs, each retried and purged."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = f"dynamodb://{new_id('late')}?region=eu-west-1&lag=6&endpoint={servers.dynamodb}"
    store, drawn = await open_store(url), random.Random(5)
    late = make_late(store, lambda: time.monotonic() * 1000, 500)
    harness, tries = Harness(store, lease=5), dict[tuple[str, int], int]()
    harness.timing.poll = 0.3

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        late.behind = drawn.uniform(500, 5000)
        place = lease.unit.payload["job"], item
        tries[place] = tries.get(place, 0) + 1
        again = item % 3 or tries[place] > 1
        return ItemOutcome.SUCCEEDED if again else ItemOutcome.FAILED

    harness.items.settle = settle
    async with harness.worker():
        await asyncio.gather(*(one_life(harness, f"user_{n}") for n in range(20)))
    await store.close()
    assert set(tries.values()) == {1, 2}


async def one_life(harness: Harness, owner: str) -> None:
    """Run a job, retry what failed at once, delete it, and wait until it is gone."""
    who, files = Principal(owner), await harness.add_files(owner, 9)
    job = await harness.submit(owner, files)
    ended = await harness.finished(owner, job, 120)
    assert (ended.state, ended.counts.failed) == (JobState.PARTIAL, 3)
    await harness.service.retry(who, job.id, "failed")
    ended = await harness.finished(owner, job, 120)
    assert (ended.state, ended.counts.succeeded) == (JobState.SUCCEEDED, 9)
    assert [r.outcome for r in await harness.outcomes(ended)] == [ItemOutcome.SUCCEEDED] * 9
    await harness.trash.delete(who, job.id, now=True)
    async with asyncio.timeout(120):
        while await harness.jobs.get(job.id) is not None:
            await asyncio.sleep(0.5)
    assert not (await harness.results.of_stage(job.id, 0)).rows
