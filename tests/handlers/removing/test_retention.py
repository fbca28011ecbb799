"""What is due goes with all that was made of it, is counted once, and takes nothing else along."""

import asyncio
import io
import json
import zipfile
from contextlib import suppress

import httpx
import numpy as np
import pytest

from mediamill.app import App
from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    InvalidInput,
    NotFound,
    Unavailable,
)  # fmt: skip
from mediamill.core.settings import Settings
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.handlers.removing import purge
from mediamill.handlers.removing.expire_job import ExpireJob
from mediamill.handlers.removing.purge import PurgeJob
from mediamill.handlers.removing.trimming import Listed
from mediamill.media.image.codecs.encode import encode
from mediamill.services.jobs.requests import Requests
from mediamill.store.port import Put, Update
from mediamill.store.repositories.daily import Dailies, Fate
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Counts, Job, JobState, ManifestPage, Manifests
from mediamill.store.repositories.projects import Project, member
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.retention import Aging, Origin
from mediamill.store.repositories.reuse import Reuse
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.versions import Version
from mediamill.store.repositories.webhooks import Delivery
from tests.faults import charges
from tests.handlers.conftest import ANN, BOB, Beside, Works
from tests.support.ageing import (
    age,
    all_blobs,
    daily,
    gone,
    hurry,
    pace,
    records,
    settled,
    sweep,
    traces,
)  # fmt: skip
from tests.support.chains import CHAINED, TELLS
from tests.support.places import EMBEDDED, EVERYWHERE, cases


def png(n: int) -> bytes:
    return encode(np.random.default_rng(n).integers(0, 255, (24, 24, 3), np.uint8), "png")


MEMORY = pytest.mark.parametrize("works", ["memory"], indirect=True)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture
async def works(tmp_path, request):
    """The same as others have, whose worker looks more often."""
    memory = getattr(request, "param", "file") == "memory"
    more = {"blobs_url": "memory:", "store_url": "memory:"} if memory else {}
    home = tmp_path / "home"
    settings = Settings(
        home=home, prompt_chain=TELLS, slots=1, min_free_bytes=0, poll_seconds=pace(), **more
    )
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        await beside.resume()
        yield Works(app, beside)
        await beside.pause()


async def known(works: Works, *files: str) -> list[str]:
    """Return by what traces of some files would be known: their ids, names, digests and bytes."""
    told: list[str] = []
    for file in await works.app.repositories.files.get_many(files):
        told += [file.id, file.name.removesuffix(".png"), file.sha256]
    for row in await records(works.app, Result):
        if row.root in files:
            told += [f"{row.file_id(0)[:-1]}", *(file.sha256 for file in row.files)]
    return told


