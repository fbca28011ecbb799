"""A shift of a function: it ends by itself, keeps to its bounds, and leaves the rest to workers."""

import asyncio
import time
from collections import Counter

import pytest

from mediamill.core.access import Principal
from mediamill.core.errors import StorageFull, Unavailable
from mediamill.engine import bounds as bounding
from mediamill.engine.bounds import Bounds, Need, Verdict
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.shift import NOTIFIER, Shift, crew
from mediamill.engine.worker import Crew
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.units import Unit, UnitState
from tests.engine.harness import Harness

MEGABYTE = 1 << 20
TRIES = 8


class Mill(Harness):
    """A harness in which shifts are worked."""

    def bounds(self, seconds=60.0, margin=0.2, most=300.0, room=(400 * MEGABYTE,) * 2, **more):
        lease_ends = time.monotonic() + seconds - margin
        whole = seconds - 2 * margin
        return Bounds(lease_ends - margin, lease_ends, whole, most, lambda: room, **more)

    async def shift(self, seconds=60.0, who=None, handlers=None, **bounds):
        engine = self.engine()
        engine.handlers = {**engine.handlers, **(handlers or {})}
        shift = Shift(engine, who or crew(1), self.bounds(seconds, **bounds))
        await shift.run()
        return shift

    async def unit(self, job, seq=0):
        return await self.units.get(job.id, seq)

    async def change(self, job, seq=0, **changes):
        await self.store.transact(Update(Unit, (job.id, seq), set=changes))

    async def work_off(self, **more):
        """Work shifts until there is nothing to do."""
        while (await self.shift(**more)).ran:
            pass

    async def cut(self, job, counted, **more):
        """Work shifts until the ends of so many had cut a job's unit; return the unit.

        One that got too little of its time, on a machine that is busy, does not count.
        """
        for _ in range(TRIES):
            await self.shift(seconds=0.8, margin=0.2, **more)
            unit = await self.unit(job)
            if unit.klass == "long" or unit.lost + unit.payload.get(bounding.CUT, 0) >= counted:
                return unit
        raise AssertionError(f"the end of no shift of {TRIES} cut it")


@pytest.fixture
def mill():
    return Mill(MemoryStore())


@pytest.fixture
async def files(mill):
    return await mill.add_files("ann", 4)


class Large:
    """Every unit takes so much of the scratch folder."""

    def __init__(self, size):
        self._size = size

    async def need(self, unit):
        return Need(unit.cost, self._size)


def slow(seconds):
    async def settle(lease, item):
        await asyncio.sleep(seconds)
        return ItemOutcome.SUCCEEDED

    return settle


async def test_it_does_all_there_is_with_what_comes_of_it_and_ends(mill, files):
    job = await mill.submit("ann", files)
    async with asyncio.timeout(60):  # else it waited for its time to be up
        shift = await mill.shift(seconds=3600)
    assert shift.ran == 2, "items and seal"
    assert not shift.left
    ended = await mill.service.get(Principal("ann"), job.id)
    assert ended.state is JobState.SUCCEEDED
    assert (await mill.units.get(f"{job.id}:notify", 1)).state is UnitState.READY
    told = await mill.shift(who=NOTIFIER)
    assert told.ran == 1
    assert (await mill.units.get(f"{job.id}:notify", 1)).state is UnitState.DONE


async def test_an_idle_runner_takes_what_another_brings(mill, monkeypatch):
    """Beside a unit that goes on, work that it brings is not left to wait for its end."""
    over, jobs = asyncio.Event(), []
    photos, more = await mill.add_files("ann", 1), await mill.add_files("ann", 1)

    async def settle(lease, item):
        if lease.unit.payload["job"] == jobs[0].id:
            jobs.append(await mill.submit("ann", more))
            await asyncio.wait_for(over.wait(), 60)
        else:
            over.set()
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    jobs.append(await mill.submit("ann", photos))
    await mill.shift(seconds=120, who=crew(2))
    assert [(await mill.finished("ann", job)).state for job in jobs] == [JobState.SUCCEEDED] * 2


async def test_the_lease_ends_with_the_call_however_often_it_is_kept(mill, files):
    seen = []

    async def settle(lease, item):
        while lease.unit is lease.claimed:  # until it was extended
            await asyncio.sleep(0.01)
        unit = await mill.unit(job)
        seen.append(unit.due)
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    mill.timing.lease = 0.3
    job = await mill.submit("ann", files[:1])
    bounds = mill.bounds(60.0)
    ends = await mill.store.now() + bounds.lease_ms()
    await Shift(mill.engine(), crew(1), bounds).run()
    assert abs(seen[0] - ends) < 5_000, "not until the end of the call"


