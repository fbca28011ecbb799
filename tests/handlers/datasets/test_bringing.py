"""What fills projects goes on after a cut, and makes nothing twice."""

import asyncio
import io
import zipfile
from pathlib import PurePosixPath

import pytest

from mediamill.annotations.model import Annotation, ImageAnnotations
from mediamill.handlers.datasets.bring import read_folders
from mediamill.handlers.files import thumbnails
from mediamill.handlers.removing import purge_project
from mediamill.services.projects.intake import MemberIntake
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.datasets import TaskState
from mediamill.store.repositories.files import File
from mediamill.store.repositories.projects import Project
from tests.faults import charges
from tests.handlers.conftest import ANN, BOB, Works
from tests.media_factory import clip
from tests.support.ageing import records, settled
from tests.web.test_datasets import png

SHARED = pytest.mark.asyncio(loop_scope="module")
"""Marks tests that share one service: they look at what is theirs only."""


def zipped(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for n in range(count):
            archive.writestr(f"train/{n}.png" if n % 5 else f"train/{n}.txt.png", png(n))
    return buffer.getvalue()


@pytest.mark.parametrize("after", [True, pytest.param(False, marks=pytest.mark.soak)])
async def test_an_import_goes_on_after_a_cut(works: Works, monkeypatch, after):
    """Cut before a portion gets its rows, or between them and the note that it has.

    The first gets them while the second is looked at already.
    """
    app, look, join, calls = works.app, MemberIntake.look, MemberIntake.join, []
    second, looks = asyncio.Event(), []
    archive = await works.upload("set.zip", zipped(30))
    project = (await app.projects.create(ANN, "set")).id

    async def looking(self, user, arriving):
        looks.append(len(arriving))
        if len(looks) == 2:
            second.set()
        return await look(self, user, arriving)

    async def cut(self, looked, **more):
        calls.append(len(looked.files))
        await asyncio.wait_for(second.wait(), 60)
        if len(calls) == 2:
            if after:
                await join(self, looked, **more)
            raise OSError("killed")
        return await join(self, looked, **more)

    monkeypatch.setattr(MemberIntake, "look", looking)
    monkeypatch.setattr(MemberIntake, "join", cut)
    task = await app.datasets.copies.bring(ANN, project, archive, None, "split")
    task = await app.datasets.tasks.get(ANN, project, task.id, 30)
    assert task.state is TaskState.SUCCEEDED, task
    assert task.outcome["taken"] == 30
    assert calls == [24, 6, 6]
    found = await app.projects.get(ANN, project)
    assert (found.files, found.original_train) == (30, 30)
    files = [row for row in await records(app, File) if row.source == "import"]
    assert sorted(row.name for row in files) == sorted(
        f"{n}.png" if n % 5 else f"{n}.txt.png" for n in range(30)
    )
    members = await app.projects.files(ANN, project, None, 100)
    numbers = [int(file.name.partition(".")[0]) for file in members.rows]
    assert numbers == list(range(30))  # as they lie in the archive
    await settled(app)
    assert charges.usage(app) == []


async def test_a_project_that_is_purged_leaves_no_file_without_its_picture(
    works: Works, monkeypatch
):
    app, gives_way = works.app, [True]
    monkeypatch.setattr(thumbnails, "LOOK_AGAIN_MS", 20)
    monkeypatch.setattr(purge_project, "LOOK_AGAIN_MS", 600)

    async def held(self, lease):
        return gives_way[0]

    monkeypatch.setattr(thumbnails.Thumbnails, "_gives_way", held)
    archive = await works.upload("set.zip", zipped(15))
    project = (await app.projects.create(ANN, "set")).id
    task = await app.datasets.copies.bring(ANN, project, archive, None, "split")
    task = await app.datasets.tasks.get(ANN, project, task.id, 30)
    assert task.state is TaskState.SUCCEEDED
    await app.projects.delete(ANN, project, now=True)
    await asyncio.sleep(0.3)
    gives_way.clear()
    gives_way.append(False)
    async with asyncio.timeout(60):
        while await app.store.get(Project, project):
            await asyncio.sleep(0.02)
    drawn = [row.thumbnail for row in await records(app, File) if row.source == "import"]
    assert (len(drawn), all(drawn)) == (15, True)


@SHARED
async def test_frames_of_a_job_become_members_with_their_video_as_group(shared: Works, tmp_path):
    app = shared.app
    videos = [
        await shared.upload(f"{n}.mp4", clip(tmp_path / f"{n}.mp4", seconds=1 + n).read_bytes())
        for n in range(2)
    ]
    job = await shared.run(videos, ("extract-frames", {"every": 0.5}))
    frames = [sum(file.info["frames"] for file in row.files) for row in await shared.rows(job)]
    assert sum(frames) == 6, "two of the first second, two more of the next, and one"
    project = (await app.projects.create(ANN, "frames")).id
    task = await app.datasets.copies.bring(ANN, project, None, job.id, "split")
    task = await app.datasets.tasks.get(ANN, project, task.id, 30)
    assert task.state is TaskState.SUCCEEDED, task
    assert (task.outcome["taken"], task.outcome["failed"]) == (sum(frames), 0)
    rows = [row async for row in app.datasets.members.projects.walk(project)]
    assert [row.group for row in rows] == [videos[0]] * frames[0] + [videos[1]] * frames[1]
    (made,) = {row.file_id(0) for row in await shared.rows(job) if row.input == videos[1]}
    listed = (await app.projects.files(ANN, project, None, 100)).rows
    picked = [str(file.lineage["path"]) for file in listed[-2:]]
    apart = (await app.projects.create(ANN, "picked")).id
    task = await app.datasets.copies.bring(ANN, apart, made, None, "split", picked)
    task = await app.datasets.tasks.get(ANN, apart, task.id, 30)
    assert (task.state, task.outcome["taken"]) == (TaskState.SUCCEEDED, 2), task
    rows = [row async for row in app.datasets.members.projects.walk(apart)]
    assert [row.group for row in rows] == [videos[1]] * 2
    await app.job_trash.delete(ANN, job.id, now=True)
    await settled(app)
    assert len((await app.projects.files(ANN, project, None, 100)).rows) == sum(frames)
    assert charges.usage(app) == []
    other = await shared.run([(await app.projects.files(ANN, project, None, 1)).rows[0].id], "flip")
    task = await app.datasets.copies.bring(ANN, project, None, other.id, "split")
    task = await app.datasets.tasks.get(ANN, project, task.id, 30)
    assert task.state is TaskState.FAILED
    assert "made no archives" in task.error


@SHARED
async def test_what_is_drawn_twice_at_one_moment_loses_nothing(shared: Works, monkeypatch):
    """Twenty files come with labels, and somebody draws on one of them between look and write."""
    app = shared.app
    notes = app.repositories.annotations
    project = (await app.projects.create(ANN, "set")).id
    contents = {f"file_{n}": ImageAnnotations(8, 8, labels=("cat",)) for n in range(20)}
    drawn = ImageAnnotations(8, 8, (Annotation(1, "dog", (1, 1, 2, 2)),))
    real, looks = notes.rows, []

    async def raced(name, files):
        found = await real(name, files)
        looks.append(files)
        if len(looks) == 1:
            await bring(notes, project, {"file_7": drawn})
        return found

    monkeypatch.setattr(notes, "rows", raced)
    await bring(notes, project, contents, over=False)
    found = await notes.of(project, list(contents))
    labels = {file: ImageAnnotations.decode(data).labels for file, data in found.items()}
    assert labels == {file: ("cat",) if file != "file_7" else () for file in contents}
    assert ImageAnnotations.decode(found["file_7"]).annotations == drawn.annotations


@SHARED
async def test_who_lost_the_share_copies_nothing(shared: Works):
    """Also when the copy was asked for before."""
    app = shared.app
    files = [await shared.upload(f"{n}.png", png(n)) for n in range(3)]
    project = (await app.projects.create(ANN, "set")).id
    await app.projects.add(ANN, project, files)
    other = await app.projects.create(BOB, "mine")
    request = {"source": project, "files": None, "seed": 0}
    task = await app.datasets.tasks.begin(BOB, other, "copy", request)
    task = await app.datasets.tasks.get(BOB, other.id, task.id, 30)
    assert task.state is TaskState.FAILED
    assert (await app.projects.get(BOB, other.id)).files == 0


@pytest.mark.parametrize(
    ("path", "folders", "said"),
    [
        ("train/cat/1.jpg", "split-and-class", ("train", "cat")),
        ("set/valid/images/dog/1.jpg", "split-and-class", ("validation", "dog")),
        ("set/VAL/1.jpg", "split", ("validation", "")),
        ("test/cat/1.jpg", "none", ("", "")),
        ("1.jpg", "split-and-class", ("", "")),
        ("cats/1.jpg", "split", ("", "")),
    ],
)
def test_folders_say_split_and_class(path, folders, said):
    assert read_folders(PurePosixPath(path), folders) == said