async def download(works: Works, job: Job) -> dict[str, bytes]:
    content = await works.app.downloads.job(ANN, job.id)
    data = b"".join([chunk async for chunk in content.read(0, content.size)])
    assert len(data) == content.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_all_that_was_made_of_it_goes_and_nothing_else(works: Works):
    app = works.app
    due = [await works.upload(f"gonzo-{n}.png", png(n)) for n in range(3)]
    kept = await works.upload("kept.png", png(9))
    one = await works.run([*due, kept], "twice", "tell")  # two stages
    two = await works.run([due[0], kept], "flip")
    again = await works.run([due[0], kept], "flip")  # taken over
    assert again.counts.reused == 2
    made = [row.file_id(0) for row in await works.rows(one, stage=0)]
    of_results = await works.run([made[0], made[3]], "copied")
    alone = await works.run([due[1]], "copied")
    project = await app.projects.create(ANN, "set")
    await app.projects.add(ANN, project.id, [due[0], kept, made[0], made[3]])
    await app.labels.edit(ANN, due[0], tags=["tagged"])
    told = Delivery(webhook="hook_1", event="evt_1", owner=ANN.user, type="file.created", created=1,
                    about=due[0], body="gonzo-0")  # fmt: skip
    await app.store.transact(Put(told), Put(told.evolve(event="evt_2", about=kept, body="")))
    await settled(app)
    (unit, *_) = await app.repositories.units.of_group(one.id)  # as of a part of a long video
    part = {**unit.payload, "made": "gonzo-0", "stage": 0, "item": 0}
    old = Version.of(await app.store.get(File, due[0]), unit.created).evolve(blob="files/old")
    await app.store.transact(Update(Unit, unit.key_values(), set={"payload": part}), Put(old))
    await app.blobs.put(old.blob, b"gonzo-0 with another member")
    await app.results.put(f"results/{one.id}/0-0-0-0", b"gonzo-0 by a claim that was overtaken")
    before = {job.id: await download(works, job) for job in (one, two, again, of_results)}
    needles = await known(works, *due)
    assert len(await traces(app, needles)) > 30
    results_before = await records(app, Result)

    await age(app, *due)
    assert await sweep(app) == 3
    await gone(app, *due)
    await settled(app)

    assert await traces(app, needles) == []
    assert charges.usage(app) == []
    reuse = [(row.job, row.stage, row.item) for row in await records(app, Reuse)]
    assert {(row := await app.store.get(Result, *key)) and row.root for key in reuse} == {kept}
    assert await app.store.get(Job, alone.id) is None
    assert (await app.files.get(ANN, kept)).state is FileState.READY
    members = await app.projects.newest(ANN, project.id, None, 100)
    assert {file.id for file in members.rows} == {kept, made[3]}
    assert (await app.projects.get(ANN, project.id)).files == 2
    for job, expired in ((one, 6), (two, 1), (again, 1), (of_results, 1)):
        now = await app.jobs.get(ANN, job.id)
        assert (now.expired, now.counts, now.state) == (expired, job.counts, JobState.SUCCEEDED)
        left = await download(works, now)
        assert 1 < len(left) < len(before[job.id]) or job is one
        for name, data in left.items():
            if name != "manifest.jsonl":
                assert data == before[job.id][name]
        lines = left["manifest.jsonl"].splitlines()
        assert all("kept" in json.loads(line)["input"]["name"] for line in lines)
        states = [item.state for item in (await app.items.list(ANN, job.id, None, None, 100)).rows]
        assert states.count("expired") == expired
    assert [one.about for one in await records(app, Delivery)] == [kept]
    (page,) = [await app.kept.daily(ANN, None, None, None, None, 100)]
    told = [(row.source, row.media_type, row.outcome, row.files, row.items) for row in page.rows]
    mine = [row for row in results_before if row.root in due]
    assert told == [("stream", "image/png", Fate.SUCCEEDED, 3, len(mine))]
    sizes = [file.size for row in mine for file in row.files]
    assert (page.rows[0].results, page.rows[0].result_bytes) == (len(sizes), sum(sizes))
    assert page.rows[0].bytes == sum(len(png(n)) for n in range(3))


async def test_what_names_a_set_or_is_mixed_goes_with_the_first_of_it(works: Works):
    app = works.app
    due = await works.upload("gonzo.png", png(1))
    kept = [await works.upload(f"kept-{n}.png", png(n)) for n in range(2, 6)]
    report = await works.run([due, *kept], "health-check")
    even = await works.run(
        [due, *kept],
        ("preprocess", {"methods": ["normalize-brightness"], "reference": due}),
    )
    mixed = await works.run([due, *kept], "mix", "tell", seed=5)  # two stages
    with_it = [row for row in await works.rows(mixed, 0)
               if row.item == 0 or 0 in row.lineage["partners"]]  # fmt: skip
    assert 1 < len(with_it) < 5
    assert even.agreed["0"]["reference"]["name"] == "gonzo.png"
    needles = [needle for needle in await known(works, due) if needle != due]
    needles += [row.files[0].sha256 for row in with_it]
    await age(app, due)
    await sweep(app)
    await gone(app, due)
    await settled(app)
    assert await traces(app, needles) == []
    assert charges.usage(app) == []
    for job, expired in ((report, 1), (mixed, len(with_it))):
        now = await app.jobs.get(ANN, job.id)
        assert (now.expired, now.counts) == (expired, job.counts)
        lines = (await download(works, now))["manifest.jsonl"].splitlines()
        assert len(lines) == len(await works.rows(job)) - expired
    now = await app.jobs.get(ANN, even.id)
    assert (now.expired, {*now.agreed["0"]["reference"]}) == (1, {"chosen", "numbers"})
    assert len(await download(works, now)) == 5


async def test_a_rejected_rule_of_another_source_takes_nothing(works: Works):
    file = await works.upload("old.png", png(1))
    await age(works.app, file, days=400, source="upload")  # has no rule
    young = await works.upload("young.png", png(2))
    await age(works.app, young, days=6.9)
    assert await sweep(works.app) == 0
    await age(works.app, young, days=0.2)
    assert await sweep(works.app) == 1
    await gone(works.app, young)
    assert (await works.app.files.get(ANN, file)).state is FileState.READY


