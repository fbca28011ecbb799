"""The history check itself: it passes over what is right, and names each thing that is wrong."""

import asyncio
import copy
import subprocess
import sys
from pathlib import Path

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.repositories.usage import Usage
from mediamill.store.schema import all_kinds
from mediamill.web.app import create_app
from tests.faults import checks
from tests.faults.history import History
from tests.faults.test_deletion_races import until_quiet
from tests.faults.test_poison import Misbehaving
from tests.media_factory import clip
from tests.support.chains import CHAINED
from tests.support.places import EMBEDDED, EVERYWHERE, cases
from tests.web.test_files import person

ROOT = Path(__file__).parents[2]
_, *ELSEWHERE = EVERYWHERE


@pytest.fixture
async def past(tmp_path):
    """A service that has done two jobs, one of them in two steps and retried; and its history."""
    settings = Settings(home=tmp_path / "home", slots=1, poll_seconds=0.1, min_free_bytes=0)
    history = History(log=tmp_path / "client.jsonl")
    async with (
        await App.open(settings, Misbehaving()) as app,
        person(app, create_app(app), "ann") as ann,
    ):
        worker = await app.worker()
        task = asyncio.create_task(worker.run())
        texts = (b"good 1", b"good 2", b"broken 3")
        files = [await history.upload(ann.client, f"{n}.txt", t) for n, t in enumerate(texts)]
        copied = await history.submit(ann.client, files, "copy")
        told = await history.submit(ann.client, files, "told")
        for job in (copied, told):
            await ann.client.get(f"/v1/jobs/{job}?wait=20")
        await ann.client.post(f"/v1/jobs/{told}/retry")
        answer = await ann.client.get(f"/v1/jobs/{told}?wait=20")
        assert answer.json()["state"] == "partial"
        await until_quiet(app)
        worker.stop()
        await task
    return settings, history


async def first(app, table, **wanted):
    return next(
        row
        for row in checks.table(app, table)
        if all(getattr(row, name) == value for name, value in wanted.items())
    )


async def lose_a_result(app, history):
    row = await first(app, Result, job=history.jobs[0])
    await app.store.transact(Delete(Result, row.key_values()))


async def swap_a_result(app, history):
    """As a stale commit would: under a fence that the unit never had."""
    row = await first(app, Result, job=history.jobs[0])
    file = row.files[0]
    head, _, name = file.blob.rpartition("/")
    seq, fence, rest = name.split("-", 2)
    other = f"{head}/{seq}-{int(fence) + 1}-{rest}"
    await app.results.put(other, await app.results.get(file.blob))
    changed = type(file)(**{n: getattr(file, n) for n in file.__struct_fields__} | {"blob": other})
    await app.store.transact(Put(row.evolve(files=(changed,))))


async def count_wrongly(app, history):
    counts = Counts(succeeded=2, failed=1)
    await app.store.transact(Update(Job, (history.jobs[0],), set={"counts": counts}))


async def forget_an_end(app, history):
    await app.store.transact(Update(Job, (history.jobs[0],), set={"state": JobState.RUNNING}))


async def announce_twice(app, history):
    row = await first(app, Unit, group=f"{history.jobs[1]}:notify", seq=2)
    await app.store.transact(Put(row.evolve(seq=3)))


async def leave_a_unit_open(app, history):
    row = await first(app, Unit, group=history.jobs[0])
    change = {"state": UnitState.READY, "queue": f"{row.klass}|{row.owner}", "due": 1}
    await app.store.transact(Update(Unit, row.key_values(), set=change))


async def close_a_unit_early(app, history):
    row = await first(app, Unit, group=history.jobs[0], kind="items")
    await app.store.transact(Update(Unit, row.key_values(), set={"done": b"\1"}))


async def lose_a_lane(app, history):
    await leave_a_unit_open(app, history)
    for lane in checks.table(app, Lane):
        await app.store.transact(Delete(Lane, lane.key_values()))


