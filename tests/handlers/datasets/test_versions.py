"""What deletions leave of a version, what retention takes, and what a kill does to its making."""

import asyncio
import contextlib
import hashlib
import itertools

import pytest
import pytest_asyncio

from mediamill.app import App
from mediamill.core.clock import SystemClock
from mediamill.core.errors import Conflict, Gone, InvalidInput, NotFound
from mediamill.core.settings import Settings
from mediamill.datasets.exporting import Wanted
from mediamill.handlers.datasets import forget, listing
from mediamill.handlers.datasets.export import ExportVersion
from mediamill.handlers.datasets.forget import Forgetting, RedactVersion
from mediamill.handlers.datasets.freeze import Freeze
from mediamill.handlers.datasets.listing import Listing
from mediamill.handlers.datasets.owning import Owning
from mediamill.handlers.datasets.turning import Turning
from mediamill.handlers.removing.collect import Collect
from mediamill.store.repositories.datasets import VersionFile, VersionState
from mediamill.store.repositories.projects import Project
from tests import media_factory as make
from tests.conftest import chosen
from tests.faults import charges
from tests.handlers.conftest import ANN, Beside, Works
from tests.support.ageing import age, gone, hurry, pace, records, settled, sweep
from tests.support.chains import CHAINED
from tests.support.quotas import limit
from tests.web.test_datasets import png

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = Wanted("files")
PICTURES = itertools.count()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    hurry(monkeypatch)
    monkeypatch.setattr(forget, "REDACT_MS", 50)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybodys(request, servers, tmp_path_factory):
    """A worker that looks often, over a store of files and one of results."""
    folder = tmp_path_factory.mktemp("versions")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        settings = Settings(
            home=folder / "home", slots=1, min_free_bytes=0, poll_seconds=pace(),
            results_url=f"file://{folder}/results",
        )  # fmt: skip
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        await beside.resume()
        yield Works(app, beside)
        await beside.pause()


@pytest_asyncio.fixture(loop_scope="module")
async def works(everybodys):
    """The same for all tests; what one of them began has ended before the next."""
    yield everybodys
    await settled(everybodys.app)


async def made(works: Works, count: int = 5) -> tuple[str, list[str]]:
    """Make a project of pictures that no other has."""
    files = [await works.upload(f"image-{n}.png", png(next(PICTURES))) for n in range(count)]
    project = await works.app.projects.create(ANN, "set")
    await works.app.projects.add(ANN, project.id, files)
    return project.id, files


async def frozen(works: Works, project: str):
    versions = works.app.datasets.versions
    version = await versions.create(ANN, project)
    version = await versions.wait(ANN, project, version.number, 30)
    assert version.state is VersionState.READY, version
    return version


async def content(works: Works, project: str, number: int, **more) -> bytes:
    export = works.app.datasets.versions.export
    found = await export(ANN, project, number, FILES, 30, **more)
    data = b"".join([chunk async for chunk in found.read(0, found.size)])
    assert len(data) == found.size
    return data


async def left(app: App, prefix: str) -> list[str]:
    """Return the keys of all blobs that begin so, in both stores."""
    return [blob.key for blobs in (app.blobs, app.results) async for blob in blobs.list(prefix)]


async def listed(app: App, project: str) -> list[VersionFile]:
    """Return the rows of all versions of a project."""
    return [
        row
        for row in await records(app, VersionFile)
        if row.version.startswith(f"versions/{project}/")
    ]


async def phones(works: Works) -> tuple[str, list[str]]:
    """Make a project of a picture and of two photos that lie turned."""
    names = ("orientation-6.jpg", "orientation-8.jpg")
    files = [await works.upload(name, make.sample(name).read_bytes()) for name in names]
    project, others = await made(works, 1)
    await works.app.projects.add(ANN, project, files)
    return project, [*others, *files]


async def upright(works: Works, project: str) -> list[str]:
    """Return what lies between the listing of version 1 and its end."""
    return await left(works.app, f"versions/{project}/1/upright/")