async def test_what_is_cut_keeps_what_is_done_and_goes_on_elsewhere(mill, files):
    async def settle(lease, item):
        await asyncio.sleep(0 if item < 2 else 600)
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    job = await mill.submit("ann", files)
    for _ in range(TRIES):  # until it was begun in time
        first = await mill.shift(seconds=0.7, margin=0.1, who=Crew((("interactive",),) * 2))
        unit = await mill.unit(job)
        if len(unit.pending()) < 4:
            break
    assert unit.state is UnitState.READY
    assert unit.due <= await mill.store.now()
    assert len(unit.pending()) == 2
    assert first.left == {"interactive"}, "one runner saw it empty, another was cut"
    assert unit.attempts == 0
    mill.items.settle = slow(0)
    await mill.work_off()
    assert Counter(mill.items.runs).most_common(1)[0][1] <= 2
    ended = await mill.finished("ann", job)
    assert (ended.state, ended.counts.succeeded) == (JobState.SUCCEEDED, 4)
    assert len(await mill.outcomes(job)) == 4


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"most": 5.0}, Verdict.TOO_LONG),
        ({"seconds": 8.0}, Verdict.TOO_LONG),
        ({"seconds": 60.0, "room": (9, 9)}, Verdict.TOO_LARGE),
    ],
)
async def test_what_does_not_fit_is_left_to_workers(mill, files, bounds, said):
    job = await mill.submit("ann", files[:1])
    await mill.change(job, cost=10.0)
    shift = await mill.shift(**bounds, measures={"items": Large(10)})
    unit = await mill.unit(job)
    assert (unit.klass, unit.state, unit.error) == ("long", UnitState.READY, said)
    assert mill.items.runs == []
    assert not shift.left, "a function is rung for what it cannot do"
    assert (await mill.units.lane("interactive", "ann")).vtime <= 0.051, "its owner pays for it"
    assert (await mill.shift(**bounds)).ran == 0, "a function takes it again"
    progress = await mill.service.progress(await mill.service.get(Principal("ann"), job.id))
    assert progress.for_workers == 1
    async with mill.worker():
        assert (await mill.finished("ann", job)).state is JobState.SUCCEEDED


async def test_what_needs_more_time_than_is_left_waits_for_the_next_call(mill, files):
    job, late = await mill.submit("ann", files[:1]), await mill.submit("ann", files[1:2])
    await mill.change(late, cost=2.0)
    bounds = mill.bounds()

    async def settle(lease, item):
        bounds.work_ends = time.monotonic() + 1
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    shift = Shift(mill.engine(), crew(1), bounds)
    await shift.run()
    assert [name for name, _ in mill.items.runs] == [job.id]
    unit = await mill.unit(late)
    assert (unit.klass, unit.state, unit.attempts) == ("interactive", UnitState.READY, 0)
    assert shift.left == {"interactive"}
    assert (await mill.units.lane("interactive", "ann")).vtime < 2, "its owner pays for nothing"
    await mill.work_off()
    assert (await mill.finished("ann", late)).state is JobState.SUCCEEDED


async def test_what_others_leave_no_room_for_waits(mill, files, monkeypatch):
    """By its end it is tried by itself; whose room it is that nobody here has, it is counted."""
    monkeypatch.setattr(bounding, "NO_ROOM_MS", 600_000)
    job = await mill.submit("ann", files[:1])
    bounds = {"room": (20, 5), "measures": {"items": Large(10)}}
    await mill.shift(**bounds)
    unit = await mill.unit(job)
    assert (unit.klass, unit.state) == ("interactive", UnitState.READY)
    assert unit.due > await mill.store.now()
    await mill.change(job, due=0)
    await mill.shift(**bounds)
    assert (await mill.unit(job)).klass == "long", "it waits for ever"
    assert (await mill.units.lane("interactive", "ann")).vtime <= 0.051


