"""Jobs over projects: what they know of their inputs, and results that join a project."""

import itertools

import msgspec
import numpy as np
import pytest

from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.handlers.removing import expire_job
from mediamill.handlers.stages import enrolling
from mediamill.handlers.stages.enrolling import Enrolling
from mediamill.media.image.codecs.encode import encode
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.port import Put
from mediamill.store.repositories.annotations import Change
from mediamill.store.repositories.datasets import ProjectShare
from mediamill.store.repositories.jobs import Entry, Job, JobState
from mediamill.store.repositories.projects import Project
from tests.handlers.conftest import ANN, BOB, Works

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def works(shared: Works) -> Works:
    return shared


COUNT = itertools.count(1)
STEPS = (("preprocess", {"methods": ["resize"], "width": 20}),)


def picture(n: int) -> bytes:
    pixels = np.full((20, 40, 3), 10 * n, np.uint8)
    pixels[0, 0, :2] = divmod(next(COUNT), 256)
    return encode(pixels, "png")


async def project(works: Works, count: int = 4) -> tuple[Project, list[str]]:
    """Make a project of images, split in turn, each with a box."""
    made = await works.app.projects.create(ANN, "set")
    files = [await works.upload(f"{n}.png", picture(n)) for n in range(count)]
    await works.app.projects.add(ANN, made.id, files)
    nouns = works.app.repositories
    known = await nouns.annotations.add_classes(made.id, [Category(5, "cat", colour="#ff0000")])
    held = await nouns.projects.holding(made.id, files)
    for n, file in enumerate(files):
        split = ("train", "validation", "test", "")[n % 4]
        await nouns.projects.store.transact(Put(held[file].evolve(split=split, group=f"g{n}")))
        box = Annotation(n + 1, "cat", box=(4.0, 2.0, 8.0, 6.0))
        content = known.book.numbered(ImageAnnotations(40, 20, (box,)))
        await nouns.annotations.write(made.id, [Change(file, None, content)], "", 1)
    return made, files


async def submitted(works: Works, named: Named, steps=STEPS, **more) -> Job:
    request = JobRequest(named=named, steps=steps, **more)
    return await works.ended(await works.app.jobs.submit(ANN, request))


async def test_results_join_a_project_with_what_is_known_of_them(works: Works):
    source, files = await project(works)
    target = await works.app.projects.create(ANN, "out")
    job = await submitted(works, Named(project=source.id), output_project=target.id)
    assert (job.state, job.counts.succeeded, job.joined) == (JobState.SUCCEEDED, 4, 4)
    nouns = works.app.repositories
    rows = {row.input: row for row in await works.rows(job)}
    joined = await nouns.projects.holding(target.id, [rows[f].file_id(0) for f in files])
    found = [joined[rows[file].file_id(0)] for file in files]
    assert [row.split for row in found] == ["train", "validation", "test", ""]
    assert [row.group for row in found] == ["g0", "g1", "g2", "g3"]
    assert {row.subset for row in found} == {"preprocessed"}
    marks = await nouns.annotations.of(target.id, [*joined])
    assert len(marks) == 4
    for data in marks.values():
        (one,) = ImageAnnotations.decode(data).annotations
        assert (one.category, one.box) == ("cat", (2.0, 1.0, 4.0, 3.0))
    (category,) = await nouns.annotations.categories(target.id)
    assert (category.name, category.number, category.colour) == ("cat", 5, "#ff0000")
    again = await nouns.projects.get(target.id)
    assert again.files == 4
    assert again.counts["preprocessed"] == {"": 1, "train": 1, "validation": 1, "test": 1}


async def test_a_part_of_a_project(works: Works):
    source, files = await project(works)
    job = await submitted(works, Named(project=source.id, split="train"))
    assert [row.input for row in await works.rows(job)] == files[:1]
    job = await submitted(works, Named(project=source.id, split=""))
    assert [row.input for row in await works.rows(job)] == files[3:]
    with pytest.raises(InvalidInput, match="holds nothing"):
        await submitted(works, Named(project=source.id, subset="augmented"))
    with pytest.raises(InvalidInput, match="that of a project"):
        await submitted(works, Named(files=tuple(files), split="train"))


