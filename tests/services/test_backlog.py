"""What is ready and what is running, against what the scheduler really hands out."""

from dataclasses import astuple

import pytest

from mediamill.core.clock import FixedClock
from mediamill.engine.scheduler import Scheduler
from mediamill.services.jobs import backlog
from mediamill.services.jobs.backlog import Work
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories import backlog as counting
from mediamill.store.repositories.backlog import Backlog, Backlogs
from mediamill.store.repositories.units import Unit, Units

LEASE = 30_000


class Mill:
    def __init__(self):
        self.clock = FixedClock()
        self.store = MemoryStore(self.clock)
        self.units, self.scheduler = Units(self.store), Scheduler(self.store, LEASE)
        self.backlogs = Backlogs(self.store, LEASE)
        self.count = 0

    async def add(self, owner, units, klass="bulk", later=0):
        now = self.clock.now()
        for _ in range(units):
            self.count += 1
            unit = Unit(
                group=f"g{self.count}", seq=0, kind="k", owner=owner, klass=klass, created=now
            )
            await self.units.insert([unit.opened(now + later)])

    async def counts(self, klass="bulk"):
        _, *counted, self.since = astuple(await self.backlogs.of(klass))
        return tuple(counted)


@pytest.fixture
def mill():
    return Mill()


async def test_nothing_is_nothing(mill):
    assert await mill.counts() == (0, 0, False)


async def test_a_unit_is_ready_then_running_then_gone(mill):
    await mill.add("ann", 3)
    await mill.add("ben", 2)
    await mill.add("ben", 1, klass="interactive")
    assert await mill.counts() == (5, 0, False)
    unit = await mill.scheduler.claim_next(["bulk"], "w")
    assert await mill.counts() == (4, 1, False)
    await mill.units.finish(unit)
    assert await mill.counts() == (4, 0, False)
    assert await mill.counts("interactive") == (1, 0, False)


async def test_what_is_due_later_is_not_ready(mill):
    await mill.add("ann", 2, later=60_000)
    await mill.add("ann", 2, later=1_000)  # as after a failure
    assert await mill.counts() == (0, 0, False)
    assert mill.since is None
    soon = mill.clock.now() + 1_000
    mill.clock.advance(1_000)
    assert await mill.counts() == (2, 0, False)
    assert mill.since == soon
    mill.clock.advance(60_000)
    await mill.add("bob", 1)
    assert await mill.counts() == (5, 0, False)
    assert mill.since == soon, "the longest, whoever waits"


async def test_a_parked_lane_counts_what_it_has_running(mill):
    """Nobody wakes it before the lease ends."""
    await mill.add("ann", 1)
    await mill.scheduler.claim_next(["bulk"], "w")
    await mill.scheduler.tidy("bulk")
    assert (await mill.units.lane("bulk", "ann")).active is None
    assert await mill.counts() == (0, 1, False)


async def test_a_parked_lane_counts_when_its_time_has_come_though_no_worker_lives(mill):
    await mill.add("ann", 1, later=5_000)
    await mill.scheduler.tidy("bulk")
    mill.clock.advance(5_001)
    assert await mill.counts() == (1, 0, False)


async def test_a_lost_lease_is_work_again(mill):
    await mill.add("ann", 1)
    await mill.scheduler.claim_next(["bulk"], "w")
    mill.clock.advance(LEASE + 1)
    assert await mill.counts() == (1, 0, False)


async def test_counting_ends_somewhere(mill, monkeypatch):
    monkeypatch.setattr(counting, "MOST_UNITS", 5)
    monkeypatch.setattr(counting, "MOST_LANES", 3)
    await mill.add("ann", 5)
    assert await mill.counts() == (5, 0, False)
    await mill.add("ann", 1)
    assert await mill.counts() == (5, 0, True)
    for owner in "abcd":
        await mill.add(owner, 1, klass="interactive")
    assert await mill.counts("interactive") == (3, 0, True)


async def test_running_units_are_counted_behind_any_number_of_ready_ones(mill, monkeypatch):
    monkeypatch.setattr(counting, "MOST_UNITS", 5)
    await mill.add("ann", 20)
    for _ in range(3):
        await mill.scheduler.claim_next(["bulk"], "w")
    assert await mill.counts() == (5, 3, True)


async def test_one_look_serves_all_who_ask(mill, monkeypatch):
    work = Work(mill.backlogs)
    await mill.add("ann", 1)
    assert Backlog("bulk", ready=1) in await work.look()
    await mill.add("ann", 1)
    assert Backlog("bulk", ready=1) in await work.look()
    monkeypatch.setattr(backlog, "SECONDS", 0)
    assert Backlog("bulk", ready=2) in await work.look()