async def test_turned_photos_are_turned_once_however_often_it_is_cut(works: Works, monkeypatch):
    """Cut while they are listed, and while they get their keys."""
    app = works.app
    project, _ = await phones(works)
    call, charge, copy = Turning._call, Freeze._charge, Owning.copy
    calls, cuts = [], []

    async def counted(self, given, key):
        calls.append(given.file.name)
        return await call(self, given, key)

    async def listed_not(self, *arguments):
        if not cuts:
            cuts.append(await upright(works, project))
            raise OSError("killed")
        return await charge(self, *arguments)

    async def copied_not(self, pairs, attempts):
        lacking = await copy(self, pairs, attempts)
        if len(cuts) == 1:
            cuts.append(await upright(works, project))
            raise OSError("killed")
        return lacking

    monkeypatch.setattr(Turning, "_call", counted)
    monkeypatch.setattr(Freeze, "_charge", listed_not)
    monkeypatch.setattr(Owning, "copy", copied_not)
    version = await frozen(works, project)
    assert sorted(calls) == ["orientation-6.jpg", "orientation-8.jpg"]
    assert [len(found) for found in cuts] == [2, 2]
    assert cuts[0] == cuts[1]
    assert await upright(works, project) == []
    rows = [row async for row in app.datasets.versions.datasets.walk(version.root)]
    assert len(rows) == 3
    for row in rows:
        data = await app.blobs.get(row.blob)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row.size, row.sha256)
    assert charges.usage(app) == []


@pytest.mark.parametrize("moment", ["listed", "copied"])
async def test_a_turned_photo_that_goes_meanwhile_is_in_no_version(
    works: Works, monkeypatch, moment
):
    """Purged for good, its row too, before it got a row here, and after it got its bytes."""
    app = works.app
    project, files = await phones(works)
    record, copied = Freeze._record, Owning._copied

    async def purged():
        if await app.repositories.files.get(files[1]):
            await app.trash.delete(ANN, files[1], now=True)
            await gone(app, files[1])

    async def recorded(self, *arguments):
        await purged()
        return await record(self, *arguments)

    async def late(self, row, entry, attempts):
        if row.root == files[1] and moment == "copied":
            await self.blobs.copy(entry.upright, row.blob)
            await purged()
        return await copied(self, row, entry, attempts)

    if moment == "listed":
        monkeypatch.setattr(Freeze, "_record", recorded)
    monkeypatch.setattr(Owning, "_copied", late)
    version = await frozen(works, project)
    assert version.summary["left_out"] == {"gone": 1}
    rows = [row async for row in app.datasets.versions.datasets.walk(version.root)]
    assert {row.root for row in rows} == {files[0], files[2]}
    keys = {row.blob for row in rows}
    assert {*await left(app, f"{version.root}/files/")} == keys
    assert await upright(works, project) == []
    await settled(app)
    assert charges.usage(app) == []


async def test_a_photo_that_cannot_be_turned_is_as_it_came(works: Works):
    app = works.app
    broken = make.sample("orientation-6.jpg").read_bytes()[:40_000]
    project, _ = await made(works, 1)
    file = await works.upload("broken.jpg", broken)
    await app.projects.add(ANN, project, [file])
    version = await frozen(works, project)
    rows = [row async for row in app.datasets.versions.datasets.walk(version.root)]
    (row,) = [row for row in rows if row.root == file]
    assert await app.blobs.get(row.blob) == broken


async def test_results_of_a_job_that_is_purged_stay_in_a_version(works: Works):
    """Its bytes are its own, in the store where they were; charged until it is deleted."""
    app = works.app
    project, files = await made(works, 2)
    job = await works.run(files, "flip")
    results = [row.file_id(0) for row in await works.rows(job)]
    await app.projects.add(ANN, project, results)
    version = await frozen(works, project)
    assert version.files == 4
    before = await content(works, project, 1)
    assert len(await left(app, f"frozen/{project}/")) == 2
    await app.job_trash.delete(ANN, job.id, now=True)
    for file in files:
        await app.trash.delete(ANN, file, now=True)
    async with asyncio.timeout(60):
        while await app.repositories.jobs.get(job.id):
            await asyncio.sleep(pace())
    await gone(app, *files)
    assert await content(works, project, 1) == before
    assert charges.usage(app) == []
    await app.datasets.versions.delete(ANN, project, 1)
    async with asyncio.timeout(60):
        while await left(app, f"versions/{project}/") or await left(app, f"frozen/{project}/"):
            await asyncio.sleep(pace())
    await settled(app)
    assert charges.usage(app) == []