async def test_room_is_kept_for_what_is_in_hand(mill, files, monkeypatch):
    """Two that fit one by one are not taken at once, however free the folder is yet."""
    monkeypatch.setattr(bounding, "NO_ROOM_MS", 50)
    at_once = set()

    async def settle(lease, item):
        at_once.add(lease.unit.name)
        assert len(at_once) == 1
        await asyncio.sleep(0.2)
        at_once.clear()
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    jobs = [await mill.submit(who, files[:1]) for who in ("ann", "ann")]
    room = (400 * MEGABYTE,) * 2
    await mill.shift(who=crew(2), room=room, measures={"items": Large(300 * MEGABYTE)})
    for job in jobs:
        assert (await mill.finished("ann", job)).counts.succeeded == 1
        assert "cut" not in (await mill.unit(job)).payload


async def test_what_filled_the_folder_beside_others_has_it_alone_next_time(mill, files):
    bounds = mill.bounds(room=(400, 400), measures={"items": Large(100)})
    one = await mill.submit("ann", files[:1])
    await mill.submit("ann", files[:1])
    scheduler = Scheduler(mill.store, 60_000)

    async def claimed():
        unit = await scheduler.claim_next(["interactive"], "function")
        return Lease(mill.units, mill.jobs, unit, 60_000)

    first, second = await claimed(), await claimed()
    assert await bounds.judge(first.unit) is await bounds.judge(second.unit) is Verdict.TAKE
    await bounds.full(first)
    unit = await mill.unit(one)
    assert ("cut" in unit.payload, unit.payload["crowded"]) == (False, True), "it could not help it"
    bounds.end(unit)
    assert await bounds.judge(unit) is Verdict.NO_ROOM, "beside another again"
    bounds.end(second.unit)
    assert await bounds.judge(unit) is Verdict.TAKE
    assert await bounds.judge(second.unit) is Verdict.NO_ROOM
    bounds.end(unit)
    await mill.change(one, due=0)
    again = await claimed()
    await bounds.full(again)
    assert (await mill.unit(one)).payload["cut"] == 1


async def test_what_two_calls_could_not_finish_is_left_to_workers(mill, files):
    mill.items.settle = slow(60)
    job = await mill.submit("ann", files[:1])
    assert (await mill.cut(job, 1)).klass == "interactive"
    unit = await mill.cut(job, 2)
    assert (unit.klass, unit.error) == ("long", Verdict.FRUITLESS)
    mill.items.settle = slow(0)
    async with mill.worker():
        assert (await mill.finished("ann", job)).state is JobState.SUCCEEDED


async def test_a_unit_that_gets_on_is_never_left_to_workers(mill):
    begun = set()

    async def settle(lease, item):
        """Let each call end one item."""
        if lease.unit.fence in begun:
            await asyncio.sleep(600)
        begun.add(lease.unit.fence)
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    job = await mill.submit("ann", await mill.add_files("ann", 4))
    for _ in range(4 + TRIES):
        shift = await mill.shift(seconds=0.55, margin=0.1)
        assert (await mill.unit(job)).klass == "interactive"
        if not shift.ran:
            break
    assert (await mill.finished("ann", job)).counts.succeeded == 4


async def test_a_unit_whose_calls_were_killed_twice_is_left_to_workers(mill, files):
    job = await mill.submit("ann", files[:1])
    for _ in range(2):
        assert await Scheduler(mill.store, 1).claim_next(["interactive"], "killed") is not None
        await asyncio.sleep(0.01)
    await mill.shift()
    unit = await mill.unit(job)
    assert (unit.klass, unit.error, unit.lost) == ("long", Verdict.FRUITLESS, 2)


async def test_a_chore_that_kills_calls_is_left_to_workers_unless_it_lives_for_ever(mill):
    """One that comes again each hour may well lose two leases in its life."""
    done = []

    class Chore:
        async def run(self, lease):
            done.append(lease.unit.kind)
            await lease.finish()

    class Hourly(Chore):
        recurs = True

    handlers = {"fetch": Chore(), "hourly": Hourly()}
    for kind in handlers:
        unit = Unit.chore(kind, kind, 0, "ann", cost=0.1, now=1, due=1).evolve(lost=2)
        await mill.units.insert([unit])
    await mill.shift(handlers=handlers)
    assert done == ["hourly"]
    assert (await mill.units.get("fetch", 0)).klass == "long"


async def test_no_room_twice_leaves_a_unit_to_workers(mill, files, monkeypatch):
    monkeypatch.setattr(bounding, "FULL_MS", 600_000)

    async def settle(lease, item):
        raise StorageFull("No room to copy an input.")

    mill.items.settle = settle
    job = await mill.submit("ann", files[:1])
    await mill.shift()
    unit = await mill.unit(job)
    assert (unit.klass, unit.state) == ("interactive", UnitState.READY)
    assert unit.due > await mill.store.now(), "it is tried again at once"
    await mill.change(job, due=0)
    await mill.shift()
    assert (await mill.unit(job)).klass == "long"


