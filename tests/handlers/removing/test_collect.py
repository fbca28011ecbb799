"""Collecting removes what nobody can name any more, and nothing else."""

from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import FixedClock
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.removing.collect import GRACE_MS, Collect
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.feedback import Feedback
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job, Jobs, JobState
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile
from mediamill.store.repositories.units import Unit, Units, UnitState


def blob_file(blob: str) -> ResultFile:
    return ResultFile(name="x", media_type="image/jpeg", size=1, sha256="", crc32=0, blob=blob)


async def test_only_orphans_past_their_grace_period_go():
    clock = FixedClock(10 * GRACE_MS)
    store, blobs = MemoryStore(clock), MemoryBlobs(clock=clock)
    file = File(
        id="f1", owner="o", name="n", media_type="t", size=1, sha256="", crc32=0,
        blob="files/f1", created=1,
    )  # fmt: skip
    job = Job(
        id="j1", owner="o", steps=(), klass="bulk", created=1, state=JobState.SUCCEEDED,
        layout="layouts/j1/1-1-layout",
    )  # fmt: skip
    unit = Unit(
        group="j1", seq=0, kind="items", owner="o", klass="bulk", created=1, fence=2,
        state=UnitState.DONE, payload={"stage": 0},
    )  # fmt: skip
    running = unit.evolve(seq=1, state=UnitState.LEASED, fence=3)
    result = Result(
        job="j1", stage=0, item=0, generation=1, outcome=ItemOutcome.SUCCEEDED, input="f1",
        name="n", created=1, files=(blob_file("results/j1/0-2-0-0"),),
    )  # fmt: skip
    said = Feedback(id="s1", user="o", text="x", files=("f1",), copies=1, created=1)
    copying = said.evolve(id="s2", copies=None)
    rows = (file, job, unit, running, result, said, copying)
    await store.transact(*(Put(record) for record in rows))
    kept = {
        "files/f1",
        "results/j1/0-2-0-0",  # named by its result
        "results/j1/1-3-5-0",  # its claim may still name it
        "layouts/j1/1-1-layout",
        "layouts/j1/1-1-manifest",
        "feedback/s1/1",
        "feedback/s2/1",  # they are being made
    }
    orphans = {
        "files/f2",
        "thumbnails/f2",
        "manifests/j2/0-0",
        "results/j1/0-1-0-0",  # an earlier claim's
        "results/j1/1-2-5-0",
        "results/j2/0-1-0-0",
        "layouts/j1/1-0-layout",
        "feedback/s1/2",
        "feedback/s3/1",
    }
    for key in kept | orphans:
        await blobs.put(key, b"x")
    collect = Collect(store, (blobs,), clock)
    assert await collect.collect(blobs) == 0
    clock.advance(GRACE_MS + 1)
    assert await collect.collect(blobs) == len(orphans)
    assert {blob.key async for blob in blobs.list("")} == kept


async def test_a_worker_whose_clock_is_ahead_removes_nothing_young():
    """What was just written is an orphan until its row is."""
    store = MemoryStore(FixedClock(10 * GRACE_MS))
    blobs = MemoryBlobs(clock=FixedClock(10 * GRACE_MS))
    collect = Collect(store, (blobs,), FixedClock(20 * GRACE_MS))
    await blobs.put("files/f1", b"x")
    await Units(store).begin_once("collect", "system", 0)
    unit = await Scheduler(store, 1000).claim_next(["housekeeping"], "one")
    assert unit is not None
    await collect.run(Lease(Units(store), Jobs(store), unit, 1000))
    assert [blob.key async for blob in blobs.list("")] == ["files/f1"]