async def change_bytes(app, history):
    row = await first(app, File, id=next(iter(history.uploads)))
    await app.blobs.put(row.blob, b"good 9")


async def lose_bytes(app, history):
    row = await first(app, Result, job=history.jobs[0])
    await app.results.delete(row.files[0].blob)


async def keep_the_deleted(app, history):
    history.note(deleted=history.jobs[0])


async def lose_a_job(app, history):
    await app.store.transact(Delete(Job, (history.jobs[0],)))


async def charge_wrongly(app, history):
    row = await first(app, File, id=next(iter(history.uploads)))
    await app.store.transact(Update(File, (row.id,), add={"charged": 1}))


async def count_bytes_wrongly(app, history):
    owner = (await first(app, File)).owner
    await app.store.transact(Update(Usage, (owner,), add={"bytes": 1}))


async def charge_results_wrongly(app, history):
    """Row and sum agree, and are not what is there."""
    job = await first(app, Job, id=history.jobs[0])
    await app.store.transact(
        Update(Job, (job.id,), add={"charged": 1}),
        Update(Usage, (job.owner,), add={"bytes": 1, "results": 1}),
    )


async def lose_an_upload(app, history):
    row = await first(app, File, id=next(iter(history.uploads)))
    await app.blobs.delete(row.blob)


async def lose_a_unit(app, history):
    row = await first(app, Unit, group=history.jobs[0])
    await app.store.transact(Delete(Unit, row.key_values()))


async def leave_a_unit_unsummed(app, history):
    await app.store.transact(Update(Job, (history.jobs[0],), add={"watermark": -1}))


async def mix_up_the_inputs(app, history):
    one, other = list(history.uploads)[:2]
    row = await first(app, Result, job=history.jobs[0], input=one)
    await app.store.transact(Update(Result, row.key_values(), set={"input": other}))


async def mix_up_the_zips(app, history):
    """One job's download lists what another has made."""
    one, other = [await app.repositories.jobs.need(job) for job in history.jobs[:2]]
    await app.results.put(one.layout, await app.results.get(other.layout))


async def lose_a_zip(app, history):
    job = await app.repositories.jobs.need(history.jobs[0])
    await app.results.delete(job.layout)


async def tell_another_digest(app, history):
    row = await first(app, Result, job=history.jobs[0])
    file = row.files[0]
    fields = {n: getattr(file, n) for n in file.__struct_fields__} | {"sha256": "0" * 64}
    await app.store.transact(Put(row.evolve(files=(type(file)(**fields),))))


async def leave_an_orphan(app, history):
    """Where the collector does not look."""
    await app.blobs.put("elsewhere/x", b"x")


class Kept:
    """A copy of all rows and bytes of a service, to be put back."""

    async def take(self, app: App) -> None:
        self.rows = {kind: checks.table(app, kind) for kind in all_kinds()}
        self.bytes = {b.key: await app.blobs.get(b.key) async for b in app.blobs.list("")}

    async def put_back(self, app: App) -> None:
        for kind, before in self.rows.items():
            keys = {row.key_values() for row in before}
            new = [row for row in checks.table(app, kind) if row.key_values() not in keys]
            for some in batched([*map(Put, before), *(Delete(kind, r.key_values()) for r in new)]):
                await app.store.transact(*some)
        async for blob in app.blobs.list(""):
            if blob.key not in self.bytes:
                await app.blobs.delete(blob.key)
        for key, data in self.bytes.items():
            await app.blobs.put(key, data)


def batched(actions, size=50):
    return [actions[n : n + size] for n in range(0, len(actions), size)]


MORE = (lose_an_upload, lose_a_unit, leave_a_unit_unsummed, mix_up_the_inputs, mix_up_the_zips,
        lose_a_zip, tell_another_digest, leave_an_orphan)  # fmt: skip
