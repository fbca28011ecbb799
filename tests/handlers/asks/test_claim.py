"""Claims that end while rows of their calls are written: no call is lost from the books."""

import asyncio
from contextlib import suppress

import pytest

from mediamill.core.errors import Unavailable
from mediamill.engine.lease import Lease
from mediamill.store.port import Put
from mediamill.store.repositories.attempts import Attempt, AttemptState
from mediamill.store.repositories.jobs import Counts
from tests.handlers.asks.test_asks import PRICE, asking, ledger, set_up, texts
from tests.handlers.conftest import Works

__all__ = ["asking"]

MEMORY = {"blobs_url": "memory:", "store_url": "memory:"}
ENDS = (AttemptState.ANSWERED, AttemptState.DECLINED, AttemptState.UNKNOWN)
NO, YES = f'address = "echo:m?fault=declined*"\n{PRICE}', f'address = "echo:m?say=yes"\n{PRICE}'
PROVIDERS = set_up("no", "yes", no=NO, yes=YES)
GOOD, BAD = Counts(succeeded=3), Counts(failed=3)


def states(actions) -> set[AttemptState]:
    return {
        one.record.state for one in actions
        if isinstance(one, Put) and isinstance(one.record, Attempt)
    }  # fmt: skip


async def checked(works: Works, job) -> None:
    """See to it that the books say what the rows say, and that all is over."""
    rows, spending = await ledger(works, job), works.app.repositories.spending
    await works.app.handlers()["close_purses"].sweep(young_ms=0)
    assert not [purse async for purse in spending.purses(job.id)]
    assert {row.state for row in rows} <= {*ENDS}
    cost = sum(row.cost for row in rows)
    assert await spending.taken(job.id) == cost
    assert sum(row.cost for row in await spending.all_of(job.id)) == cost
    assert sum(row.calls for row in await spending.all_of(job.id)) == len(rows)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("state", ["asked", "declined", "journaled", "answered"])
async def test_a_store_that_fails_once_under_calls(asking, monkeypatch, state, written):
    works = await asking(PROVIDERS, **MEMORY)
    usual, failed = Lease.write, []

    async def write(self, *actions, **more):
        if failed or AttemptState(state) not in states(actions):
            return await usual(self, *actions, **more)
        failed.append(True)
        if written:
            await usual(self, *actions, **more)
        raise Unavailable("The store is away.")

    monkeypatch.setattr(Lease, "write", write)
    job = await works.run(await texts(works, "a", "b", "c"), "say", budget=1)
    assert (job.counts, failed) == (GOOD, [True])
    await checked(works, job)


@pytest.mark.parametrize(
    ("providers", "state", "counts"),
    [
        *((PROVIDERS, state, GOOD) for state in ("asked", "declined", "journaled", "answered")),
        (set_up("no", no=NO), "declined", BAD),
    ],
    ids=["asked", "declined", "journaled", "answered", "the last end"],
)
async def test_a_worker_is_stopped_while_rows_are_written(
    asking, monkeypatch, providers, state, counts
):
    works = await asking(providers, **MEMORY)
    usual, begun, go = Lease.write, asyncio.Event(), asyncio.Event()

    async def write(self, *actions, **more):
        if AttemptState(state) in states(actions):
            begun.set()
            await go.wait()
        return await usual(self, *actions, **more)

    monkeypatch.setattr(Lease, "write", write)
    job = await works.submit(await texts(works, "a", "b", "c"), "say", budget=1)
    await begun.wait()
    stopped = works.worker.task
    stopped.cancel()
    await asyncio.wait([stopped], timeout=0.05)  # the cancellation comes first
    go.set()
    with suppress(asyncio.CancelledError):
        await stopped
    await works.worker.resume()
    job = await works.ended(job)
    assert job.counts == counts
    await checked(works, job)
