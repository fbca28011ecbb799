"""A worker is seen, and drains when its row says so: it finishes what it has and takes no more."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from mediamill.core.errors import ConfigurationError, Conflict, Unavailable
from mediamill.engine.presence import Presence
from mediamill.engine.worker import Crew, Worker
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.workers import Workers, WorkerState
from tests.engine.harness import Harness

USER = "user_alice"


@pytest.fixture
def harness():
    return Harness(MemoryStore())


class Seen:
    """A worker that can be seen, which says quickly what it does."""

    def __init__(self, harness: Harness, *, stays: bool = False) -> None:
        self.workers = Workers(harness.store)
        self.presence = Presence(self.workers, lease=0.03, stays=stays)
        self.worker = Worker(harness.engine(), Crew.of(1), self.presence)
        self.task = asyncio.create_task(self.worker.run())

    async def row(self):
        rows = await self.workers.known(0)
        return rows[0] if rows else None

    async def until(self, state: WorkerState):
        """Wait until the row says so."""
        while (row := await self.row()) is None or row.state is not state:
            await asyncio.sleep(0.005)
        return row

    async def want(self, *, drain: bool):
        return await self.workers.want((await self.row()).id, drain=drain)


@asynccontextmanager
async def seen(harness: Harness, *, stays: bool = False):
    one = Seen(harness, stays=stays)
    try:
        async with asyncio.timeout(60):
            await one.until(WorkerState.RUNNING)
            yield one
    finally:
        one.worker.stop()
        await one.task


def held(harness: Harness) -> tuple[asyncio.Event, asyncio.Event]:
    """Let items wait; return what is set once one has begun, and what lets them end."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def settle(lease, item) -> ItemOutcome:
        begun.set()
        await go.wait()
        return ItemOutcome.SUCCEEDED

    harness.items.settle = settle
    return begun, go


class Versions(MemoryStore):
    """A store that asks for newer programs after a while."""

    newer = False

    async def require_current(self) -> None:
        if self.newer:
            raise ConfigurationError("Install the newer mediamill.", setting="MEDIAMILL_STORE_URL")


async def test_it_drains_once_the_store_asks_for_newer_programs():
    store = Versions()
    async with seen(Harness(store)) as one:
        store.newer, one.presence._asked = True, 0
        await one.until(WorkerState.DRAINED)
        await one.task
        assert (await one.row()).drain


async def test_it_finishes_what_it_has_takes_nothing_new_and_ends(harness):
    begun, go = held(harness)
    async with seen(harness) as one:
        first = await harness.submit(USER, await harness.add_files(USER, 1))
        await begun.wait()
        await one.want(drain=True)
        row = await one.until(WorkerState.DRAINING)
        assert row.running == 1
        second = await harness.submit(USER, await harness.add_files(USER, 1))
        await harness.bell.ring("work:interactive")
        go.set()
        await one.task
        assert (await one.row()).state is WorkerState.DRAINED
        assert {job for job, _ in harness.items.runs} == {first.id}
        assert [u.state for u in await harness.units.of_group(first.id) if u.kind == "items"] == [
            "done"
        ]
        with pytest.raises(Conflict, match="has drained and ended"):
            await one.want(drain=False)
    async with harness.worker():
        for job in (first, second):
            assert (await harness.finished(USER, job)).state == "succeeded"


async def test_what_comes_while_it_is_drained_waits_until_it_takes_some_again(harness):
    async with seen(harness, stays=True) as one:
        await one.want(drain=True)
        await one.until(WorkerState.DRAINED)
        job = await harness.submit(USER, await harness.add_files(USER, 1))
        for _ in range(300):
            await asyncio.sleep(0)
        assert not (await harness.jobs.need(job.id)).state.terminal
        assert not one.task.done()
        await one.want(drain=False)
        assert (await harness.finished(USER, job)).state == "succeeded"
        await one.until(WorkerState.RUNNING)


async def test_that_it_has_drained_cannot_be_said_once_it_is_to_go_on(harness):
    presence = Presence(Workers(harness.store), lease=3)
    row = await presence.tell("name", ("bulk",), WorkerState.RUNNING, 0)
    await presence.workers.want(row.id, drain=True)
    row = await presence.tell("name", ("bulk",), WorkerState.RUNNING, 0)
    assert (row.drain, row.over) == (True, False)
    await presence.workers.want(row.id, drain=False)
    row = await presence.tell("name", ("bulk",), WorkerState.DRAINED, 0)
    assert (row.drain, row.over) == (False, False)


async def test_a_worker_that_ends_by_itself_leaves_no_row(harness):
    async with seen(harness, stays=True) as one:
        await one.want(drain=True)
        await one.until(WorkerState.DRAINED)
    assert await one.row() is None


async def test_a_row_that_vanished_is_begun_again(harness):
    async with seen(harness) as one:
        old = await one.row()
        await one.workers.remove(old.id)
        assert (await one.until(WorkerState.RUNNING)).id == old.id


async def test_a_store_that_is_away_does_not_end_a_worker(harness, monkeypatch):
    async with seen(harness) as one:
        beat, away = one.workers.beat, asyncio.Event()

        async def failing(row):
            away.set()
            raise Unavailable("The store is away.")

        monkeypatch.setattr(one.workers, "beat", failing)
        await away.wait()
        monkeypatch.setattr(one.workers, "beat", beat)
        await one.want(drain=True)
        await one.until(WorkerState.DRAINED)