async def test_it_is_hidden_at_once_and_for_good(works: Works):
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    result = (await works.rows(job))[0].file_id(0)
    assert (await app.repositories.lookup.get(result)).expires is None  # an upload is kept
    await age(app, file)
    made = await app.repositories.lookup.get(result)
    assert made.expires == (await app.store.get(File, file)).created + 7 * DAY
    await app.trash.delete(ANN, file)  # also one in the trash, from where it could come back
    await works.worker.pause()
    await sweep(app)
    for wanted in (file, result):
        with pytest.raises(NotFound):
            await app.files.get(ANN, wanted)
        with pytest.raises(InvalidInput, match="There is no file"):
            await works.submit([wanted], "flip")
    with pytest.raises(Conflict, match="removed for good"):
        await app.trash.restore(ANN, file)
    assert file not in [row.id for row in (await app.trash.list(ANN, None, 100)).rows]
    await works.worker.resume()
    await gone(app, file)


@cases("", [(EMBEDDED,)], [(place,) for place in EVERYWHERE[1:]])
async def test_a_job_that_looked_before_something_went_is_not_accepted(works: Works, monkeypatch):
    """The window between the look at the inputs and the job's row, held open.

    A part of it runs in all stores, always: `tests/web/test_retention.py`.
    """
    app, acts, began = works.app, [], []
    names = ("gonzo-1", "gonzo-2", "gonzo-3", "other", "kept")
    files = [await works.upload(f"{name}.png", png(n)) for n, name in enumerate(names)]
    due, second, third, other, kept = files
    job = await works.run([second, other, kept], "flip")
    trashed = await works.run([other, kept], "copied")
    made, of_trashed = [(await works.rows(one))[0].file_id(0) for one in (job, trashed)]
    await settled(app)
    real = Requests.check

    async def check(self, *arguments):
        began.append(await app.store.now())
        found = await real(self, *arguments)
        while acts:
            await acts.pop(0)()
        return found

    monkeypatch.setattr(Requests, "check", check)

    async def leave():
        await age(app, due, second)
        await app.job_trash.delete(ANN, trashed.id, now=True)
        await sweep(app)
        await gone(app, due, second)
        await settled(app)

    needles = await known(works, due, second, third)
    for place, wanted in enumerate((due, made, of_trashed)):
        acts += [] if place else [leave]
        with pytest.raises(InvalidInput, match=f"There is no file {wanted}"):
            await works.submit([wanted, kept] if place else [due, made, of_trashed, kept], "flip")
        assert len(began) == 2 + place

    async def hide():  # hidden meanwhile, and no purge has begun: the purge waits for the job
        await works.worker.pause()
        await age(app, third)
        await sweep(app)

    acts.append(hide)
    late = await works.submit([third, kept], "flip")
    assert late.created <= began[-1]
    await works.worker.resume()
    await gone(app, third)
    await settled(app)
    ended = await app.jobs.get(ANN, late.id)
    assert (ended.counts, ended.expired) == (Counts(succeeded=1, reused=1), 1)
    assert await traces(app, needles) == []
    assert charges.usage(app) == []