async def test_only_what_a_retry_made_joins_afterwards(works: Works):
    source, files = await project(works)
    target = await works.app.projects.create(ANN, "out")
    file = await works.app.repositories.lookup.get(files[2])
    kept = await works.app.blobs.get(file.blob)
    await works.app.blobs.delete(file.blob)
    job = await submitted(works, Named(project=source.id), output_project=target.id)
    assert (job.state, job.joined) == (JobState.PARTIAL, 3)
    gone = (await works.rows(job))[0].file_id(0)
    await works.app.projects.remove(ANN, target.id, [gone])
    await works.app.blobs.put(file.blob, kept)
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.joined) == (JobState.SUCCEEDED, 4)
    left = await works.app.repositories.projects.members(target.id)
    assert gone not in {row.file for row in left.rows}
    assert len(left.rows) == 3


async def test_a_project_that_is_not_theirs_or_has_gone(works: Works):
    files = [await works.upload("a.png", picture(1))]
    other = await works.app.projects.create(BOB, "bobs")
    with pytest.raises(InvalidInput) as caught:
        await submitted(works, Named(files=tuple(files)), output_project=other.id)
    assert caught.value.details["errors"][0]["pointer"] == "output_project"
    mine = await works.app.projects.create(ANN, "mine")
    await works.worker.pause()
    request = JobRequest(files=tuple(files), steps=STEPS, output_project=mine.id)
    job = await works.app.jobs.submit(ANN, request)
    await works.app.projects.delete(ANN, mine.id)
    await works.worker.resume()
    job = await works.ended(job)
    assert (job.state, job.joined) == (JobState.SUCCEEDED, 0)
    assert "could not join" in job.error


async def test_who_may_only_look_meanwhile_adds_nothing(works: Works):
    file, store = await works.upload("a.png", picture(1)), works.app.store
    theirs = await works.app.projects.create(BOB, "bobs")
    shared = ProjectShare(user=ANN.user, project=theirs.id, role="editor", created=0)
    await store.transact(Put(shared))
    await works.worker.pause()
    request = JobRequest(files=(file,), steps=STEPS, output_project=theirs.id)
    job = await works.app.jobs.submit(ANN, request)
    await store.transact(Put(shared.evolve(role="viewer")))
    await works.worker.resume()
    job = await works.ended(job)
    assert (job.state, job.joined) == (JobState.SUCCEEDED, 0)
    assert "could not join" in job.error
    assert not (await works.app.repositories.projects.members(theirs.id)).rows


async def test_annotations_that_are_long_keep_their_way(works: Works):
    source, (file,) = await project(works, 1)
    nouns = works.app.repositories
    known = await nouns.annotations.book(source.id)
    row = (await nouns.annotations.rows(source.id, [file]))[file]
    many = tuple(Annotation(n, "cat", box=(n % 30, 1.0, 8.0, 6.0)) for n in range(400))
    content = known.book.numbered(ImageAnnotations(40, 20, many))
    await nouns.annotations.write(source.id, [Change(file, row, content)], "", 2)
    target = await works.app.projects.create(ANN, "out")
    job = await submitted(works, Named(project=source.id), output_project=target.id)
    (row,) = await works.rows(job)
    assert row.files[0].annotations_blob
    marks = await nouns.annotations.of(target.id, [row.file_id(0)])
    assert len(ImageAnnotations.decode(marks[row.file_id(0)]).annotations) == 400
    again = await submitted(works, Named(project=source.id))
    (reused,) = await works.rows(again)
    assert reused.outcome == "reused"
    assert reused.files[0].annotations_blob not in ("", row.files[0].annotations_blob)
    data = await works.app.results.get(reused.files[0].annotations_blob)
    assert len(ImageAnnotations.decode(data).annotations) == 400


