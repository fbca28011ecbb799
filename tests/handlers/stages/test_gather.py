"""Inputs by project, archive and manifest: listed in the background, whole, whatever happens."""

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, LimitExceeded, NotFound
from mediamill.engine.gathering import sources
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.stages.gather import Gather
from mediamill.operations.catalogue import OPERATIONS
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.opening import open_store
from mediamill.store.port import Delete, Put, key_index
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import JobState, ManifestPage
from mediamill.store.repositories.projects import joining, member
from mediamill.store.repositories.results import Result
from tests.support.submission import THUMBNAIL, SubmissionHarness

ANN, BOB = Principal("user_ann"), Principal("user_bob")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield SubmissionHarness(store)
    await store.close()


@pytest.fixture
async def quick(tmp_path):
    """A harness on the store that is quickest."""
    store = await open_store("memory:")
    yield SubmissionHarness(store)
    await store.close()


async def test_a_project_becomes_the_inputs(harness):
    files = await harness.add_files(ANN.user, 2300)
    project = await harness.add_project(ANN.user, files)
    job = await harness.submit_named(ANN.user, project=project.id)
    assert (job.state, job.items, job.klass) == (JobState.EXPANDING, 0, "bulk")
    assert job.inputs == {"source": "project", "id": project.id}
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    assert (ended.state, ended.items) == (JobState.SUCCEEDED, 2300)
    assert [entry.file for entry in await harness.entries(job)] == sorted(files)


async def test_what_left_or_came_after_acceptance(quick):
    files = await quick.add_files(ANN.user, 4)
    later = await quick.add_files(ANN.user, 1)
    project = await quick.add_project(ANN.user, files)
    job = await quick.submit_named(ANN.user, project=project.id)
    await asyncio.sleep(0.005)
    await quick.projects.add(ANN, project.id, later)
    await quick.projects.delete(ANN, project.id)
    async with quick.worker():
        ended = await quick.finished(ANN.user, job)
    assert (ended.state, ended.items) == (JobState.SUCCEEDED, 4)


async def test_an_archive_without_what_is_no_input(harness):
    archive = await harness.add_archive(
        ANN.user, "a/1.jpg", "a/2.PNG", "b/noextension", "a/labels.txt", "__MACOSX/._1.jpg",
        "frames.jsonl", "a/Thumbs.db", "data.json", "movie.mp4", "a/",
    )  # fmt: skip
    job = await harness.submit_named(ANN.user, archive=archive)
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    entries = await harness.entries(job)
    paths = [entry.path for entry in entries]
    assert paths == ["a/1.jpg", "a/2.PNG", "b/noextension", "movie.mp4"]
    assert {entry.file for entry in entries} == {archive}
    assert entries[0].name == "1.jpg"
    data = await harness.blobs.get(f"files/{archive}")
    place = entries[0].place
    assert data[place.offset : place.offset + place.size] == b"\xff\xd8\xffa/1.jpg"
    assert ended.items == 4


async def test_patterns_choose_members(quick, monkeypatch):
    archive = await quick.add_archive(
        ANN.user, "train/1.jpg", "train/x/2.jpg", "val/3.jpg", "n.txt"
    )
    job = await quick.submit_named(ANN.user, archive=archive, members=("train/*", "*.txt"))
    async with quick.worker():
        await quick.finished(ANN.user, job)
    paths = [entry.path for entry in await quick.entries(job)]
    assert paths == ["train/1.jpg", "train/x/2.jpg", "n.txt"]
    assert job.inputs["members"] == ["train/*", "*.txt"]
    # Many names lie in a blob; they are compared where nobody waits for it.
    threads, judge = set(), sources.selection

    def selection(*given):
        chosen = judge(*given)
        return lambda path: threads.add(threading.get_ident()) or chosen(path)

    monkeypatch.setattr(sources, "selection", selection)
    many = ("n.txt", "val/*", *(f"{n}-{'ä' * 50}.jpg" for n in range(100)))
    job = await quick.submit_named(ANN.user, archive=archive, members=many)
    assert job.inputs == {
        "source": "archive", "id": archive, "members_blob": f"manifests/{job.id}/members"
    }  # fmt: skip
    again = await quick.listing.inputs(ANN, job.id)
    assert again == {"archive": archive, "members": list(many)}
    async with quick.worker():
        await quick.finished(ANN.user, job)
    assert [entry.path for entry in await quick.entries(job)] == ["val/3.jpg", "n.txt"]
    assert threads
    assert threading.get_ident() not in threads