async def test_nothing_goes_that_is_not_counted(works: Works, monkeypatch):
    """The planted fault: the aggregate cannot be written."""
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await settled(app)
    blobs = await all_blobs(app)
    tried = []

    async def counting(self, facts):
        tried.append([*facts])
        raise Unavailable("the aggregate cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(Dailies, "counting", counting)
        await age(app, file)
        await sweep(app)
        async with asyncio.timeout(60):
            while len(tried) < 2:
                await asyncio.sleep(0.05)
        assert await all_blobs(app) == blobs
        assert len(await works.rows(job)) == 2
        found = await app.store.get(File, file)
        assert found.counted is None
        await app.downloads.job(ANN, job.id)
    (unit,) = [unit for unit in await records(app, Unit) if unit.group == f"purge:{file}"]
    await app.store.transact(Update(Unit, unit.key_values(), set={"due": 1}))
    await gone(app, file)
    await settled(app)
    (row,) = await daily(app)
    assert (row.files, row.items, row.results) == (1, 1, 1)


async def test_what_became_of_it_is_told_apart(works: Works):
    app = works.app
    good, bad, idle = [await works.upload(f"{n}.png", png(n)) for n in range(3)]
    text = await works.upload("bad.txt", b"no picture")
    change = {"state": FileState.REJECTED, "code": "broken_media", "error": "It is none."}
    await app.store.transact(Update(File, (text,), set=change))
    bobs = await works.upload("b.png", png(4), BOB)
    await works.run([good, bad], ("tell", {"broken": "1"}))
    await settled(app)
    await age(app, good, bad, idle, text, bobs)
    assert await sweep(app) == 5
    await gone(app, good, bad, idle, text, bobs)
    found = {(row.owner, row.media_type, row.outcome): row for row in await daily(app)}
    assert {key: row.files for key, row in found.items()} == {
        (ANN.user, "image/png", Fate.SUCCEEDED): 1,
        (ANN.user, "image/png", Fate.FAILED): 1,
        (ANN.user, "image/png", Fate.UNPROCESSED): 1,
        (ANN.user, "text/plain", Fate.REJECTED): 1,
        (BOB.user, "image/png", Fate.UNPROCESSED): 1,
    }
    assert sorted(row.items for row in found.values()) == [0, 0, 0, 1, 1]


async def test_what_deleted_jobs_made_is_counted_with_the_file(works: Works, monkeypatch):
    app = works.app
    file, other = await works.upload("a.png", png(1)), await works.upload("b.png", png(2))
    job = await works.run([file, other], "twice", "tell")
    rows = [row for stage in (0, 1) for row in await works.rows(job, stage)]
    sizes = [one.size for row in rows if row.root == file for one in row.files]
    late = await works.run([file, other], "copied")
    await app.job_trash.delete(ANN, job.id, now=True)
    await settled(app)
    assert await app.store.get(Job, job.id) is None
    found = await app.store.get(File, file)
    assert (found.past_items, found.past_results, found.past_bytes) == (3, 2, sum(sizes))
    await age(app, file, days=0, source="import")
    await app.blobs.put(f"imports/{file}/0", b"what came of it so far")
    real, purged = Aging.results, []

    async def results(self, file, after=None, limit=1000):
        if not purged:  # another job is purged while the file is being counted
            purged.append(late)
            await app.handlers()["purge_job"]._rows(late)
        return await real(self, file, after, limit)

    monkeypatch.setattr(Aging, "results", results)
    await app.trash.delete(ANN, file, now=True)  # by its owner: counted just the same
    await gone(app, file)
    (row,) = await daily(app)
    assert (row.source, row.outcome, row.files) == ("import", Fate.SUCCEEDED, 1)
    assert (row.items, row.results, row.result_bytes) == (4, 3, sum(sizes) + len(png(1)))
    assert await records(app, Origin) == []
    assert not [key for key in await all_blobs(app) if key.startswith("imports/")]


async def test_results_of_a_file_that_its_owner_deleted_go_when_it_would_have(
    works: Works, monkeypatch
):
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await settled(app)
    needles = await known(works, file)
    await age(app, file, days=6.9)
    await app.trash.delete(ANN, file, now=True)
    await gone(app, file)
    assert len(await works.rows(job)) == 2
    assert await sweep(app) == 0
    third = await works.upload("third.png", png(5))
    ever = Project(id="proj_ever", owner=ANN.user, name="p", created=0, keep="none", ruled=ANN.user)
    await app.store.transact(Put(ever), Put(member(ever.id, third, 0)))
    others = [await works.run([third, kept], *steps) for steps in (["twice"], ["copied"])]
    await app.trash.delete(ANN, third, now=True)
    await gone(app, third)
    stay = {one.id: one.kept for one in await records(app, Origin)}
    assert (stay[file], stay[third] > await app.store.now() + DAY - HOUR) == (None, True)
    real, both, seen = purge.forgetting, asyncio.Event(), []

    async def together(aging, rows):
        made = await real(aging, rows)
        seen.append(made)
        if len(seen) == 2:
            both.set()
        await both.wait()
        return made

    purging = app.handlers()["purge_job"]
    with monkeypatch.context() as patch:
        patch.setattr(purge, "forgetting", together)
        await asyncio.gather(*(purging._rows(job) for job in others))
    # what is kept of a file goes with the last of its results
    (origin,) = await records(app, Origin)
    change = {"created": origin.created - DAY}
    await app.store.transact(Update(Origin, (origin.id,), set=change))
    assert await sweep(app) == 1
    await settled(app)
    async with asyncio.timeout(60):
        while await records(app, Origin):
            await asyncio.sleep(0.05)
    await settled(app)
    assert await traces(app, needles) == []
    assert (await app.jobs.get(ANN, job.id)).expired == 1
    assert sum(row.files for row in await daily(app)) == 2


async def test_inputs_of_a_job_that_was_cancelled_are_named_nowhere(works: Works, monkeypatch):
    app = works.app
    await works.worker.pause()
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.submit([file, kept], "flip")
    await app.jobs.cancel(ANN, job.id)
    await works.worker.resume()
    await works.ended(job)
    await settled(app)
    needles = await known(works, file)
    assert len(await traces(app, needles)) > 2
    trimming, real, read = app.handlers()["expire_file"].trimming, Manifests.entries, []

    async def entries(self, *place):
        read.append(place)
        return await real(self, *place)

    with monkeypatch.context() as patch:  # however many files are due, lists are read once
        patch.setattr(Manifests, "entries", entries)
        found = [await trimming._cut_short(ANN.user, each, 0) for each in (file, kept, "no", file)]
    assert found == [[job.id], [job.id], [], [job.id]]
    assert read == [(job.id, 0, 0), (job.id, 0, 1)]
    await age(app, file)
    await sweep(app)
    await gone(app, file)
    await settled(app)
    assert await traces(app, needles) == []
    states = [item.state for item in (await app.items.list(ANN, job.id, None, None, 10)).rows]
    assert states == ["expired", "cancelled"]
    retried = await works.ended(await app.jobs.retry(ANN, job.id))
    assert (retried.counts.succeeded, retried.counts.failed) == (1, 1)  # it has no input any more


@MEMORY
async def test_a_report_that_was_made_again_goes_too(works: Works):
    """Its replay begins in the third stage: what it lists and measured there is found."""
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    jobs = []
    for files in ([file, kept], [file]):
        before = await works.run(files, "level", "census")
        (row,) = await works.rows(before)
        jobs.append(await works.ended(await app.replays.begin(ANN, row.file_id(0))))
    assert [job.stage for job in jobs] == [3, 3]
    listed = Listed(app.repositories.manifests)
    assert [await listed.names(job, kept) for job in jobs] == [True, False]
    await settled(app)
    needles = await known(works, file)
    assert len(await traces(app, needles)) > 8
    await age(app, file)
    await sweep(app)
    await gone(app, file)
    await settled(app)
    assert await traces(app, needles) == []
    assert (await app.jobs.get(ANN, jobs[0].id)).trimming is None
    with pytest.raises(NotFound):  # nothing is left of it
        await app.jobs.get(ANN, jobs[1].id)


async def test_a_retry_leaves_what_has_expired_alone(works: Works):
    app = works.app
    names = ("due-x.png", "bad-x.png", "kept.png")
    due, bad, kept = [await works.upload(name, png(n)) for n, name in enumerate(names)]
    job = await works.run([due, bad, kept], ("tell", {"broken": "x"}))
    await age(app, due)
    await sweep(app)
    await gone(app, due)
    await settled(app)
    retried = await works.ended(await app.jobs.retry(ANN, job.id, "failed"))
    assert retried.generation == 2
    assert (retried.counts, retried.expired) == (job.counts, 1)
    states = [item.state for item in (await app.items.list(ANN, job.id, None, None, 10)).rows]
    assert states == ["expired", "failed", "succeeded"]
    assert [row.generation for row in await works.rows(retried)] == [1, 2, 1]
    assert len(await download(works, retried)) == 1


async def test_while_it_is_taken_out_there_is_no_download(works: Works, monkeypatch):
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await settled(app)
    begun, go_on, seen = asyncio.Event(), asyncio.Event(), []
    real = ExpireJob._results

    async def slowly(self, job, stage):
        names = [blob.key async for blob in self.blobs.list(f"layouts/{job.id}/")]
        results = [blob.key async for blob in self.blobs.list(f"results/{job.id}/")]
        seen.append((len(names), len(results)))
        begun.set()
        await go_on.wait()
        await real(self, job, stage)

    monkeypatch.setattr(ExpireJob, "_results", slowly)
    content = await app.downloads.job(ANN, job.id)
    await age(app, file)
    await sweep(app)
    async with asyncio.timeout(60):
        await begun.wait()
    assert seen == [(0, 2)]  # the layout goes before any bytes that it names
    with pytest.raises(Conflict, match="made anew"):
        await app.downloads.job(ANN, job.id)
    with pytest.raises(Conflict, match="being taken out"):
        await app.jobs.retry(ANN, job.id)
    go_on.set()
    await gone(app, file)
    await settled(app)
    names = await download(works, await app.jobs.get(ANN, job.id))
    assert set(names) == {"manifest.jsonl", "kept.png"}
    with pytest.raises(NotFound):  # one that had not begun to be read ends with an error
        _ = [chunk async for chunk in content.read(0, content.size)]


@pytest.mark.soak
async def test_a_download_in_progress_gives_no_wrong_bytes(works: Works):
    app = works.app
    files = [await works.upload(f"{n}.png", png(n)) for n in range(12)]
    job = await works.run(files, "copied")
    await settled(app)
    content = await app.downloads.job(ANN, job.id)
    whole = b"".join([chunk async for chunk in content.read(0, content.size)])
    await age(app, *files[6:])
    await sweep(app)

    async def read() -> bytes:
        told = b""
        with suppress(NotFound, httpx.HTTPError):
            async for chunk in content.read(0, content.size):
                told += chunk
                await asyncio.sleep(0.1)
        return told

    told, _ = await asyncio.gather(read(), gone(app, *files[6:]))
    assert whole.startswith(told)


@pytest.mark.parametrize("planted", [False, pytest.param(True, marks=pytest.mark.soak)])
async def test_a_thumbnail_that_is_late_does_not_stay(works: Works, monkeypatch, planted):
    app = works.app
    await works.worker.pause()
    file = await works.upload("gonzo.png", png(1))
    real, drawn, done = app.blobs.adopt, asyncio.Event(), asyncio.Event()

    async def late(key, path):
        drawn.set()
        await gone(app, file)
        await real(key, path)
        done.set()

    async def careless(self, lease, found, blob):
        await lease.finish()

    monkeypatch.setattr(app.blobs, "adopt", late)
    if planted:
        monkeypatch.setattr(Thumbnail, "_record", careless)
    second = await app.worker()  # one worker draws while the other purges
    task = asyncio.create_task(second.run())
    await works.worker.resume()
    async with asyncio.timeout(60):
        await drawn.wait()
        await age(app, file)
        await sweep(app)
        await done.wait()
    await asyncio.sleep(0.3)
    left = [key for key in await all_blobs(app) if key.startswith("thumbnails/")]
    assert left == ([f"thumbnails/{file}"] if planted else [])
    second.stop()
    await task


@pytest.mark.embedded("DynamoDB cannot be walked, which docs/how-to/retention.md says")
async def test_results_of_an_earlier_version_learn_what_they_were_made_of(works: Works):
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "twice", "tell")
    made = (await works.rows(job, stage=0))[0].file_id(1)
    await works.run([made], "copied")
    await settled(app)
    roots = {row.key_values(): row.root for row in await records(app, Result)}
    assert set(roots.values()) == {file, kept}
    for key in roots:
        await app.store.transact(Update(Result, key, set={"root": None}))
    now = await app.store.now()
    unit = Unit.chore("lineage", "lineage", 7, "system", cost=1.0, now=now, due=now)
    await app.repositories.units.insert([unit])
    await settled(app)
    assert {row.key_values(): row.root for row in await records(app, Result)} == roots