async def test_nothing_that_tests_is_mixed_into_what_trains(works: Works):
    source, files = await project(works, 8)
    job = await submitted(works, Named(project=source.id), (("mix", {"count": 3}),), seed=1)
    rows = await works.rows(job)
    inputs = {row.item: row.input for row in rows}
    mixed = {inputs[item] for row in rows for item in row.lineage["partners"]}
    assert mixed <= {*files[0::4], *files[3::4]}
    assert len(mixed) > 2


async def test_another_split_or_annotation_is_another_outcome(works: Works):
    source, files = await project(works)
    nouns = works.app.repositories
    steps = (("augment", {"methods": ["horizontal-flip"], "probability": {"horizontal-flip": 1}}),)

    async def anew() -> list[str]:
        rows = await works.rows(await submitted(works, Named(project=source.id), steps, seed=1))
        return [row.input for row in rows if row.outcome != "reused"]

    assert await anew() == files
    held = (await nouns.projects.holding(source.id, files))[files[1]]
    await nouns.projects.store.transact(Put(held.evolve(split="train")))
    assert await anew() == [files[1]]
    row = (await nouns.annotations.rows(source.id, files))[files[0]]
    known = await nouns.annotations.book(source.id)
    moved = (Annotation(1, "cat", box=(1.0, 2.0, 8.0, 6.0)),)
    content = known.book.numbered(ImageAnnotations(40, 20, moved))
    await nouns.annotations.write(source.id, [Change(files[0], row, content)], "", 2)
    assert await anew() == [files[0]]
    assert await anew() == []


async def test_results_join_once_whatever_stops_between(works: Works, monkeypatch):
    source, _ = await project(works, 2)
    target = await works.app.projects.create(ANN, "out")
    stopped, join = set(), Enrolling._join

    async def joined(self, lease, job, payload, batch):
        await join(self, lease, job, payload, batch)
        place = lease.unit.payload.get("joined")
        if place not in stopped:  # once with a part of each item's files joined
            stopped.add(place)
            raise RuntimeError("stopped")

    monkeypatch.setattr(enrolling, "TOGETHER", 2)
    monkeypatch.setattr(Enrolling, "_join", joined)
    steps = (("augment", {"methods": ["rotate"], "copies": 3, "splits": ["train", "validation"]}),)
    job = await submitted(works, Named(project=source.id), steps, output_project=target.id)
    made = [row.file_id(n) for row in await works.rows(job) for n in range(3)]
    members = await works.app.repositories.projects.members(target.id)
    assert sorted(row.file for row in members.rows) == sorted(made)
    assert (job.joined, stopped) == (6, {0, 1})
    assert (await works.app.repositories.projects.get(target.id)).files == 6


async def test_what_is_marked_alike_stays_with_what_is_there(works: Works, monkeypatch):
    source, (file,) = await project(works, 1)
    job = await submitted(works, Named(project=source.id))
    manifests = works.app.repositories.manifests
    marked = await manifests.annotated(Entry("file_gone", "a.png"), job.id, b"x" * 9_000)
    alone = await manifests.annotated(Entry("file_gone", "b.png"), job.id, b"y" * 9_000)
    there = msgspec.structs.replace(marked, file=file, name="c.png")
    for page, entry in enumerate((marked, alone, there), start=1):
        await manifests.store.transact(await manifests.page(job.id, 0, page, [entry]))
    handler = works.app.handlers()["expire_job"]

    async def gone(files):
        return {"file_gone"} & {*files}

    monkeypatch.setattr(handler, "_gone", gone)
    monkeypatch.setattr(expire_job, "PAGE_ENTRIES", 1)
    await handler._inputs(job)
    assert (await manifests.entries(job.id, 0, 1))[0] == expire_job.GONE
    assert await manifests.annotations(there) == b"x" * 9_000
    with pytest.raises(NotFound):
        await manifests.annotations(alone)
