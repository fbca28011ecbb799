"""Health checks in jobs: of images with a wreck among them, of a project's splits, of frames."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.port import Put
from mediamill.store.repositories.annotations import Change
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.results import Result
from tests.handlers.conftest import ANN, Works
from tests.media_factory import clip
from tests.support.planted import CHANGES, changed, jpeg, scene

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def works(shared: Works) -> Works:
    return shared


async def report(works: Works, row: Result) -> tuple[dict, pa.Table]:
    """Return the report and the table of a job's one result."""
    assert [file.name for file in row.files] == ["health.json", "health.parquet"]
    table = pq.read_table(pa.BufferReader(await works.bytes(row, 1)))
    return json.loads(await works.bytes(row, 0)), table


async def test_a_wreck_is_listed_and_its_neighbours_are_measured(works: Works):
    pictures = [scene(8, n, []) for n in range(3)]
    files = [await works.upload(f"{n}.jpg", jpeg(one)) for n, one in enumerate(pictures)]
    files.append(await works.upload("wreck.jpg", jpeg(pictures[0])[:9000]))
    how = next(iter(CHANGES))
    files.append(await works.upload("again.jpg", changed(8, 1, pictures[1], how)))
    job = await works.run(files, "health-check")
    assert (job.state, job.failed_earlier) == (JobState.PARTIAL, 1)
    (row,) = await works.rows(job)
    assert (row.data or {})["images"] == 4
    assert (row.data or {})["near_duplicates"] == 1
    said, table = await report(works, row)
    assert [one["name"] for one in said["broken"]] == ["wreck.jpg"]
    (group,) = said["duplicates"]["near"]
    assert [one["file"] for one in group["images"]] == [files[1], files[4]]
    assert table["file"].to_pylist() == files


async def test_a_project_is_told_of_leaks_between_its_splits_and_of_classes(works: Works):
    picture = scene(8, 1, [])
    data = [jpeg(picture), jpeg(scene(8, 2, [])), changed(8, 0, picture, "flip")]
    files = [await works.upload(f"{n}.jpg", one) for n, one in enumerate(data)]
    splits = dict(zip(files, ("train", "train", "test"), strict=True))
    project = await filled(works, splits)
    held = await works.app.repositories.projects.holding(project.id, files[1:])
    for one in held.values():  # as a move by hand may leave frames of one video
        await works.app.repositories.projects.store.transact(Put(one.evolve(group="clip")))
    request = JobRequest(named=Named(project=project.id), steps=(("health-check", {}),))
    job = await works.ended(await works.app.jobs.submit(ANN, request))
    assert job.state is JobState.SUCCEEDED
    (row,) = await works.rows(job)
    said, table = await report(works, row)
    leak, apart = said["leaks"]
    assert (leak["kind"], leak["splits"]) == ("near", ["test", "train"])
    assert {one["file"] for one in leak["images"]} == {files[0], files[2]}
    assert (apart["kind"], apart["group"]) == ("group", "clip")
    assert {one["file"] for one in apart["images"]} == {*files[1:]}
    assert dict(zip(table["file"].to_pylist(), table["split"].to_pylist(), strict=True)) == splits
    assert said["classes"]["classes"] == [
        {"name": "cat", "objects": 3, "images": 3, "splits": {"test": 1, "train": 2}}
    ]
    assert table["objects"].to_pylist() == [1, 1, 1]


async def filled(works: Works, splits: dict[str, str]) -> Project:
    """Make a project of files in splits, with a cat on each."""
    made = await works.app.projects.create(ANN, "set")
    await works.app.projects.add(ANN, made.id, list(splits))
    nouns = works.app.repositories
    known = await nouns.annotations.add_classes(made.id, [Category(5, "cat", colour="#ff0000")])
    held = await nouns.projects.holding(made.id, list(splits))
    for n, (file, split) in enumerate(splits.items()):
        await nouns.projects.store.transact(Put(held[file].evolve(split=split)))
        size = (await nouns.lookup.get(file)).width, (await nouns.lookup.get(file)).height
        cat = Annotation(n + 1, "cat", box=(4.0, 2.0, 80.0, 60.0))
        content = known.book.numbered(ImageAnnotations(*size, (cat,)))
        await nouns.annotations.write(made.id, [Change(file, None, content)], "", 1)
    return made


async def test_frames_are_measured_in_memory(works: Works, tmp_path: Path):
    video = clip(tmp_path / "a.mp4", seconds=1)
    file = await works.upload("a.mp4", video.read_bytes())
    job = await works.run([file], ("extract-frames", {"fps": 5}), "health-check")
    assert (job.state, job.stages) == (JobState.SUCCEEDED, 2)
    (row,) = await works.rows(job)
    said, table = await report(works, row)
    assert said["summary"]["files"] == 1
    assert said["summary"]["images"] == 5
    assert table["picture"].to_pylist() == [0, 1, 2, 3, 4]
    times = table["time"].to_pylist()
    assert times == sorted(times)
    assert times[-1] > 0.5