@pytest.mark.soak
@MEMORY
async def test_the_lists_of_inputs_keep_their_places(works: Works):
    app = works.app
    files = [await works.upload(f"{n}.txt", b"%d" % n) for n in range(130)]
    job = await works.run(files, "shout")
    await settled(app)
    pages = [page for page in await records(app, ManifestPage) if page.job == job.id]
    assert [page.blob is None for page in pages] == [False]
    chosen = files[5:120:3]
    await age(app, *chosen)
    await sweep(app)
    await gone(app, *chosen)
    await settled(app)
    pages = [await app.items.list(ANN, job.id, None, at, 100) for at in (None, "100")]
    listed = [item.file for page in pages for item in page.rows]
    assert listed == [file if file not in chosen else "" for file in files]
    assert await traces(app, chosen) == []
    manifests = [key for key in await all_blobs(app) if key.startswith(f"manifests/{job.id}/")]
    assert len(manifests) == 1
    assert len(await download(works, await app.jobs.get(ANN, job.id))) == 1 + 130 - len(chosen)
    reuse = await records(app, Reuse)
    assert len(reuse) == 130 - len(chosen)


@pytest.mark.soak
async def test_the_trace_check_can_fail(works: Works, monkeypatch):
    """Planted: rows for reuse, and what claims left, are not looked for."""

    async def nothing(self, *_):
        return None

    monkeypatch.setattr(ExpireJob, "_reuse", nothing)
    monkeypatch.setattr(ExpireJob, "_leftovers", nothing)
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await app.results.put(f"results/{job.id}/0-0-0-0", b"what a claim that was overtaken wrote")
    await age(app, file)
    await sweep(app)
    await gone(app, file)
    await settled(app)
    assert len(await records(app, Reuse)) == 2
    assert f"results/{job.id}/0-0-0-0" in await all_blobs(app)