async def test_what_expires_leaves_every_version_which_says_so(works: Works):
    app = works.app
    project, files = await made(works)
    version = await frozen(works, project)
    whole = await content(works, project, 1)
    await app.trash.delete(ANN, files[1], now=True)  # deleted long before it is due
    await gone(app, files[1])
    assert await content(works, project, 1) == whole
    await age(app, files[0])
    assert await sweep(app) == 1
    await gone(app, files[0])
    await settled(app)
    with pytest.raises(Gone, match="1 of 5 images") as refusal:
        await content(works, project, 1)
    assert refusal.value.details["lost"] == 1
    rest = await content(works, project, 1, rest=True)
    assert b"image-0.png" not in rest
    assert rest.count(b"image-1.png") == whole.count(b"image-1.png")
    entries = await app.blobs.get(f"{version.root}/entries")
    assert b"image-0" not in entries
    assert not [key for key in await left(app, f"{version.root}/") if "document" in key]
    with pytest.raises(NotFound):
        await app.blobs.info(f"{version.root}/files/0000000")
    assert charges.usage(app) == []


async def test_a_purged_project_leaves_nothing(works: Works):
    app = works.app
    project, _ = await made(works)
    await frozen(works, project)
    await content(works, project, 1)
    fields = {"split": "test"}
    page = await app.projects.files(ANN, project, None, 10)
    await app.datasets.members.move(ANN, project, [page.rows[0].id], fields)
    assert await left(app, f"tasks/{project}")
    await app.projects.delete(ANN, project, now=True)
    async with asyncio.timeout(60):
        while await app.store.get(Project, project):
            await asyncio.sleep(pace())
    for place in ("versions", "frozen", "tasks"):
        assert await left(app, f"{place}/{project}/") == []
    assert charges.usage(app) == []