async def test_every_line_of_a_manifest_becomes_an_input(harness):
    mine = await harness.add_files(ANN.user, 3)
    (theirs,) = await harness.add_files(BOB.user, 1)
    archive = await harness.add_archive(ANN.user, "a/1.jpg")
    hers = await harness.add_archive(BOB.user, "secret.jpg")
    manifest = await harness.add_manifest(
        ANN.user,
        "\ufeff# a comment", "", mine[0], f"  {mine[1]} , front.jpg\r",
        f'{{"file": "{mine[2]}", "name": "b.jpg"}}',
        f'{{"archive": "{archive}", "path": "a/1.jpg"}}',
        f'{{"archive": "{archive}", "path": "a/2.jpg"}}',
        f'{{"archive": "{hers}", "path": "secret.jpg"}}',
        theirs, "file_nowhere", "{broken", '{"file": 3}', '{"owner": "x"}',
        f'{{"file": "{mine[0]}", "path": "x"}}', mine[0],
    )  # fmt: skip
    job = await harness.submit_named(ANN.user, manifest=manifest)
    async with harness.worker():
        await harness.finished(ANN.user, job)
    entries = await harness.entries(job)
    good = [(entry.file, entry.name, entry.path) for entry in entries if not entry.problem]
    assert good == [
        (mine[0], "photo-0.jpg", ""),
        (mine[1], "front.jpg", ""),
        (mine[2], "b.jpg", ""),
        (archive, "1.jpg", "a/1.jpg"),
        (mine[0], "photo-0.jpg", ""),
    ]
    bad = [entry for entry in entries if entry.problem]
    assert [entry.problem.code for entry in bad] == ["not_found"] * 4 + ["invalid_input"] * 4
    assert {entry.file for entry in bad} == {""}
    assert bad[2].problem.message == f"Line 9: There is no file {theirs}."
    assert "secret" not in bad[1].problem.message.replace("secret.jpg", "")
    assert len(entries) == 13


@pytest.mark.parametrize(
    "lines",
    [
        ("name,file,split", "front.jpg,{0},train", "back.jpg,{1},val"),
        ("{0},front.jpg", "{1},back.jpg"),
        ('"File","Name"', '"{0}","front.jpg"', '"{1}","back.jpg"'),
    ],
)
async def test_manifests_with_columns(quick, lines):
    files = await quick.add_files(ANN.user, 2)
    manifest = await quick.add_manifest(ANN.user, *(line.format(*files) for line in lines))
    job = await quick.submit_named(ANN.user, manifest=manifest)
    async with quick.worker():
        await quick.finished(ANN.user, job)
    found = [(entry.file, entry.name) for entry in await quick.entries(job)]
    assert found == [(files[0], "front.jpg"), (files[1], "back.jpg")]


# -- what is refused, and what ends a job ----