REST = ("_results", "_rewrite", "_leftovers", "_inputs", "_end")
LONG = [pytest.param(step, marks=pytest.mark.soak) for step in REST]


@pytest.mark.parametrize("step", ["_layouts", *LONG])
async def test_who_was_overtaken_takes_nothing_more_away(works: Works, step):
    app, units = works.app, works.app.repositories.units
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await settled(app)
    await works.worker.pause()
    await age(app, file)
    await sweep(app)
    scheduler, handlers = Scheduler(app.store, 1), app.handlers()
    async with asyncio.timeout(60):
        while True:
            await scheduler.tidy("housekeeping")
            unit = await scheduler.claim_next(("housekeeping",), "zombie")
            lease = unit and Lease(units, app.repositories.jobs, unit, 1)
            if lease and unit.kind == "expire_job" and unit.payload["trim"] == job.id:
                break
            if lease:
                await handlers[unit.kind].run(lease)
            await asyncio.sleep(0.01)
    handler, begun, go_on = handlers["expire_job"], asyncio.Event(), asyncio.Event()
    real = getattr(handler, step)

    async def late(*arguments):
        begun.set()
        await go_on.wait()
        return await real(*arguments)

    setattr(handler, step, late)
    zombie = asyncio.create_task(handler.run(lease))
    async with asyncio.timeout(60):
        await begun.wait()
    await works.worker.resume()
    await gone(app, file)
    await settled(app)
    page = (job.id, 0, 0)  # as a retry may write it that adds to the inputs
    await app.store.transact(Update(ManifestPage, page, set={"inline": b"[]"}))
    rows, blobs = await records(app, Job, Result, ManifestPage), await all_blobs(app)
    whole = await download(works, await app.jobs.get(ANN, job.id))
    go_on.set()
    with suppress(LeaseLost, ConditionFailed):
        await zombie
    assert await records(app, Job, Result, ManifestPage) == rows
    after = await all_blobs(app)
    assert {key: after.get(key) for key in blobs} == blobs
    assert await download(works, await app.jobs.get(ANN, job.id)) == whole
    assert await traces(app, [file]) == []


