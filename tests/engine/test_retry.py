"""What a retry runs: the failed, the cancelled, or both, and each of them once."""

import asyncio
from collections import Counter

import pytest

from mediamill.core.access import Principal
from mediamill.core.errors import Conflict
from mediamill.engine.lease import Lease
from mediamill.handlers.stages import expand
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.store.repositories.results import ItemOutcome
from tests.engine.harness import Harness

ALICE = Principal("user_alice")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield Harness(store)
    await store.close()


async def cut_short(harness: Harness) -> Job:
    """Run ten items, of which 0 and 1 fail, and cancel the job at item 6."""
    reached = asyncio.Event()

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        if item >= 6:
            reached.set()
            await asyncio.sleep(60)
        return ItemOutcome.FAILED if item < 2 else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    job = await harness.submit("user_alice", await harness.add_files("user_alice", 10))
    async with asyncio.timeout(60):
        await reached.wait()
        while len(await harness.outcomes(job)) < 6:  # until they are durable
            await asyncio.sleep(0.05)
    await harness.service.cancel(ALICE, job.id)
    ended = await harness.finished("user_alice", job)
    assert ended.state is JobState.CANCELLED
    assert ended.counts == Counts(succeeded=4, failed=2, cancelled=4)

    async def good(lease: Lease, item: int) -> ItemOutcome:
        return ItemOutcome.SUCCEEDED

    harness.items.settle = good
    harness.items.runs.clear()
    return ended


@pytest.mark.parametrize(
    ("only", "state", "counts", "ran"),
    [
        ("failed", JobState.PARTIAL, Counts(succeeded=6, cancelled=4), {0, 1}),
        ("cancelled", JobState.PARTIAL, Counts(succeeded=8, failed=2), {6, 7, 8, 9}),
        ("unfinished", JobState.SUCCEEDED, Counts(succeeded=10), {0, 1, 6, 7, 8, 9}),
    ],
)
async def test_which_items_run_again(harness, only, state, counts, ran):
    async with harness.worker():
        job = await cut_short(harness)
        opened = await harness.service.retry(ALICE, job.id, only)
        assert (opened.generation, opened.rerun) == (2, only)
        ended = await harness.finished("user_alice", job)
        assert (ended.state, ended.counts) == (state, counts)
        assert Counter(item for _, item in harness.items.runs) == dict.fromkeys(ran, 1)
        assert all(row.generation == 1 + (row.item in ran) for row in await harness.outcomes(ended))
        if only != "unfinished":
            await harness.service.retry(ALICE, job.id)
            last = await harness.finished("user_alice", job)
            assert (last.state, last.counts) == (JobState.SUCCEEDED, Counts(succeeded=10))
        for nothing in ("failed", "cancelled", "unfinished"):
            with pytest.raises(Conflict, match="has no"):
                await harness.service.retry(ALICE, job.id, nothing)


async def test_what_fails_is_shown_while_only_the_cancelled_run(harness):
    async with harness.worker():
        job = await cut_short(harness)
    await harness.service.retry(ALICE, job.id, "cancelled")
    page = await harness.listing.list(ALICE, job.id, None, None, 10)
    assert [item.state for item in page.rows][:3] == ["failed", "failed", "succeeded"]
    assert {item.state for item in page.rows[6:]} == {"pending"}


async def test_a_retry_of_many_failures_does_not_begin_again(harness, monkeypatch):
    """Of the failed rows each page is read twice at most, whatever came before it."""

    async def settle(lease: Lease, item: int) -> ItemOutcome:
        return ItemOutcome.FAILED if item % 2 else ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    files = await harness.add_files("user_alice", 300, media_type="video/mp4")
    asked: list[object] = []
    look = harness.results.with_outcome

    async def counted(*args, **more):
        asked.append(args[2:])
        return await look(*args, **more)

    async with harness.worker(slots=4):
        job = await harness.submit("user_alice", files)
        await harness.finished("user_alice", job, 60)
        harness.items.settle = lambda lease, item: asyncio.sleep(0, ItemOutcome.SUCCEEDED)
        harness.results.with_outcome = counted
        monkeypatch.setattr(expand, "PAGE_ENTRIES", 15)
        await harness.service.retry(ALICE, job.id)
        ended = await harness.finished("user_alice", job, 60)
    assert ended.counts == Counts(succeeded=300)
    assert 10 <= len(asked) <= 22  # ten pages
    runs = Counter(item for _, item in harness.items.runs)
    assert runs == {item: 1 + item % 2 for item in range(300)}