async def test_sources_that_cannot_be_are_refused_at_once(quick):
    (photo,) = await quick.add_files(ANN.user, 1)
    text = await quick.add_manifest(ANN.user, "# nothing", "")
    labels = await quick.add_archive(ANN.user, "labels.txt")
    empty = await quick.projects.create(ANN, "empty")
    sounds = await quick.add_files(ANN.user, 2, media_type="audio/mpeg")
    misfits = await quick.add_project(ANN.user, sounds)
    theirs = await quick.add_archive(BOB.user, "1.jpg")
    cases = [
        ({"project": empty.id}, "project", "holds nothing"),
        ({"project": misfits.id}, "project", "takes image"),
        ({"project": "proj_nowhere"}, "project", "no project"),
        ({"archive": photo}, "archive", "no zip"),
        ({"archive": labels}, "archive", "holds nothing"),
        ({"archive": labels, "members": ("*.jpg",)}, "archive", "holds nothing"),
        ({"archive": theirs}, "archive", "no file"),
        ({"manifest": theirs}, "manifest", "no file"),
        ({"manifest": photo}, "manifest", "no text"),
        ({"manifest": text}, "manifest", "holds nothing"),
        ({"manifest": text, "archive": labels}, "manifest", "Give one of"),
        ({"manifest": text, "members": ("*",)}, "members", "archive"),
        ({}, "files", "Give one of"),
    ]
    for named, pointer, words in cases:
        with pytest.raises(InvalidInput) as refusal:
            await quick.submit_named(ANN.user, **named)
        first = refusal.value.details["errors"][0]
        assert first["pointer"] == pointer, named
        assert words in first["message"], (named, first)
    for project in (empty, misfits):
        with pytest.raises(InvalidInput, match="no project"):
            await quick.submit_named(BOB.user, project=project.id)
    assert (await quick.jobs.of_owner(ANN.user, None, 10)).rows == ()


async def test_nothing_is_told_of_what_others_have(quick):
    """Of a file that is unfit as a source, its owner is told why, and nobody else its name."""
    (photo,) = await quick.add_files(BOB.user, 1)
    passing = File(
        id="file_passing", owner=BOB.user, name="secret.zip", media_type="application/zip", size=1,
        sha256="", crc32=0, state=FileState.REJECTED, error="secret", blob="", created=1,
    )  # fmt: skip
    await quick.store.transact(Put(passing))
    for source in ("archive", "manifest"):
        for file in (photo, passing.id):
            with pytest.raises(InvalidInput) as refusal:
                await quick.submit_named(ANN.user, **{source: file})
            assert refusal.value.message == f"There is no file {file}."
            with pytest.raises(InvalidInput, match=r"photo|secret"):
                await quick.submit_named(BOB.user, **{source: file})


async def test_a_source_that_empties_ends_the_job_with_the_reason(harness):
    files = await harness.add_files(ANN.user, 2)
    project = await harness.add_project(ANN.user, files)
    job = await harness.submit_named(ANN.user, project=project.id)
    await harness.projects.remove(ANN, project.id, files)
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    assert ended.state is JobState.FAILED
    assert ended.error == "The inputs could not be listed: The project holds nothing for this job."
    assert ended.active is None


async def test_too_many_inputs_end_the_job(quick):
    (file,) = await quick.add_files(ANN.user, 1)
    manifest = await quick.add_manifest(ANN.user, *[file] * 2500)
    job = await quick.submit_named(ANN.user, manifest=manifest)
    gather, lease = replace(quick.engine().handlers["gather"], most=2400), await claimed(quick)
    with pytest.raises(LimitExceeded) as refusal:
        await gather.run(lease)
    await gather.give_up(lease, refusal.value)
    async with quick.worker():
        ended = await quick.finished(ANN.user, job)
    assert ended.state is JobState.FAILED
    assert "more than" in ended.error


async def test_a_line_without_end_ends_the_job(quick):
    (file,) = await quick.add_files(ANN.user, 1)
    manifest = await quick.add_manifest(ANN.user, *[file] * 200, "x" * 3_000_000)
    job = await quick.submit_named(ANN.user, manifest=manifest)
    async with quick.worker():
        ended = await quick.finished(ANN.user, job)
    assert ended.state is JobState.FAILED
    assert "Line 201" in ended.error


# -- kills, cancels, deletes ----


async def claimed(harness):
    unit = await Scheduler(harness.store, 60_000).claim_next(["bulk", "interactive"], "test")
    return Lease(harness.units, harness.jobs, unit, 60_000)


class Killed(BaseException):
    """The worker is gone from one moment to the next."""


