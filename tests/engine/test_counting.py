"""Whatever write a process dies at, before or after it, what was done counts once in figures."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from mediamill.core.clock import DAY, FixedClock
from mediamill.core.errors import ConditionFailed
from mediamill.engine.flush import Flush
from mediamill.engine.sweeping import CLASSES, Sweep
from mediamill.engine.tallying import MOST_KINDS, Known, Tallying, facts_of, together
from mediamill.engine.tending import Tending
from mediamill.services.uploads import recording
from mediamill.services.uploads.recording import FileRows
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Delete, Update
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import COUNTED, About, Figure, Figures
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Job, Step
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.units import Unit, UnitState
from tests.engine.harness import Harness, PlainItems
from tests.support.recounting import figures

OWNER = "user_ann"
NOW = 1_795_000_000_000


class Died(BaseException):
    """The process is gone."""


class Mortal(MemoryStore):
    """A store whose process dies at a write: before it, or after it."""

    left = 0
    """How many writes there are until then; 0 for ever."""
    after = dead = False

    async def transact(self, *actions):
        self.left -= 1
        self.dead = self.dead or (self.left == 0 and not self.after)
        if self.dead:
            raise Died
        await super().transact(*actions)
        if self.left == 0:
            self.dead = True
            raise Died


class Tallied(PlainItems):
    """Settles items, and knows what they are."""

    async def run(self, lease):
        unit, job = lease.unit, lease.unit.payload["job"]
        entries = await self.manifests.at(job, 0, unit.pending())
        tallying = Tallying(["thumbnail"])
        for item, entry in entries.items():
            file = await self.jobs.store.get(File, entry.file)
            tallying.inputs[item] = Known.of(file, entry)
        async with Flush(lease, tallying=tallying) as flush:
            for item, entry in entries.items():
                outcome = await self.settle(lease, item)
                await flush.add(
                    Result(
                        job=job, stage=0, item=item, generation=unit.payload["generation"],
                        outcome=outcome, input=entry.file, name=entry.name, created=1,
                        seconds=0.2, error="no" if outcome is ItemOutcome.FAILED else "",
                    )
                )  # fmt: skip
                await flush.settle()


async def fail_the_second(lease, item) -> ItemOutcome:
    return ItemOutcome.FAILED if item == 1 else ItemOutcome.SUCCEEDED


def a_file(n: int, **more) -> File:
    return File(
        id=f"file_{n}", owner=OWNER, listed=OWNER, name=f"{n}.jpg", media_type="image/jpeg",
        size=10 + n, sha256="0" * 64, crc32=0, width=100, height=100, blob=f"files/{n}",
        created=NOW, thumbnail="", charged=10 + n,
    ).evolve(**more)  # fmt: skip


async def history(dies_at: int, *, after: bool = False) -> tuple[bool, Counter]:
    """Take files in, run a job, remove a file; tell whether it died on the way, and what counts."""
    clock = FixedClock(NOW)
    store = Mortal(clock)
    harness = Harness(store)
    harness.items = Tallied(harness.jobs, harness.manifests, fail_the_second)
    rows = FileRows(store, harness.units, harness.usages, harness.bell, harness.announcer)
    files = [a_file(n) for n in range(3)]

    async def upload() -> None:
        for file in files:
            if await store.get(File, file.id) is None:
                await rows.insert(file)

    job: Job | None = None

    async def work() -> None:
        async def ended() -> bool:
            return job is not None and (await harness.jobs.need(job.id)).state.terminal

        await work_until(harness, clock, ended)

    async def remove() -> None:
        async def gone() -> bool:
            return await store.get(File, files[2].id) is None

        await work_until(harness, clock, gone)

    store.left, store.after = dies_at, after
    died = await survived(store, clock, upload)
    left, store.left = store.left, 0
    job = await harness.submit(OWNER, [file.id for file in files])
    store.left = max(left, 0)
    died |= await survived(store, clock, work)
    left, store.left = store.left, 0
    purge = Unit.chore(
        "purge_file", f"purge:{files[2].id}", 1, OWNER, cost=0.1, now=NOW, due=NOW, file=files[2].id
    )
    await harness.units.insert([purge], Update(File, (files[2].id,), set={"doomed": 1}))
    store.left = max(left, 0)
    died |= await survived(store, clock, remove)
    counts = Counter()
    for place, counted in (await figures(store)).items():
        counts.update({(place[1], place[-1], name): n for name, n in counted.items() if n})
    return died, counts


async def work_until(
    harness: Harness, clock: FixedClock, done: Callable[[], Awaitable[bool]]
) -> None:
    """Do what there is to do until something is so."""
    tending = Tending(harness.engine())
    while not await done():
        while unit := await tending.engine.scheduler.claim_next(CLASSES, "w"):
            await tending.run(unit)
        clock.advance(5_000)
        await Sweep(tending).once()


async def survived(store: Mortal, clock: FixedClock, act) -> bool:
    """Do something, again where the process died at it; tell whether it did."""
    try:
        await act()
    except Died:
        store.dead = False
        clock.advance(60_000)  # leases run out
        await act()
        return True
    return False


async def test_each_fact_counts_once_whatever_write_it_dies_at():
    _, expected = await history(0)
    assert expected[About.FILES, "received", "count"] == 3
    assert expected[About.FILES, "received", "bytes"] == 33
    assert expected[About.ITEMS, "succeeded", "count"] == 2
    assert expected[About.ITEMS, "failed", "bytes"] == 11
    assert expected[About.JOBS, "partial", "count"] == 1
    assert expected[About.REMOVED, "deleted", "bytes"] == 12
    deaths = 0
    for after in (False, True):
        write, died = 0, True
        while died:
            write += 1
            died, counted = await history(write, after=after)
            assert stripped(counted) == stripped(expected), (write, after)
            deaths += died
    assert deaths > 20


def stripped(counted: Counter) -> Counter:
    """Leave out how long jobs took: it is longer where they were interrupted."""
    return Counter({k: n for k, n in counted.items() if k[0] is not About.JOBS or k[2] == "count"})


async def test_a_file_that_comes_in_the_background_counts_when_it_is_ready_or_refused():
    store = MemoryStore(FixedClock(NOW))
    harness = Harness(store)
    rows = FileRows(store, harness.units, harness.usages, harness.bell, harness.announcer)
    receiving = [a_file(n, state=FileState.RECEIVING, sha256="", charged=0) for n in range(2)]
    for file in receiving:
        await rows.insert(file)
        assert await rows.change(file, {"state": FileState.CHECKING})
    assert await figures(store) == {}
    good, bad = (file.evolve(state=FileState.CHECKING) for file in receiving)
    ready = {"state": FileState.READY, "media_type": "image/webp", "size": 99, "charged": 99}
    assert await rows.change(good, ready)
    assert not await rows.change(good, ready), "who comes late counts nothing"
    assert await rows.change(bad, {"state": FileState.REJECTED, "code": "broken_media"})
    counted = {place[-1]: counts for place, counts in (await figures(store)).items()}
    assert counted == {
        "received": {"count": 1, "bytes": 99}, "rejected": {"count": 1, "bytes": 11},
    }  # fmt: skip


# -- units ----------------------------------------------------------------------------------------


def a_job() -> Job:
    return Job(
        id="job_a", owner=OWNER, steps=(Step(operation="resize"), Step(operation="flip")),
        klass="bulk", created=NOW,
    )  # fmt: skip


def a_unit(seq: int, **more) -> Unit:
    return Unit(
        group="job_a", seq=seq, kind="items", owner=OWNER, klass="bulk", created=NOW,
        finished=NOW, state=UnitState.DONE, payload={"items": [1, 2, 3]},
    ).evolve(**more)  # fmt: skip


def told(facts) -> dict:
    return {(fact.status, fact.operation, fact.media_type): fact.counts["count"] for fact in facts}


def test_what_an_older_program_did_and_what_was_cancelled_counts_too():
    older = a_unit(0, succeeded=2, failed=1)
    assert told(facts_of(a_job(), older)) == {
        ("succeeded", "resize+flip", ""): 2, ("failed", "resize+flip", ""): 1,
    }  # fmt: skip
    tally = {"flip|upload|image/png|measured": (1, 9, 0, 0, 1, 5)}
    cut = a_unit(0, state=UnitState.CANCELLED, succeeded=1, tally=tally)
    assert told(facts_of(a_job(), cut)) == {
        ("measured", "flip", "image/png"): 1, ("cancelled", "resize+flip", ""): 2,
    }  # fmt: skip


def test_a_unit_tells_only_so_many_kinds_apart():
    inputs = {n: Known("upload", f"image/x-{n}", 10) for n in range(MOST_KINDS + 5)}
    results = [
        Result(job="job_a", stage=0, item=n, generation=1, outcome=ItemOutcome.SUCCEEDED,
               input="", name="", created=0) for n in inputs
    ]  # fmt: skip
    tally = Tallying(["flip"], inputs=inputs).added({}, results)
    assert len(tally) == MOST_KINDS + 1
    assert tally["flip|other|other|succeeded"][0] == 5
    units = [a_unit(n, tally=tally, succeeded=len(inputs)) for n in range(3)]
    other = {f"b|{kind}": counts for kind, counts in tally.items()}
    more = [a_unit(3, tally={k.replace("flip|", ""): c for k, c in other.items()})]
    assert len(together(a_job(), units)[0]) == 3, "they add to the same rows"
    assert len(together(a_job(), [*units, *more])[0]) == 3, "these are too many rows together"


def test_only_what_ran_is_timed():
    took = {ItemOutcome.SUCCEEDED: (0.2, 0.0), ItemOutcome.FAILED: (4.0, 0.0)}
    results = [
        Result(job="job_a", stage=0, item=0, generation=1, outcome=outcome, input="", name="",
               created=0, seconds=seconds) for outcome, both in took.items() for seconds in both
    ]  # fmt: skip
    tally = Tallying(["flip"], inputs={0: Known("upload", "image/png", 10)}).added({}, results)
    (good, bad) = (
        dict(zip(COUNTED[About.ITEMS], counts, strict=True)) for counts in tally.values()
    )
    assert (good["count"], good["timed"], good["milliseconds"]) == (2, 1, 200)
    assert (bad["count"], bad["timed"], bad["under_3s"], bad["under_10s"]) == (2, 1, 0, 1)


# -- rows -----------------------------------------------------------------------------------------


async def test_rows_of_slots_are_folded_into_one():
    clock = FixedClock(NOW)
    store = MemoryStore(clock)
    store.contenders = 4
    for n in range(40):
        file = a_file(n, media_type="image/png" if n % 2 else "image/jpeg")
        counting = await Figures(store).counting(OWNER, recording.facts([file]))
        await store.transact(*counting)
    day = day_of(NOW)
    before, rows = await figures(store), [row async for row in Figures(store).walk(day, day)]
    assert 2 < len(rows) <= 8, "they are spread"
    gone = await Figures(store).fold(day, day)
    assert gone == len(rows) - 2
    assert await figures(store) == before
    assert await Figures(store).fold(day, day) == 0


async def test_a_file_of_days_ago_that_comes_as_its_day_is_folded_counts():
    """Its row of figures is there when it is counted, and gone when that is written."""
    clock = FixedClock(NOW)
    store = MemoryStore(clock)
    harness = Harness(store)
    rows = FileRows(store, harness.units, harness.usages, harness.bell, harness.announcer)
    receiving = a_file(1, state=FileState.RECEIVING, sha256="", charged=0)
    await rows.insert(receiving)
    clock.advance(4 * DAY)
    inner = store.transact

    async def folded_first(*actions):
        for one in actions:
            if isinstance(one, Update) and one.kind is Figure:
                store.transact = inner
                await inner(Delete(Figure, one.key))
        await inner(*actions)

    store.transact = folded_first
    assert await rows.change(receiving, {"state": FileState.READY})
    (counts,) = (await figures(store)).values()
    assert counts["count"] == 1


async def test_folding_leaves_what_is_counted_just_then():
    store = MemoryStore(FixedClock(NOW))
    store.contenders = 2
    figures_ = Figures(store)
    while len(rows := [row async for row in figures_.walk("2025-01-01", "2029-12-31")]) < 2:
        await store.transact(*await figures_.counting(OWNER, recording.facts([a_file(1)])))
    inner, counted = store.transact, await figures(store)

    async def overtaken(*actions):
        if any(isinstance(one, Delete) for one in actions):
            store.transact = inner
            await inner(*await figures_.counting(OWNER, recording.facts([a_file(1)])))
            late = Update(Figure, rows[1].key_values(), add={"count": 1, "turn": 1})
            await inner(late)
        await inner(*actions)

    store.transact = overtaken
    assert await figures_.fold("2025-01-01", "2029-12-31") == 0
    (place,) = counted
    assert (await figures(store))[place]["count"] == counted[place]["count"] + 2


async def test_a_row_that_is_remembered_and_gone_is_put_again():
    """The database was set back beneath the process; what is gone each time is given up."""
    store = MemoryStore(FixedClock(NOW))
    harness = Harness(store)
    rows = FileRows(store, harness.units, harness.usages, harness.bell, harness.announcer)
    await rows.insert(a_file(1))
    (row,) = [row async for row in rows.figures.walk("2026-01-01", "2027-01-01")]
    await store.transact(Delete(Figure, row.key_values()))
    await rows.insert(a_file(2))
    (row,) = [row async for row in rows.figures.walk("2026-01-01", "2027-01-01")]
    assert row.count == 1

    transact, tries = store.transact, []

    async def losing(*actions):
        if any(isinstance(one, Update) and one.kind is Figure for one in actions):
            tries.append(actions)
            with suppress(ConditionFailed):
                await transact(Delete(Figure, row.key_values()))
        await transact(*actions)

    store.transact = losing
    with pytest.raises(ConditionFailed):
        await rows.insert(a_file(3))
    assert len(tries) == recording.ROUNDS


async def test_a_job_is_summed_when_rows_that_are_remembered_are_gone():
    clock = FixedClock(NOW)
    store = Mortal(clock)
    harness = Harness(store)
    harness.items = Tallied(harness.jobs, harness.manifests, fail_the_second)
    rows = FileRows(store, harness.units, harness.usages, harness.bell, harness.announcer)
    await rows.insert(a_file(1))
    engine = harness.engine()
    harness.engine = lambda: engine
    for _ in range(2):
        async for row in rows.figures.walk("2026-01-01", "2027-01-01"):
            await store.transact(Delete(Figure, row.key_values()))
        job = await harness.submit(OWNER, ["file_1"])

        async def ended(id_: str = job.id) -> bool:
            return (await harness.jobs.need(id_)).state.terminal

        store.left = 200
        await work_until(harness, clock, ended)
        store.left = 0
    counted = await figures(store, About.ITEMS)
    assert [counts["count"] for counts in counted.values()] == [1]
