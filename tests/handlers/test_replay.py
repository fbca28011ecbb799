"""Replays: a result made again is the same, to the byte."""

import io
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mediamill.core.errors import InvalidInput, NotFound
from mediamill.media.image.codecs.encode import encode
from mediamill.operations.catalogue import OPERATIONS
from mediamill.store.port import Put
from mediamill.store.repositories.jobs import Job, JobState
from tests.handlers.conftest import ANN, BOB, Works, working
from tests.handlers.test_projects_of_jobs import Named, project, submitted
from tests.media_factory import clip
from tests.support.ageing import settled
from tests.support.outputs import DATA, KINDS, MODELS, steps_of

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
    one, other = await replayed(works, await works.run([file], frames, "census"))
    assert one == other


async def test_a_stage_over_frames_of_the_one_before_is_made_again(works: Works, tmp_path: Path):
    """Three steps in two stages: the frames lie in an archive that the first stage made."""
    file = await works.upload("a.mp4", clip(tmp_path / "a.mp4", seconds=1).read_bytes())
    job = await works.run([file], ("extract-frames", {"fps": 3}), "copied", "flip")
    assert (job.stages, len(await works.rows(job))) == (2, 3)
    digests = [await replayed(works, job, item) for item in (0, 2)]
    assert all(one == other for one, other in digests)
    assert digests[0] != digests[1]


async def test_a_report_is_made_again_of_the_whole_set(works: Works):
    """Of a second survey too, with a wreck in the set, its splits, and what was compared with."""
    source, files = await project(works)
    held = await works.app.repositories.projects.holding(source.id, files)
    store = works.app.repositories.projects.store
    for n, one in enumerate(held.values()):
        await store.transact(Put(one.evolve(split=("train", "test")[n % 2])))
    wreck = await works.upload("wreck.png", picture(7)[:200])
    await works.app.projects.add(ANN, source.id, [wreck])
    steps = (("level", {}), ("census", {}))
    job = await submitted(works, Named(project=source.id), steps)
    assert (job.state, job.stages, job.failed_earlier) == (JobState.PARTIAL, 4, 1)
    first = await submitted(works, Named(project=source.id), steps[1:])
    for before, failed in ((job, 0), (first, 1)):
        (row,) = await works.rows(before)
        again = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
        assert (again.items, again.failed_earlier, again.error) == (1, failed, "")
        (made,) = await works.rows(again)
        assert (made.files[0].sha256, made.data) == (row.files[0].sha256, row.data)
        assert again.agreed == before.agreed
        measured = [await works.rows(one, before.stage - 1) for one in (before, again)]
        roots = [[one.root for one in rows] for rows in measured]
        assert roots[0] == roots[1], "retention finds what was made of a file"
    await works.app.files.delete(ANN, files[1])
    gone = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
    assert gone.state is JobState.FAILED
    assert "1.png, which it was made of, is gone." in gone.error


async def test_a_wreck_of_a_report_is_made_again_while_it_is_there(works: Works):
    """In the trash it is; once it is purged the report would differ, so that is said."""
    files = [await works.upload("good.png", picture(1))]
    files.append(await works.upload("wreck.png", picture(7)[:200]))
    job = await works.run(files, "health-check")
    (row,) = await works.rows(job)
    await works.app.files.delete(ANN, files[1])
    again = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
    (made,) = await works.rows(again)
    assert made.files[0].sha256 == row.files[0].sha256
    await works.app.files.delete(ANN, files[1], now=True)
    await settled(works.app)
    again = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
    assert (again.state, "wreck.png, which it was made of, is gone." in again.error) == (
        JobState.FAILED, True,
    )  # fmt: skip


async def test_members_of_an_archive_are_found_where_they_lie_by_now(works: Works):
    """Others were taken out of it; of what was itself, and of the set it was in, that is said."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(3):
            archive.writestr(f"{n}.png", picture(n))
    file = await works.upload("set.zip", packed.getvalue())
    flips = await submitted(works, Named(archive=file), (("flip", {}),))
    kept = await works.upload("kept.jsonl", "".join(
        json.dumps({"archive": file, "path": f"{n}.png"}) + "\n" for n in (1, 2)
    ).encode())  # fmt: skip
    report = await submitted(works, Named(manifest=kept), (("census", {}),))
    whole = await submitted(works, Named(archive=file), (("census", {}),))
    await works.app.members.delete(ANN, file, ["0.png"])
    for job, item in ((flips, 2), (report, 0)):
        one, other = await replayed(works, job, item)
        assert one == other
    with pytest.raises(NotFound, match=r"0\.png, which it was made of, is gone from set\.zip"):
        await works.app.replays.begin(ANN, (await works.rows(flips))[0].file_id(0))
    (row,) = await works.rows(whole)
    again = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
    assert "0.png, which it was made of, is gone from set.zip." in again.error


async def test_every_output_of_every_operation_is_made_again(tmp_path: Path):
    """Or refused, with the reason: a new operation is to be in the table, and in this test."""
    seen: dict[str, set[str]] = {name: set() for name in OPERATIONS.names()}
    chains = {"caption_chain": "echo:captions", "label_chain": "echo:labels"}
    async with working(tmp_path / "home", **chains) as works:
        image = await works.upload("a.png", picture(1))
        video = await works.upload("a.mp4", clip(tmp_path / "a.mp4", seconds=1).read_bytes())
        for name, made in seen.items():
            file = image if OPERATIONS.get(name).takes("image/png") else video
            for parameters in steps_of(name):
                job = await works.run([file], (name, parameters))
                (row,) = await works.rows(job)
                made |= {one.media_type for one in row.files} | ({DATA} if row.data else set())
                if name in MODELS:
                    for n in range(len(row.files)):
                        with pytest.raises(InvalidInput, match="answers otherwise each time"):
                            await works.app.replays.begin(ANN, row.file_id(n))
                    continue
                again = await works.ended(await works.app.replays.begin(ANN, row.file_id(0)))
                (other,) = await works.rows(again)
                assert [one.sha256 for one in other.files] == [one.sha256 for one in row.files]
                assert (other.data, other.report) == (row.data, row.report), (name, parameters)
    assert seen == KINDS


async def test_what_cannot_be_replayed(works: Works):
    file = await works.upload("a.png", picture(1))
    with pytest.raises(InvalidInput, match="came in as it is"):
        await works.app.replays.begin(ANN, file)
    job = await works.run([file], "flip")
    (row,) = await works.rows(job)
    with pytest.raises(NotFound):
        await works.app.replays.begin(BOB, row.file_id(0))
    with pytest.raises(NotFound):
        await works.app.replays.begin(ANN, row.file_id(7))
