"""Replays: a result made again is the same, to the byte."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from mediamill.core.errors import InvalidInput, NotFound
from mediamill.media.image.codecs.encode import encode
from mediamill.store.repositories.jobs import Job, JobState
from tests.handlers.conftest import ANN, BOB, Works
from tests.handlers.test_projects_of_jobs import Named, project, submitted
from tests.media_factory import clip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def works(shared: Works) -> Works:
    return shared


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(100 * seed + next(COUNT)).integers(0, 255, (6, 8, 3), np.uint8)
    return encode(np.kron(noise, np.ones((8, 8, 1), np.uint8)), "png")


COUNT = itertools.count()


async def replayed(works: Works, job: Job, item: int = 0, n: int = 0) -> tuple[str, str]:
    """Return the digests of a result and of its replay."""
    row = (await works.rows(job))[item]
    again = await works.ended(await works.app.replays.begin(ANN, row.file_id(n)))
    assert (again.state, again.counts.succeeded, again.agreed) == (
        JobState.SUCCEEDED, 1, job.agreed,
    )  # fmt: skip
    (made,) = await works.rows(again)
    assert made.report == row.report
    return row.files[n].sha256, made.files[n].sha256


async def test_what_was_agreed_drawn_and_mixed_is_so_again(works: Works):
    files = [await works.upload(f"{n}.png", picture(n)) for n in range(5)]
    steps = (
        ("level", {}), ("augment", {"methods": ["mixup", "rotate"], "copies": 2}), ("flip", {}),
    )  # fmt: skip
    job = await works.run(files, *steps, seed=11)
    assert job.counts.succeeded == 5
    for n in (0, 1):
        one, other = await replayed(works, job, 3, n)
        assert one == other
    file = await works.file((await works.rows(job))[3])
    assert file.lineage["seed"] == 11
    assert file.lineage["libraries"]["numpy"]
    assert file.lineage["steps"][0]["agreed"] == job.agreed["0"]
    assert len(file.lineage["partners"]) == 1
    other = await works.run(files, *steps, seed=12)
    first, second = [(await works.rows(one))[3].files[0].sha256 for one in (job, other)]
    assert first != second


async def test_annotations_are_replayed_with_it(works: Works):
    source, _ = await project(works)
    job = await submitted(works, Named(project=source.id), (("augment", {"methods": ["rotate"]}),))
    one, other = await replayed(works, job, 2)
    assert one == other
    again = await works.ended(
        await works.app.replays.begin(ANN, (await works.rows(job))[2].file_id(0))
    )
    (row,) = await works.rows(again)
    assert row.files[0].annotations == (await works.rows(job))[2].files[0].annotations != b""


async def test_an_archive_of_frames_is_made_again(works: Works, tmp_path: Path):
    file = await works.upload("a.mp4", clip(tmp_path / "a.mp4", seconds=1).read_bytes())
    frames = ("extract-frames", {"fps": 4})
    job = await works.run([file], frames, ("augment", {"methods": ["rotate"]}), "flip", seed=5)
    (row,) = await works.rows(job)
    assert row.files[0].media_type == "application/zip"
    one, other = await replayed(works, job)
    assert one == other
    again = await works.run([file], frames, ("augment", {"methods": ["rotate"]}), "flip", seed=6)
    assert (await works.rows(again))[0].files[0].sha256 != one, "it is drawn"


async def test_a_stage_over_frames_of_the_one_before_is_made_again(works: Works, tmp_path: Path):
    """Three steps in two stages: the frames lie in an archive that the first stage made."""
    file = await works.upload("a.mp4", clip(tmp_path / "a.mp4", seconds=1).read_bytes())
    job = await works.run([file], ("extract-frames", {"fps": 3}), "copied", "flip")
    assert (job.stages, len(await works.rows(job))) == (2, 3)
    digests = [await replayed(works, job, item) for item in (0, 2)]
    assert all(one == other for one, other in digests)
    assert digests[0] != digests[1]


async def test_what_cannot_be_replayed(works: Works):
    file = await works.upload("a.png", picture(1))
    with pytest.raises(InvalidInput, match="came in as it is"):
        await works.app.replays.begin(ANN, file)
    job = await works.run([file], "census")
    (row,) = await works.rows(job)
    with pytest.raises(InvalidInput, match="whole set"):
        await works.app.replays.begin(ANN, row.file_id(0))
    job = await works.run([file], "flip")
    (row,) = await works.rows(job)
    with pytest.raises(NotFound):
        await works.app.replays.begin(BOB, row.file_id(0))
    with pytest.raises(NotFound):
        await works.app.replays.begin(ANN, row.file_id(7))