def dying(lease, writes):
    """Let a lease live for so many writes; the last one may be lost with its claimant."""
    left = writes
    for name in ("write", "finish"):
        whole = getattr(lease, name)

        async def dies(*args, whole=whole, **more):
            nonlocal left
            if left <= 0:
                raise Killed
            left -= 1
            await whole(*args, **more)

        setattr(lease, name, dies)
    return lease


@pytest.mark.parametrize("source", ["project", "archive", "manifest"])
async def test_a_listing_that_is_killed_again_and_again_is_whole(harness, source):
    files = await harness.add_files(ANN.user, 2200)
    names = [f"{n}.jpg" for n in range(2200)]
    if source == "project":
        named, expected = (await harness.add_project(ANN.user, files)).id, sorted(files)
    elif source == "manifest":
        named, expected = await harness.add_manifest(ANN.user, "file,x", *files), files
    else:
        named, expected = await harness.add_archive(ANN.user, *names), names
    job = await harness.submit_named(ANN.user, **{source: named})
    gather = harness.engine().handlers["gather"]
    for kill in range(20):
        lease = await claimed(harness)
        assert lease.unit.kind == "gather"
        try:
            await gather.run(dying(lease, kill % 2))
        except Killed:
            await harness.units.release(lease.unit, 0, "")
        if lease.gone:
            break
    assert kill >= 4
    entries = await harness.entries(job)
    assert [entry.path or entry.file for entry in entries] == expected
    assert (await harness.units.get(f"{job.id}:expand", job.turn)).state.open
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    assert (ended.state, ended.counts.succeeded) == (JobState.SUCCEEDED, 2200)


async def test_a_late_lister_changes_nothing(harness):
    files = await harness.add_files(ANN.user, 1500)
    manifest = await harness.add_manifest(ANN.user, *files)
    job = await harness.submit_named(ANN.user, manifest=manifest)
    gather = harness.engine().handlers["gather"]
    late = Lease(
        harness.units, harness.jobs,
        await Scheduler(harness.store, 1).claim_next(["bulk", "interactive"], "late"), 1,
    )  # fmt: skip
    await asyncio.sleep(0.01)
    await gather.run(await claimed(harness))
    before = await harness.entries(job)
    await harness.store.transact(Delete(File, (files[0],)))  # so that it would list otherwise
    with pytest.raises(LeaseLost):
        await gather.run(late)
    assert await harness.entries(job) == before
    assert [entry.file for entry in before] == files


def interrupted(lease, writes, act):
    """Let something happen after so many writes of a lease."""
    written = 0

    def watched(whole):
        async def write(*args, **more):
            nonlocal written
            if written == writes:
                await act()
            written += 1
            await whole(*args, **more)

        return write

    lease.write, lease.finish = watched(lease.write), watched(lease.finish)
    return lease


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_cancelled_while_it_is_listed(harness, pages):
    files = await harness.add_files(ANN.user, 2500)
    manifest = await harness.add_manifest(ANN.user, *files)
    job = await harness.submit_named(ANN.user, manifest=manifest)
    lease = await claimed(harness)
    gather = harness.engine().handlers["gather"]
    await gather.run(interrupted(lease, pages, lambda: harness.service.cancel(ANN, job.id)))
    assert lease.gone
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
        assert (ended.state, ended.items, ended.error) == (JobState.CANCELLED, 0, "")
        again = await harness.service.retry(ANN, job.id)
        ended = await harness.finished(ANN.user, again)
    assert (ended.state, ended.counts.succeeded) == (JobState.SUCCEEDED, 2500)


