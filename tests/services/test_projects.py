"""Projects: members of every kind, strangers, purges, counts that agree with the rows."""

import asyncio

import pytest
from tests.support.submission import SubmissionHarness

from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.errors import Conflict, InvalidInput, NotFound, ProjectFull
from mediamill.engine.announcing import Announcer
from mediamill.services.access import Access
from mediamill.services.files.trash import Trash
from mediamill.store.opening import open_store
from mediamill.store.port import Update
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.projects import Project, ProjectFile, joining, member
from mediamill.store.repositories.units import Unit

ANN, BOB = Principal("user_ann"), Principal("user_bob")


@pytest.fixture(params=["memory", "sqlite"])
async def harness(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield SubmissionHarness(store)
    await store.close()


@pytest.fixture
def projects(harness):
    return harness.projects


async def members(projects, project):
    """Return all rows of a project, having compared its count with them."""
    rows, after = [], None
    while True:
        page = await projects.projects.members(project, after)
        rows += [row.file for row in page.rows]
        after = page.after
        if after is None:
            break
    row = await projects.projects.get(project)
    assert row is None or row.files == len(rows)
    return rows


async def test_files_join_and_leave_once(harness, projects):
    files = await harness.add_files(ANN.user, 250)
    project = await projects.create(ANN, "  Cats ")
    assert project.name == "Cats"
    assert await projects.add(ANN, project.id, files[:200]) == 200
    assert await projects.add(ANN, project.id, [*files, files[0]]) == 50
    assert await members(projects, project.id) == sorted(files)
    assert await projects.remove(ANN, project.id, [*files[:3], "file_x"]) == 3
    page = await projects.files(ANN, project.id, None, 100)
    assert [file.id for file in page.rows] == sorted(files)[3:103]
    assert len(await members(projects, project.id)) == 247


async def test_many_at_once_agree(harness, projects):
    files = await harness.add_files(ANN.user, 60)
    project = await projects.create(ANN, "p")
    slices = [files[start : start + 40] for start in (0, 10, 20)] * 2
    added = await asyncio.gather(*(projects.add(ANN, project.id, part) for part in slices))
    assert sum(added) == 60
    assert len(await members(projects, project.id)) == 60


async def test_files_of_others_do_not_join(harness, projects):
    mine, theirs = await harness.add_files(ANN.user, 1), await harness.add_files(BOB.user, 2)
    project = await projects.create(ANN, "p")
    with pytest.raises(InvalidInput) as refusal:
        await projects.add(ANN, project.id, [*mine, *theirs, "file_nowhere"])
    pointers = [error["pointer"] for error in refusal.value.details["errors"]]
    assert pointers == ["files.1", "files.2", "files.3"]
    assert await members(projects, project.id) == []


async def test_projects_of_others_are_not_there(harness, projects):
    files = await harness.add_files(BOB.user, 1)
    project = await projects.create(ANN, "p")
    for call in (
        projects.get(BOB, project.id),
        projects.change(BOB, project.id, "mine now"),
        projects.delete(BOB, project.id),
        projects.add(BOB, project.id, files),
        projects.remove(BOB, project.id, files),
        projects.files(BOB, project.id, None, 10),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await projects.list(BOB, None, 10)).rows == ()
    assert (await projects.get(ANN, project.id)).name == "p"


async def test_a_deleted_project_goes_and_its_files_stay(harness, projects):
    files = await harness.add_files(ANN.user, 150)
    project = await projects.create(ANN, "p")
    await projects.add(ANN, project.id, files)
    await projects.delete(ANN, project.id, now=True)
    with pytest.raises(NotFound):
        await projects.add(ANN, project.id, files[:1])
    async with harness.worker(), asyncio.timeout(60):
        while await projects.projects.get(project.id) is not None:
            await asyncio.sleep(0.02)
    assert await members(projects, project.id) == []
    assert await harness.files.get(files[0])
    assert await harness.units.of_group(f"purge:{project.id}") == ()


async def test_a_deleted_project_comes_back_within_a_day(harness, projects):
    files = await harness.add_files(ANN.user, 3)
    project = await projects.create(ANN, "p")
    await projects.add(ANN, project.id, files)
    assert (await projects.restore(ANN, project.id)).revision == project.revision
    await projects.delete(ANN, project.id)
    for call in (projects.get(ANN, project.id), projects.delete(ANN, project.id)):
        with pytest.raises(NotFound):
            await call
    for call in (projects.restore(BOB, project.id), projects.delete(BOB, project.id, now=True)):
        with pytest.raises(NotFound):
            await call
    assert [row.id for row in (await projects.trash(ANN, None, 10)).rows] == [project.id]
    assert (await projects.trash(BOB, None, 10)).rows == ()
    assert (await projects.list(ANN, None, 10)).rows == ()
    (unit,) = await harness.units.of_group(f"purge:{project.id}")
    assert unit.due - unit.created == DAY

    assert (await projects.restore(ANN, project.id)).files == 3
    assert await members(projects, project.id) == sorted(files)
    await asyncio.sleep(0.005)
    await projects.delete(ANN, project.id)
    await harness.store.transact(Update(Unit, unit.key_values(), set={"due": unit.created}))
    async with harness.worker(), asyncio.timeout(60):  # of the deletion that was undone
        while len(await harness.units.of_group(f"purge:{project.id}")) > 1:
            await asyncio.sleep(0.02)
    await projects.restore(ANN, project.id)
    assert await members(projects, project.id) == sorted(files)

    await projects.delete(ANN, project.id)
    await projects.delete(ANN, project.id, now=True)
    running = Update(Project, (project.id,), set={"listed": None})  # as the first step leaves it
    await harness.store.transact(running)
    with pytest.raises(Conflict, match="being removed"):
        await projects.restore(ANN, project.id)
    with pytest.raises(NotFound):
        await projects.delete(ANN, project.id, now=True)
    async with harness.worker(), asyncio.timeout(60):
        while await projects.projects.get(project.id) is not None:
            await asyncio.sleep(0.02)


async def test_a_purged_file_leaves_its_projects(harness, projects):
    files = await harness.add_files(ANN.user, 3)
    both = [await projects.create(ANN, name) for name in ("one", "two")]
    for project in both:
        await projects.add(ANN, project.id, files)
    await Keeping(projects.projects.store).forget_file(files[1])
    for project in both:
        assert await members(projects, project.id) == [files[0], files[2]]


async def test_what_is_deleted_for_good_leaves_its_projects(harness, projects):
    files = await harness.add_files(ANN.user, 2)
    job = await harness.submit(ANN.user, files)
    made = [f"file_{job.id.removeprefix('job_')}-0-{item}-0" for item in range(2)]
    project = await projects.create(ANN, "p")
    await projects.add(ANN, project.id, files)
    rows = [member(project.id, file, 1) for file in made]
    await harness.store.transact(*joining(project, rows))
    rule = Update(Project, (project.id,), set={"keep": "none", "ruled": ANN.user})
    await harness.store.transact(rule)
    access, announcer = Access(harness.store), Announcer(harness.store)
    trash = Trash(harness.store, access, harness.files, harness.units, harness.bell, announcer)
    async with harness.worker(), asyncio.timeout(60):
        await harness.finished(ANN.user, job)
        await trash.delete(ANN, files[0])
        assert len((await projects.files(ANN, project.id, None, 10)).rows) == 1
        assert len(await members(projects, project.id)) == 4
        await trash.delete(ANN, files[0], now=True)
        await harness.trash.delete(ANN, job.id, now=True)
        while len(await members(projects, project.id)) > 1:
            await asyncio.sleep(0.02)
    assert await members(projects, project.id) == [files[1]]
    assert (await harness.files.get(files[1])).kept  # for a day: its result was kept


async def test_results_of_a_purged_job_leave(harness, projects):
    store = harness.store
    project = await projects.create(ANN, "p")
    file = "file_01KAHRQPV0V3E3M2X5E2C8T2QG-0-3-1"
    await store.transact(*joining(project, [member(project.id, file, 1)]))
    row = await store.get(ProjectFile, project.id, file)
    assert row.job == "job_01KAHRQPV0V3E3M2X5E2C8T2QG"
    await Keeping(store).forget_job(row.job)
    assert await members(projects, project.id) == []


async def test_who_finds_it_full_on_the_way_takes_out_what_was_added(harness, projects):
    """Several transactions each, and room for less than all: what is not whole is not there."""
    files = await harness.add_files(ANN.user, 400)
    project = await projects.create(ANN, "p")
    change = Update(Project, (project.id,), set={"settings": {"max_files": 250}})
    await harness.store.transact(change)
    with pytest.raises(ProjectFull) as caught:
        await projects.add(ANN, project.id, files)
    assert caught.value.details == {"files": 0, "more": 400, "max_files": 250}
    slices = [files[:200], files[200:]]
    added = await asyncio.gather(
        *(projects.add(ANN, project.id, part) for part in slices), return_exceptions=True
    )
    there = await members(projects, project.id)
    assert all(one == 200 or isinstance(one, ProjectFull) for one in added)
    assert len(there) == 200 * added.count(200)
    if not there:  # both were in the other's way
        await projects.add(ANN, project.id, files[:200])
        there = await members(projects, project.id)
    assert await projects.add(ANN, project.id, there) == 0  # again is harmless
    room = 250 - len(there)
    single = [file for file in files if file not in there][: room + 20]
    ends = await asyncio.gather(
        *(projects.add(ANN, project.id, [file]) for file in single), return_exceptions=True
    )
    assert ends.count(1) == room
    assert len(await members(projects, project.id)) == 250