async def test_a_version_goes_on_after_a_kill(works: Works, monkeypatch):
    """Cut after some of the bytes: what it lists was decided before, and stays."""
    app = works.app
    project, files = await made(works, 6)
    copy, cuts = Owning.copy, []

    async def cut(self, pairs, attempts):
        cuts.append(len(pairs))
        if len(cuts) > 1:
            return await copy(self, pairs, attempts)
        await copy(self, pairs[: len(pairs) // 2], attempts)
        await app.projects.remove(ANN, project, files[:2])  # makes no difference any more
        raise OSError("killed")

    monkeypatch.setattr(Owning, "copy", cut)
    version = await frozen(works, project)
    assert len(cuts) == 2
    assert version.files == 6
    rows = [row async for row in app.datasets.versions.datasets.walk(version.root)]
    assert [row.place for row in rows] == list(range(6))
    assert isinstance(rows[0], VersionFile)
    assert charges.usage(app) == []


async def test_a_version_that_was_told_of_is_not_told_of_again(works: Works, monkeypatch):
    """Cut between `ready` and the end of its task, when it is not as it was listed any more."""
    app = works.app
    project, files = await made(works, 3)
    record, tell, told = Freeze._record, Freeze._tell, []

    async def recorded(self, *arguments):
        if await app.repositories.files.get(files[1]):
            await app.trash.delete(ANN, files[1], now=True)
            await gone(app, files[1])
        return await record(self, *arguments)

    async def cut(self, work):
        told.append(await tell(self, work))
        raise OSError("killed")

    monkeypatch.setattr(Freeze, "_record", recorded)
    monkeypatch.setattr(Freeze, "_tell", cut)
    version = await frozen(works, project)
    task = await app.datasets.tasks.get(ANN, project, version.task, 60)
    assert (task.state, task.outcome["hash"]) == ("succeeded", version.hash)
    assert [one.hash for one in told] == [version.hash]
    assert version.files == 2
    await settled(app)
    assert charges.usage(app) == []


async def test_the_collector_takes_only_what_nothing_names(works: Works):
    app = works.app
    project, _ = await made(works, 2)
    await frozen(works, project)
    await content(works, project, 1)
    before = await left(app, f"versions/{project}/")
    assert before
    orphans = ["versions/proj_gone/1/files/0000000", "tasks/proj_gone/task_gone"]
    for key in orphans:
        await app.blobs.put(key, b"nobody's")
    collect = Collect(app.store, app.parts.blob_stores(), SystemClock(), grace_ms=-10_000)
    await collect.collect(app.blobs)
    assert await left(app, f"versions/{project}/") == before
    assert await left(app, "versions/proj_gone/") == []
    assert await left(app, "tasks/proj_gone/") == []


async def test_a_version_that_is_deleted_while_it_is_made_leaves_nothing(works: Works, monkeypatch):
    app = works.app
    project, _ = await made(works, 3)
    record, going, go_on = Freeze._record, asyncio.Event(), asyncio.Event()

    async def slow(self, *arguments):
        going.set()
        await go_on.wait()
        return await record(self, *arguments)

    monkeypatch.setattr(Freeze, "_record", slow)
    monkeypatch.setattr(forget, "SOON_MS", 50)
    versions = app.datasets.versions
    await versions.create(ANN, project)
    async with asyncio.timeout(60):
        await going.wait()
        await versions.delete(ANN, project, 1)
        await asyncio.sleep(0.2)
        go_on.set()
        while await versions.datasets.version(project, 1):
            await asyncio.sleep(pace())
    assert await left(app, f"versions/{project}/") == []
    assert await listed(app, project) == []
    assert charges.usage(app) == []


async def test_members_that_are_moved_meanwhile_are_in_a_version_once(works: Works, monkeypatch):
    """And a task that is asked for beside it waits for its end."""
    app = works.app
    project, files = await made(works, 6)
    monkeypatch.setattr(listing, "BATCH", 2)
    members, tasks = Listing._members, []

    async def moving(self, version, left):
        pages = 0
        async for some in members(self, version, left):
            yield some
            pages += 1
            if pages == 1:
                await app.datasets.members.move(ANN, project, files[:2], {"split": "train"})
                await app.datasets.members.move(ANN, project, files[4:], {"split": "test"})
                split = {"train": 0.5, "validation": 0.5}
                tasks.append(await app.datasets.splits.begin(ANN, project, split))
            elif pages == 2:
                await asyncio.sleep(0.3)  # enough for a worker to begin it, if it were its turn
                (row,) = [await app.datasets.tasks.get(ANN, project, one.id) for one in tasks]
                assert row.state == "waiting"

    monkeypatch.setattr(Listing, "_members", moving)
    version = await frozen(works, project)
    assert version.files == 6
    assert version.summary["splits"] == {"": 4, "test": 2}
    task = await app.datasets.tasks.get(ANN, project, tasks[0].id, 10)
    assert task.state == "succeeded"


async def test_what_fails_leaves_nothing_and_says_why(works: Works, monkeypatch):
    """What is over the quota is refused at once, before the first byte."""
    app = works.app
    project, _ = await made(works, 3)
    versions = app.datasets.versions
    limit(app, bytes=(await app.repositories.usages.get(ANN.user)).bytes + 1)

    async def failed(why: str) -> None:
        version = await versions.create(ANN, project)
        version = await versions.wait(ANN, project, version.number, 20)
        assert version.state is VersionState.FAILED
        assert why in version.error
        assert await left(app, f"versions/{project}/") == []
        assert await listed(app, project) == []
        assert charges.usage(app) == []

    async def refused(self, version):
        raise InvalidInput("It is not to be.")

    await failed("at most")
    limit(app)
    monkeypatch.setattr(Freeze, "_document", refused)
    await failed("It is not to be.")


async def test_a_version_of_steps_says_what_is_left_out(works: Works):
    app = works.app
    project, _ = await made(works, 3)
    await app.projects.add(ANN, project, [await works.upload("bad.png", png(next(PICTURES))[:-40])])
    versions = app.datasets.versions
    await versions.create(ANN, project, "flipped", (("flip", {}),))
    version = await versions.wait(ANN, project, 1, 30)
    assert (version.state, version.files) == (VersionState.READY, 3)
    assert version.summary["left_out"] == {"failed": 1}
    with pytest.raises(NotFound, match="no version before 1"):
        await versions.difference(ANN, project, 1)


async def test_a_version_of_steps_that_were_cancelled_fails(works: Works):
    app = works.app
    project, _ = await made(works, 2)
    await works.worker.pause()
    version = await app.datasets.versions.create(ANN, project, "flipped", (("flip", {}),))
    await app.jobs.cancel(ANN, version.job)
    await works.worker.resume()
    version = await app.datasets.versions.wait(ANN, project, 1, 30)
    assert version.state is VersionState.FAILED
    assert "is cancelled" in version.error


async def expire(app: App, file: str) -> None:
    await sweep(app)
    await gone(app, file)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("copy", marks=pytest.mark.soak),
        pytest.param("_document", marks=pytest.mark.soak),
        "killed",
    ],
)
async def test_what_expires_while_a_version_is_made_is_not_in_it(works: Works, monkeypatch, step):
    """Its rows not seen by the purge, before the version is ready, and that with a kill."""
    app = works.app
    project, files = await made(works, 3)
    await age(app, files[0])
    name = "_document" if step == "killed" else step
    where = Owning if name == "copy" else Freeze
    real, seen = getattr(where, name), []

    async def none(self, root):
        return 0

    async def late(self, *arguments):
        if seen:
            return await real(self, *arguments)
        seen.append(step)
        if step == "copy":  # whoever purges it does not see the rows
            lacking = await real(self, *arguments)
            with monkeypatch.context() as patched:
                patched.setattr(Forgetting, "root", none)
                await expire(app, files[0])
            return lacking
        found = await real(self, *arguments)
        await expire(app, files[0])
        if step == "killed":
            raise OSError("killed")
        return found

    monkeypatch.setattr(where, name, late)
    version = await frozen(works, project)
    await settled(app)
    version = await app.datasets.versions.get(ANN, project, 1)
    assert (version.files, version.lost) == (2, 0)
    assert version.summary["left_out"] == {"gone": 1}
    assert b"image-0" not in await app.blobs.get(f"{version.root}/document")
    assert b"image-0" not in await app.blobs.get(f"{version.root}/entries")
    assert len(await left(app, f"{version.root}/files")) == 2
    assert b"image-0" not in await content(works, project, 1)
    await app.datasets.versions.delete(ANN, project, 1)
    await settled(app)
    assert charges.usage(app) == []


