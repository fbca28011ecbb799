"""Places in line, against the order in which the scheduler really serves."""

import asyncio

import pytest

from mediamill.core.clock import FixedClock
from mediamill.core.errors import Unavailable
from mediamill.engine.scheduler import Scheduler
from mediamill.services.jobs.queue import Place, Queue
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put, Update
from mediamill.store.repositories.jobs import Job, Jobs, JobState, Step
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.workers import WorkerRow, Workers


class Line:
    """Jobs of one unit each in a store."""

    def __init__(self):
        self.clock = FixedClock()
        self.store = MemoryStore(self.clock)
        self.jobs, self.units = Jobs(self.store), Units(self.store)
        self.workers = Workers(self.store)
        self.count = 0

    async def add(self, owner, cost=1.0, klass="bulk", **fields):
        self.count += 1
        self.clock.advance(1)
        now = self.clock.now()
        job = Job(
            id=f"job_{self.count:04}", owner=owner, listed=owner, active=owner, open="open",
            state=JobState.RUNNING, steps=(Step(operation="thumbnail"),), klass=klass, items=1,
            cost=cost, created=now,
        ).evolve(**fields)  # fmt: skip
        unit = Unit(
            group=job.id, seq=0, kind="items", owner=owner, klass=klass, cost=cost, created=now,
            payload={"job": job.id, "items": [0]},
        ).opened(now)  # fmt: skip
        await self.units.insert([unit], Put(job))
        return job

    async def place(self, job, klass="bulk", *, functions=False):
        queue = Queue(self.jobs, self.units, self.workers, functions)
        return await queue.place(job, self.clock.now(), klass)

    async def order(self):
        """Claim everything; return the jobs in the order in which they began."""
        scheduler, order = Scheduler(self.store, 60_000), []
        while unit := await scheduler.claim_next(["bulk"], "w"):
            order.append(unit.group)
        return order


@pytest.fixture
def line():
    return Line()


async def test_own_jobs_go_first_come_first_served(line):
    jobs = [await line.add("ann") for _ in range(5)]
    await line.add("ann", klass="interactive")
    assert [(await line.place(job)).ahead for job in jobs] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "owners",
    ["aaaaaaaab", "aaabbbccc", "abcabcabc", "aaaaaabbbc", "baaaaaaaaaaaa"],
)
async def test_places_are_the_order_of_the_scheduler(line, owners):
    jobs = [await line.add(owner, cost=1 + n % 3) for n, owner in enumerate(owners)]
    told = {job.id: (await line.place(job)).ahead for job in jobs}
    served = await line.order()
    for place, job in enumerate(served):  # those of equal virtual time may come either way round
        assert abs(told[job] - place) <= len(set(owners)) - 1, (told, served)
    first = next(job for job in jobs if job.owner == owners[-1])
    assert told[first.id] <= len(set(owners)) - 1 or owners[-1] == "a"


async def test_a_million_jobs_of_another_cost_a_few_reads(line, monkeypatch):
    for _ in range(150):
        await line.add("ann")
    mine = await line.add("bob")
    last = await line.add("ann")
    rows, query = [], line.store.query

    async def counted(*arguments, **options):
        page = await query(*arguments, **options)
        rows.extend(page.rows)
        return page

    monkeypatch.setattr(line.store, "query", counted)
    assert (await line.place(mine)).ahead <= 1
    assert await line.place(last) == Place(101, capped=True)
    assert len(rows) < 300


async def test_time_left_from_what_runs_now(line):
    running = await line.add("ann", cost=100)
    waiting = await line.add("ann", cost=40)
    assert (await line.place(waiting)).seconds_left is None
    began = line.clock.now()
    line.clock.advance(10_000)
    changes = {"started": began, "spent": 20.0}  # two seconds of work a second
    await line.store.transact(Update(Job, (running.id,), set=changes))
    assert (await line.place(waiting)).seconds_left == (80 + 40) / 2


async def test_time_left_from_what_ran_before(line):
    now = line.clock.now()
    for n, seconds in enumerate((10, 20, 40)):
        ended = {"state": JobState.SUCCEEDED, "active": None, "open": None}
        times = {"started": now - seconds * 1000, "finished": now + n}
        done = await line.add("ann", cost=40, **ended, **times)
        await line.store.transact(
            Update(Unit, (done.id, 0), set={"queue": None, "due": None, "state": "done"})
        )
    waiting = await line.add("ann", cost=30)
    assert (await line.place(waiting)).seconds_left == 15
    line.clock.advance(3_600_001)
    assert (await line.place(waiting)).seconds_left is None
    assert await line.units.lane("bulk", "ann") == await line.store.get(Lane, "bulk", "ann")


async def test_who_looks_at_one_time_shares_the_reads(line, monkeypatch):
    """A hundred clients that watch a hundred waiting jobs read each once, not a hundred times."""
    jobs = [await line.add("ann") for _ in range(30)]
    queue, now, asked = Queue(line.jobs, line.units, line.workers), line.clock.now(), []
    query = line.store.query
    monkeypatch.setattr(line.store, "query", lambda *a, **k: asked.append(a[0]) or query(*a, **k))
    asking = [queue.place(job, now, "bulk") for job in jobs for _ in range(5)]
    places = await asyncio.gather(*asking)
    assert [place.ahead for place in places[::5]] == list(range(30))
    assert asked.count(Job) <= 3
    await line.add("ann")
    later = await line.add("ann")
    assert (await queue.place(later, now + 2_000, "bulk")).ahead == 31


async def test_a_look_that_failed_is_not_kept(line, monkeypatch):
    job = await line.add("ann")
    queue, unfinished = Queue(line.jobs, line.units, line.workers), line.jobs.unfinished

    async def away(*given, **how):
        raise Unavailable("The database is away.")

    monkeypatch.setattr(line.jobs, "unfinished", away)
    with pytest.raises(Unavailable):
        await queue.place(job, line.clock.now(), "bulk")
    monkeypatch.setattr(line.jobs, "unfinished", unfinished)
    assert (await queue.place(job, line.clock.now(), "bulk")).ahead == 0


async def test_it_is_told_that_no_worker_takes_anything(line):
    """Where none was ever seen, functions may do it; one that drains or is lost does nothing."""
    job, now = await line.add("ann"), line.clock.now()
    assert not (await line.place(job)).deserted
    worker = WorkerRow(
        id="worker_1", name="one", host="here", pid=1, version="1", classes=("bulk",), stays=True,
        started=now, seen=now, until=now + 60_000,
    )  # fmt: skip
    await line.workers.add(worker)
    assert not (await line.place(job)).deserted
    await line.workers.want("worker_1", drain=True)
    assert (await line.place(job)).deserted
    assert not (await line.place(job, "model")).deserted, "others take what asks models"
    assert not (await line.place(job, functions=True)).deserted, "they are told nowhere"
    await line.workers.want("worker_1", drain=False)
    line.clock.advance(61_000)
    assert (await line.place(job)).deserted