@pytest.mark.parametrize("pages", [0, 2])
async def test_deleted_while_it_is_listed(harness, pages, monkeypatch):
    monkeypatch.setattr("mediamill.handlers.removing.purge.LOOK_AGAIN_MS", 900)
    manifest = await harness.add_manifest(ANN.user, *await harness.add_files(ANN.user, 2500))
    job = await harness.submit_named(ANN.user, manifest=manifest)
    lease = await claimed(harness)
    gather = harness.engine().handlers["gather"]
    delete = harness.trash.delete
    await gather.run(interrupted(lease, pages, lambda: delete(ANN, job.id, now=True)))
    assert lease.gone
    with pytest.raises(NotFound):
        await harness.service.get(ANN, job.id)
    async with harness.worker(), asyncio.timeout(60):
        while await harness.jobs.get(job.id) is not None:
            await asyncio.sleep(0.02)
    for kind in (ManifestPage, Result):
        assert (await harness.store.query(kind, key_index(kind), job.id)).rows == ()
    for group in ("", ":gather", ":expand", ":cancel", ":seal", ":notify"):
        assert await harness.units.of_group(f"{job.id}{group}") == ()
    assert [blob.key async for blob in harness.blobs.list(f"manifests/{job.id}/")] == []


async def test_a_job_deleted_while_a_killed_worker_listed_it(quick, monkeypatch):
    """The lister is gone without a word: the job ends when its lease is over, and is purged."""
    monkeypatch.setattr("mediamill.handlers.removing.purge.LOOK_AGAIN_MS", 900)
    harness = quick
    manifest = await harness.add_manifest(ANN.user, *await harness.add_files(ANN.user, 2500))
    job = await harness.submit_named(ANN.user, manifest=manifest)
    unit = await Scheduler(harness.store, 300).claim_next(["bulk", "interactive"], "killed")
    lease = dying(Lease(harness.units, harness.jobs, unit, 300), 1)
    with pytest.raises(Killed):
        await harness.engine().handlers["gather"].run(lease)
    await harness.trash.delete(ANN, job.id, now=True)
    async with harness.worker(), asyncio.timeout(60):
        while await harness.jobs.get(job.id) is not None:
            await asyncio.sleep(0.02)
    assert (await harness.store.query(ManifestPage, key_index(ManifestPage), job.id)).rows == ()


async def test_cancelled_before_it_is_listed(harness):
    manifest = await harness.add_manifest(ANN.user, *await harness.add_files(ANN.user, 3))
    job = await harness.submit_named(ANN.user, manifest=manifest)
    await harness.service.cancel(ANN, job.id)
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    assert (ended.state, ended.items) == (JobState.CANCELLED, 0)
    assert (await harness.units.get(f"{job.id}:expand", job.turn)) is None


async def test_a_cancelled_job_ends_only_when_nobody_lists_any_more(harness):
    manifest = await harness.add_manifest(ANN.user, *await harness.add_files(ANN.user, 3))
    job = await harness.submit_named(ANN.user, manifest=manifest)
    lease, rollup = await claimed(harness), harness.engine().rollup
    await harness.service.cancel(ANN, job.id)
    assert not await rollup.advance(job.id)
    await lease.finish()
    assert await rollup.advance(job.id)


# -- how much it takes ----