async def test_what_expires_while_texts_are_written_anew_leaves_them_too(works: Works, monkeypatch):
    app = works.app
    project, files = await made(works, 4)
    version = await frozen(works, project)
    await age(app, files[0])
    real, seen = RedactVersion._rewrite, []

    async def slow(self, row):
        await real(self, row)
        if not seen:
            seen.append(row.lost)
            await self.forgetting.root(files[2])  # another worker purges it

    monkeypatch.setattr(RedactVersion, "_rewrite", slow)
    await expire(app, files[0])
    await settled(app)
    entries = await app.blobs.get(f"{version.root}/entries")
    assert b"image-1" in entries
    assert b"image-2" not in entries
    assert b"image-2" not in await content(works, project, 1, rest=True)


@pytest.mark.soak
async def test_an_export_beside_a_deletion_is_taken_back(works: Works, monkeypatch):
    app = works.app
    project, files = await made(works, 3)
    version = await frozen(works, project)
    await age(app, files[0])
    lay, deeds = ExportVersion._lay, []

    async def slow(self, *arguments):
        laid = await lay(self, *arguments)
        deeds.append(len(deeds))
        if len(deeds) == 1:
            await expire(app, files[0])
        elif len(deeds) == 2:
            await app.datasets.versions.delete(ANN, project, 1)
            async with asyncio.timeout(60):
                while await app.datasets.versions.datasets.version(project, 1):
                    await asyncio.sleep(pace())
        return laid

    monkeypatch.setattr(ExportVersion, "_lay", slow)
    with pytest.raises(Conflict):
        await app.datasets.versions.export(ANN, project, 1, FILES)
    async with asyncio.timeout(60):
        while not deeds:
            await asyncio.sleep(pace())
    await settled(app)
    assert await left(app, f"{version.root}/exports") == []
    with pytest.raises((Conflict, NotFound)):
        await app.datasets.versions.export(ANN, project, 1, FILES, rest=True)
    async with asyncio.timeout(60):
        while len(deeds) < 2:
            await asyncio.sleep(pace())
    await settled(app)
    assert await left(app, f"versions/{project}/") == []


async def test_exports_are_few_kept_a_week_and_say_why_there_is_none(works: Works, monkeypatch):
    app = works.app
    project, _ = await made(works, 3)
    version = await frozen(works, project)
    export = app.datasets.versions.export
    with pytest.raises(InvalidInput, match="1, 2, 5, 10"):
        await export(ANN, project, 1, Wanted("webdataset", None, 0, 3), 30)
    with pytest.raises(NotFound, match="shard 2"):
        await export(ANN, project, 1, Wanted("webdataset", None, 2, 2), 30)
    assert await left(app, f"{version.root}/exports") == []
    await content(works, project, 1)
    day = 24 * 3_600_000
    for days, kept in ((6, 3), (7.5, 2), (9, 0)):  # what says that it is there goes first
        collect = Collect(
            app.store, app.parts.blob_stores(), SystemClock(), grace_ms=-int(days * day)
        )
        await collect.collect(app.blobs)
        assert len(await left(app, f"{version.root}/exports")) == kept

    async def refused(self, *arguments):
        raise InvalidInput("It is not to be.")

    with monkeypatch.context() as patched:
        patched.setattr(ExportVersion, "_lay", refused)
        with pytest.raises(Conflict, match="It is not to be") as refusal:
            await content(works, project, 1)
    assert refusal.value.details["state"] == "failed"
    with contextlib.suppress(Conflict):  # who asks at the end of a try has begun another
        await content(works, project, 1)
    assert await content(works, project, 1)