@pytest.mark.parametrize("first", ["expire_job", pytest.param("purge_job", marks=pytest.mark.soak)])
async def test_a_job_is_deleted_while_something_of_it_expires(works: Works, monkeypatch, first):
    app = works.app
    file, kept = await works.upload("gonzo.png", png(1)), await works.upload("kept.png", png(2))
    job = await works.run([file, kept], "flip")
    await settled(app)
    begun, go_on, ran = asyncio.Event(), asyncio.Event(), []
    kind = {"expire_job": ExpireJob, "purge_job": PurgeJob}[first]
    step = {"expire_job": "_layouts", "purge_job": "_rows"}[first]
    real = getattr(kind, step)

    async def slowly(self, *arguments):
        ran.append(first)
        begun.set()
        await go_on.wait()
        await real(self, *arguments)

    monkeypatch.setattr(kind, step, slowly)
    second = await app.worker()
    task = asyncio.create_task(second.run())
    await age(app, file)
    acts = [lambda: sweep(app), lambda: app.job_trash.delete(ANN, job.id, now=True)]
    for act in acts if first == "expire_job" else reversed(acts):
        await act()
        async with asyncio.timeout(60):
            await begun.wait()
    await asyncio.sleep(0.3)
    assert await app.store.get(Job, job.id)  # whoever is second waits for the first
    go_on.set()
    await gone(app, file)
    await settled(app)
    second.stop()
    await task
    assert ran
    assert await traces(app, [file, job.id]) == []
    assert charges.usage(app) == []
    (row,) = await daily(app)
    assert (row.files, row.items, row.results) == (1, 1, 1)