async def test_a_cancelled_job_ends_its_unit(mill, files):
    begun = asyncio.Event()

    async def settle(lease, item):
        begun.set()
        await asyncio.sleep(600)

    mill.items.settle = settle
    job = await mill.submit("ann", files[:1])
    working = asyncio.create_task(mill.shift(seconds=600))
    await asyncio.wait_for(begun.wait(), 60)
    await mill.service.cancel(Principal("ann"), job.id)
    await asyncio.wait_for(working, 60)
    assert (await mill.unit(job)).state is UnitState.CANCELLED
    assert (await mill.finished("ann", job)).state is JobState.CANCELLED


async def test_who_overslept_the_end_of_the_lease_changes_nothing(mill, files):
    """As a call that is frozen in its midst and thaws when another has the unit."""
    begun, held = asyncio.Event(), asyncio.Event()

    async def settle(lease, item):
        if lease.unit.fence == 1:
            begun.set()
            await held.wait()
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    job = await mill.submit("ann", files[:1])
    engine = mill.engine()
    engine.timing = type(mill.timing)(lease=600, poll=0.05)
    frozen = asyncio.create_task(Shift(engine, crew(1), mill.bounds()).run())
    await asyncio.wait_for(begun.wait(), 60)
    await mill.change(job, due=1)  # it sleeps through the rest of its time
    await mill.shift()
    before = await mill.unit(job)
    assert before.state is UnitState.DONE
    held.set()
    await asyncio.wait_for(frozen, 120)
    assert await mill.unit(job) == before
    assert len(await mill.outcomes(job)) == 1


async def test_who_lost_the_lease_hands_nothing_over(mill, files):
    job = await mill.submit("ann", files[:1])
    scheduler = Scheduler(mill.store, 1)
    late = await scheduler.claim_next(["interactive"], "late")
    await asyncio.sleep(0.01)
    assert await Scheduler(mill.store, 60_000).claim_next(["interactive"], "other") is not None
    before = await mill.unit(job)
    lease = Lease(mill.units, mill.jobs, late, 1000)
    with pytest.raises(LeaseLost):
        await mill.bounds().leave(lease, Verdict.TOO_LONG)
    assert await mill.unit(job) == before
    assert await mill.units.lane("long", "ann") is None


async def test_what_is_due_in_a_moment_is_waited_for(mill, files):
    """Clocks of two processes differ, and who was rung is the only one that looks."""
    job = await mill.submit("ann", files[:1])
    await mill.change(job, due=await mill.store.now() + 400)
    await mill.shift()
    assert (await mill.unit(job)).state is UnitState.DONE


async def test_what_is_due_later_is_not(mill, files):
    job = await mill.submit("ann", files[:1])
    await mill.change(job, due=await mill.store.now() + 600_000)
    assert (await mill.shift()).ran == 0
    assert (await mill.unit(job)).state is UnitState.READY


async def test_the_first_unit_of_a_shift_calls_others(mill, files):
    rung = []

    async def settle(lease, item):
        rung.append(await ear.wait(0))
        return ItemOutcome.SUCCEEDED

    mill.items.settle = settle
    await mill.submit("ann", files[:1])
    with mill.bell.listen("work:interactive") as ear:
        await mill.shift()
    assert rung == [True], "only its end, which is too late"


async def test_a_store_that_is_away_is_told_at_the_end(mill, files):
    shift = Shift(mill.engine(), crew(1), mill.bounds())

    async def away(*_):
        raise Unavailable("away")

    shift.engine.scheduler.claim_next = away
    with pytest.raises(Unavailable):
        await shift.run()


async def test_long_units_do_not_wait_for_the_end_of_bulk(mill):
    """Nobody but workers takes them, while functions take the rest."""
    many, one = await mill.add_files("ann", 40), await mill.add_files("bob", 1)
    job = await mill.submit("bob", one, klass="bulk")
    unit = await Scheduler(mill.store, 60_000).claim_next(["bulk"], "function")
    await mill.bounds().leave(Lease(mill.units, mill.jobs, unit, 60_000), Verdict.TOO_LONG)
    for file in many:
        await mill.submit("ann", [file], klass="bulk")
    mill.items.settle = slow(0.05)
    async with mill.worker(slots=1):
        await mill.finished("bob", job)
    assert len(mill.items.runs) < 30
