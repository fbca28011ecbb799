"""Running again does only what changed; what is taken over is the job's own and rightly named."""

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from mediamill.store.repositories.jobs import Counts, JobState
from mediamill.store.repositories.reuse import Reuse
from tests import media_factory as make
from tests.handlers.conftest import ANN, BOB, BOTH, Works


def png(n: int) -> bytes:
    from mediamill.media.image.codecs.encode import encode

    return encode(np.full((8, 8, 3), n, np.uint8), "png")


@BOTH
async def test_one_of_fifty_changed(works: Works):
    files = [await works.upload(f"{n}.png", png(n)) for n in range(50)]
    first = await works.run(files, "convert", "flip")
    assert first.counts == Counts(succeeded=50)
    again = await works.run(
        [*files[:20], await works.upload("new.png", png(99)), *files[21:]], "convert", "flip"
    )
    assert again.counts == Counts(succeeded=1, reused=49)
    assert again.state is JobState.SUCCEEDED
    before, after = await works.rows(first), await works.rows(again)
    assert [row.item for row in after if row.outcome == "succeeded"] == [20]
    for old, new in zip(before, after, strict=True):
        assert new.input == again_input(again, new, files)
        if new.item != 20:
            assert new.files[0].sha256 == old.files[0].sha256
            assert new.files[0].blob.startswith(f"results/{again.id}/")
            assert await works.bytes(new) == await works.bytes(old)


def again_input(job, row, files):
    return row.input if row.item == 20 else files[row.item]


async def test_what_makes_a_difference(works: Works):
    files = [await works.upload("a.png", png(1))]
    width = ("convert", {"width": 4})
    assert (await works.run(files, width)).counts.succeeded == 1
    assert (await works.run(files, width)).counts.reused == 1
    assert (await works.run(files, ("convert", {"width": 5}))).counts.succeeded == 1
    assert (await works.run(files, width, "flip")).counts.succeeded == 1
    assert (await works.run(files, width, reuse=False)).counts.succeeded == 1
    assert (await works.run(files, width, seed=4)).counts.reused == 1
    mine = await works.upload("a.png", png(1), BOB)
    assert (await works.run([mine], width, who=BOB)).counts.succeeded == 1


async def test_the_seed_matters_where_a_step_draws(works: Works):
    files = [await works.upload("a.png", png(1))]
    assert (await works.run(files, "drawn", seed=1)).counts.succeeded == 1
    again = await works.run(files, "drawn", seed=1)
    assert again.counts.reused == 1
    assert (await works.rows(again))[0].data == {"seed": 1}
    assert (await works.run(files, "drawn", seed=2)).counts.succeeded == 1


async def test_the_same_bytes_under_another_name(works: Works):
    first = await works.run([await works.upload("first.png", png(1))], "thumbnail")
    again = await works.run([await works.upload("other name.png", png(1))], "thumbnail")
    assert again.counts.reused == 1
    names = [row.files[0].name for job in (first, again) for row in await works.rows(job)]
    assert names == ["first-thumbnail.jpg", "other name-thumbnail.jpg"]
    text = await works.upload("a.txt", b"hush")
    assert (await works.run([text], "shout")).counts.succeeded == 1
    assert (await works.run([text], "shout")).counts.reused == 1
    other = await works.run([await works.upload("b.txt", b"hush")], "shout")
    assert other.counts.succeeded == 1  # how its name is made is not known
    assert (await works.rows(other))[0].files[0].name == "loud-b.txt"


async def test_failures_are_not_taken_over(works: Works):
    files = [await works.upload("a.png", png(1))]
    broken = ("tell", {"broken": "a"})
    assert (await works.run(files, broken)).counts.failed == 1
    assert (await works.run(files, broken)).counts.failed == 1


async def test_two_inputs_with_the_same_bytes(works: Works):
    files = [await works.upload(f"{n}.png", png(1)) for n in range(3)]
    job = await works.run(files, "convert")
    assert job.counts == Counts(succeeded=3)
    assert (await works.run(files, "convert")).counts == Counts(reused=3)


@BOTH
async def test_jobs_are_purged_without_looking_at_each_other(works: Works):
    store = works.app.store
    files = [await works.upload(f"{n}.png", png(n)) for n in range(3)]
    first = await works.run(files, "convert")
    second = await works.run(files, "convert")
    kept = [await works.bytes(row) for row in await works.rows(second)]
    await works.app.job_trash.delete(ANN, first.id, now=True)
    await gone(works, first.id)
    assert [await works.bytes(row) for row in await works.rows(second)] == kept
    assert (await works.run(files, "convert")).counts.reused == 3  # found at the second
    jobs = await works.app.jobs.list(ANN, None, 10)
    for job in jobs.rows:
        await works.app.job_trash.delete(ANN, job.id, now=True)
    for job in jobs.rows:
        await gone(works, job.id)
        assert not (await store.query(Reuse, Reuse.index("reuse_job"), job.id)).rows
    assert not [blob async for blob in works.app.results.list("results/")]
    assert (await works.run(files, "convert")).counts.succeeded == 3


async def gone(works: Works, job_id: str) -> None:
    import asyncio

    async with asyncio.timeout(60):
        while await works.app.repositories.jobs.get(job_id):
            await asyncio.sleep(0.05)


async def test_bytes_that_vanished_are_made_again(works: Works):
    files = [await works.upload("a.png", png(1))]
    first = await works.run(files, "convert")
    (row,) = await works.rows(first)
    await works.app.results.delete(row.files[0].blob)
    again = await works.run(files, "convert")
    assert again.counts == Counts(succeeded=1)


@BOTH
async def test_frames_are_taken_over_with_their_archive(works: Works, tmp_path: Path):
    video = make.clip(tmp_path / "a.mp4", seconds=1).read_bytes()
    steps = (("extract-frames", {"count": 3}), "tell")
    first = await works.run([await works.upload("a.mp4", video)], *steps)
    assert (first.stage, first.counts) == (1, Counts(succeeded=3))
    again = await works.run([await works.upload("b.mp4", video)], *steps)
    assert again.counts == Counts(reused=3)
    rows = await works.rows(again)
    assert rows[0].name.startswith("b-frame-00000")
    (archive,) = await works.rows(again, 0)
    assert (archive.outcome, archive.files[0].name) == ("reused", "b-frames.zip")


async def test_the_download_says_so(works: Works, tmp_path: Path):
    files = [await works.upload("a.png", png(1))]
    await works.run(files, "convert")
    again = await works.run(files, "convert")
    content = await works.app.downloads.job(ANN, again.id)
    data = b"".join([chunk async for chunk in content.read(0, content.size)])
    (tmp_path / "a.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        (line,) = map(json.loads, archive.read("manifest.jsonl").splitlines())
        assert Image.open(archive.open(line["files"][0]["path"])).size == (8, 8)
    assert line["outcome"] == "reused"