def resident():
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("lines", [40_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
async def test_a_long_manifest_is_listed_in_bounded_memory(quick, lines):
    files = await quick.add_files(ANN.user, 500)
    text = "\n".join(files[n % 500] for n in range(lines))
    manifest = await quick.add_blob(ANN.user, "long.txt", "text/plain", text.encode())
    del text
    job = await quick.submit_named(ANN.user, manifest=manifest)
    gather, lease = quick.engine().handlers["gather"], await claimed(quick)
    memory = []

    async def page(*args, **more):  # what is kept of the pages is the store's own
        memory.append(resident())
        return await type(quick.manifests).page(quick.manifests, *args[:3], [], **more)

    quick.manifests.page = page
    await gather.run(lease)
    assert (await quick.jobs.need(job.id)).items == lines
    assert len(memory) == lines // 1000
    assert max(memory[10:]) - memory[10] < 16 << 20


async def test_a_large_archive_is_accepted_without_listing_it(quick):
    names = [f"labels/{n}.txt" for n in range(2500)]
    some = await quick.add_archive(ANN.user, *names, *(f"{n}.jpg" for n in range(500)))
    none = await quick.add_archive(ANN.user, *names)
    listed = quick.sources.members
    quick.sources.members = None
    job = await quick.submit_named(ANN.user, archive=some)
    with pytest.raises(InvalidInput, match="holds nothing"):
        await quick.submit_named(ANN.user, archive=none)
    quick.sources.members = listed
    async with quick.worker():
        ended = await quick.finished(ANN.user, job)
    assert (ended.state, ended.items) == (JobState.SUCCEEDED, 500)


async def test_acceptance_reads_a_bounded_part(quick, monkeypatch):
    (file,) = await quick.add_files(ANN.user, 1)
    manifest = await quick.add_manifest(ANN.user, *[file] * 200_000)
    reads = 0
    whole = type(quick.store).get_many

    async def counted(*args, **more):
        nonlocal reads
        reads += 1
        return await whole(*args, **more)

    monkeypatch.setattr(type(quick.store), "get_many", counted)
    request = JobRequest(named=Named(manifest=manifest), steps=THUMBNAIL)
    await quick.service.submit(ANN, request)
    assert reads < 20


async def test_acceptance_looks_at_a_bounded_part_of_what_holds_nothing(quick, monkeypatch):
    """Comments for ever, and members that are all gone: whether it holds more, time tells."""
    (file,) = await quick.add_files(ANN.user, 1)
    lines = ["#" + "x" * 16_000] * 600
    late = await quick.add_manifest(ANN.user, *lines, "y" * 20_000)  # refused, were it read
    none = await quick.add_manifest(ANN.user, *lines[:100])
    project = await quick.add_project(ANN.user, [file])
    await quick.projects.remove(ANN, project.id, [file])
    gone = [f"file_{n:026}" for n in range(4000)]
    for start in range(0, len(gone), 90):
        rows = [member(project.id, file, 1) for file in gone[start : start + 90]]
        await quick.store.transact(*joining(project, rows))
    reads, whole = 0, type(quick.store).query

    async def counted(*args, **more):
        nonlocal reads
        reads += 1
        return await whole(*args, **more)

    monkeypatch.setattr(type(quick.store), "query", counted)
    jobs = [
        await quick.submit_named(ANN.user, manifest=late),
        await quick.submit_named(ANN.user, project=project.id),
    ]
    assert reads < 50
    with pytest.raises(InvalidInput, match="holds nothing"):
        await quick.submit_named(ANN.user, manifest=none)
    async with quick.worker():
        ended = [await quick.finished(ANN.user, job) for job in jobs]
    assert [job.state for job in ended] == [JobState.FAILED] * 2
    assert "Line 601" in ended[0].error
    assert "holds nothing" in ended[1].error


async def test_mixed_lines_read_each_directory_once_a_batch(quick, monkeypatch):
    """A shuffled list of many archives, whose directories are not all kept at a time."""
    monkeypatch.setattr("mediamill.engine.gathering.members.KEPT_MEMBERS", 3)
    archives = [await quick.add_archive(ANN.user, "1.jpg", "2.jpg", "3.jpg") for _ in range(3)]
    lines = [
        f'{{"archive": "{archives[n % 3]}", "path": "{n % 4}.jpg", "name": "{n}.jpg"}}'
        for n in range(300)
    ]
    manifest = await quick.add_manifest(ANN.user, *lines)
    job = await quick.submit_named(ANN.user, manifest=manifest)
    listed, whole = [], quick.sources.members

    async def members(file):
        listed.append(file.id)
        return await whole(file)

    quick.sources.members = members
    await quick.engine().handlers["gather"].run(await claimed(quick))
    assert sorted(listed) == sorted(archives)
    for n, entry in enumerate(await quick.entries(job)):
        if n % 4:
            assert (entry.name, entry.file) == (f"{n}.jpg", archives[n % 3])
        else:
            assert entry.problem.message.startswith(f"Line {n + 1}: set.zip has no member")


def test_the_handler_is_registered(quick):
    assert isinstance(quick.engine().handlers["gather"], Gather)
    assert OPERATIONS.get("thumbnail").takes("image/jpeg")