MOST = (lose_a_result, swap_a_result, count_wrongly, forget_an_end, announce_twice,
          leave_a_unit_open, close_a_unit_early, lose_a_lane, change_bytes, lose_bytes,
          keep_the_deleted, lose_a_job, charge_wrongly, count_bytes_wrongly,
          charge_results_wrongly)  # fmt: skip


FAULTS = {"most": MOST, "all": MOST + MORE}


@cases("faults", [(EMBEDDED, "most")], [(place, "all") for place in EVERYWHERE])
async def test_what_is_wrong_is_named(past, faults):
    settings, history = past
    unnoticed, kept = [], Kept()
    async with await App.open(settings) as app:
        await kept.take(app)
        for fault in FAULTS[faults]:
            told = copy.deepcopy(history)
            await fault(app, told)
            if not await told.check_home(settings):
                unnoticed.append(fault.__name__)
            await kept.put_back(app)
        assert unnoticed == []
        assert await history.check_home(settings) == []


@cases("", [(EMBEDDED,)], [(place,) for place in ELSEWHERE])
async def test_what_is_right_passes_and_orphans_are_collected(past):
    settings, history = past
    orphans = ("files/file_0", f"results/{history.jobs[0]}/0-0-0-0", "thumbnails/file_0")
    async with await App.open(settings) as app:
        for key in orphans:
            await app.blobs.put(key, b"x")
        assert await history.check_home(settings) == []
        assert [blob.key async for blob in app.blobs.list("") if blob.key in orphans] == []
        history.log.write_text(history.log.read_text() + '{"upload": "file_cut')
        assert History.read(history.log).jobs == history.jobs
        good = await asyncio.to_thread(program, settings.home, history.log)
        assert good == (0, "3 uploads, 2 jobs, 0 deletions: 0 broken")
        await change_bytes(app, history)
        bad = await asyncio.to_thread(program, settings.home, history.log)
        assert bad == (1, "3 uploads, 2 jobs, 0 deletions: 1 broken")


async def test_parts_stages_members_and_reuse_pass(tmp_path):
    settings = Settings(
        home=tmp_path / "home", slots=2, poll_seconds=0.1, min_free_bytes=0, segment_seconds=1
    )
    history = History()
    frames = [{"operation": "extract-frames", "parameters": {"every": 0.5}}]
    chain = [*frames, {"operation": "copied"}]
    async with await App.open(settings, CHAINED) as app, person(app, create_app(app), "ann") as ann:
        worker = await app.worker()
        task = asyncio.create_task(worker.run())
        video = await asyncio.to_thread(clip, tmp_path / "clip.mp4", "-g", "30", seconds=5)
        file = await history.upload(ann.client, "clip.mp4", video.read_bytes())
        for steps in (frames, frames, chain):
            job = await history.submit_steps(ann.client, [file], steps)
            await ann.client.get(f"/v1/jobs/{job}?wait=60")
        results = (await ann.client.get(f"/v1/jobs/{history.jobs[0]}/results")).json()["data"]
        body = {"archive": results[0]["files"][0]["id"], "steps": chain[1:]}
        answer = await ann.client.post("/v1/jobs", json=body)
        history.note(job=answer.raise_for_status().json()["id"])
        ended = await ann.client.get(f"/v1/jobs/{history.jobs[-1]}?wait=60")
        assert ended.json()["counts"]["reused"] == 10, ended.text
        await until_quiet(app)
        assert {"segment", "items", "gather", "next_stage"} <= {
            unit.kind for unit in checks.table(app, Unit)
        }
        assert any(result.outcome == "reused" for result in checks.table(app, Result))
        assert await history.check(ann.client, settings) == []
        worker.stop()
        await task


def program(home, log):
    """Run the check as a program; return how it ended and its last line."""
    command = [sys.executable, "-m", "tests.faults.history", "--home", home, "--log", log]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode, done.stdout.splitlines()[-1]
