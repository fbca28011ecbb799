"""Members of an archive as a job's inputs: read by their place, told by content, within limits."""

import hashlib
import io
import json
import zipfile

import msgspec
import numpy as np
import pytest

from mediamill.core.errors import BrokenMedia, LimitExceeded
from mediamill.engine.gathering.members import entry_of
from mediamill.engine.members import opened_member
from mediamill.media.archive.read import read_members
from mediamill.media.image.codecs.encode import encode
from mediamill.operations.work import RangeReader
from mediamill.services.jobs.inputs import Named
from mediamill.store.repositories.jobs import Counts, Job, JobState
from tests.handlers.conftest import ANN, BOTH, Works


def png(n: int, size: int = 8) -> bytes:
    return encode(np.full((size, size, 3), n, np.uint8), "png")


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


async def run(works: Works, data: bytes, *steps, members: tuple[str, ...] = (), **more) -> Job:
    archive = await works.upload("set.zip", data)
    return await works.run([], *steps, named=Named(archive=archive, members=members), **more)


@BOTH
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_each_member_is_an_item(works: Works, method: int):
    pictures = {f"sub/{n}.png": png(n) for n in range(5)}
    job = await run(works, zipped(pictures, method), ("convert", {"format": "png"}), "tell")
    assert (job.stage, job.counts) == (1, Counts(succeeded=5))
    rows = await works.rows(job, 0)
    assert [row.path for row in rows] == [*pictures]
    assert [row.name for row in rows] == [f"{n}.png" for n in range(5)]
    for row, data in zip(rows, pictures.values(), strict=True):
        assert row.report["input"]["sha256"] == hashlib.sha256(data).hexdigest()
        assert row.report["input"]["media_type"] == "image/png"
        assert await works.bytes(row) == data  # the same encoder, of the same pixels
    page = await works.app.items.list(ANN, job.id, None, None, 10)
    assert page.rows[0].file == rows[0].file_id(0)


async def test_items_and_manifest_name_the_member(works: Works):
    job = await run(works, zipped({"a/b.png": png(1), "c.txt": b"no"}), "convert", members=("*",))
    assert job.counts == Counts(succeeded=1, failed=1)
    views = (await works.app.items.list(ANN, job.id, None, None, 10)).rows
    assert [(view.path, view.name, view.state) for view in views] == [
        ("a/b.png", "b.png", "succeeded"),
        ("c.txt", "c.txt", "failed"),
    ]
    assert "c.txt is text" in views[1].result.error
    content = await works.app.downloads.job(ANN, job.id)
    data = b"".join([chunk async for chunk in content.read(0, content.size)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
    assert [line["input"]["path"] for line in lines] == ["a/b.png", "c.txt"]
    (row, _) = await works.rows(job)
    assert (await works.file(row)).lineage["path"] == "a/b.png"


async def test_what_a_member_is_is_told_by_its_content(works: Works):
    members = {"really.png.txt": png(1), "fake.png": b"GIF89a", "words.png": b"only words"}
    job = await run(works, zipped(members), "convert", members=("*",))
    rows = await works.rows(job)
    assert [row.outcome for row in rows] == ["succeeded", "failed", "failed"]
    assert rows[2].code == "unsupported_media"


async def test_pixel_limits_hold_for_members(works: Works):
    huge = bytearray(png(1))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    job = await run(works, zipped({"huge.png": bytes(huge)}), "convert", "flip")
    (row,) = await works.rows(job)
    assert (row.outcome, row.code) == ("failed", "limit_exceeded")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_damaged_members_fail_alone(works: Works, method: int):
    noise = np.random.default_rng(1).integers(0, 255, (20, 20, 3), np.uint8)
    data = bytearray(
        zipped({"a.png": png(1), "b.png": encode(noise, "png"), "c.png": png(3)}, method)
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        place = archive.getinfo("b.png")
    data[place.header_offset + 35 + place.compress_size // 2] ^= 0xFF
    job = await run(works, bytes(data), "convert")
    assert [row.outcome for row in await works.rows(job)] == ["succeeded", "failed", "succeeded"]
    assert (await works.rows(job))[1].code == "broken_media"


async def test_members_are_taken_over_by_their_place(works: Works):
    data = zipped({f"{n}.png": png(n) for n in range(4)})
    assert (await run(works, data, "convert")).counts == Counts(succeeded=4)
    assert (await run(works, data, "convert")).counts == Counts(reused=4)
    other = zipped({f"{n}.png": png(n + (n == 2)) for n in range(4)})
    assert (await run(works, other, "convert")).counts == Counts(succeeded=4)


async def test_a_job_cancelled_before_its_inputs_were_listed(works: Works):
    archive = await works.upload("set.zip", zipped({f"{n}.png": png(n) for n in range(5)}))
    named = Named(archive=archive)
    await works.worker.pause()
    job = await works.submit([], "convert", named=named)
    await works.app.jobs.cancel(ANN, job.id)
    await works.worker.resume()
    job = await works.ended(job)
    assert (job.state, job.items) == (JobState.CANCELLED, 0)
    await works.app.jobs.retry(ANN, job.id)
    job = await works.ended(job)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, Counts(succeeded=5))


async def test_no_stored_member_is_larger_than_it_may_be(works: Works, tmp_path):
    data = zipped({"a.png": bytes(100)})
    file_id = await works.upload("set.zip", data)
    file = await works.app.repositories.lookup.get(file_id)
    entry = entry_of(file_id, read_members(io.BytesIO(data))[0])
    with pytest.raises(LimitExceeded):
        async with opened_member(works.app.blobs, file, entry, tmp_path, 99):
            pass


@BOTH
async def test_no_member_is_larger_than_it_says_or_may_be(works: Works, tmp_path):
    data = bytearray(zipped({"a.png": bytes(100_000)}, zipfile.ZIP_DEFLATED))
    file_id = await works.upload("set.zip", bytes(data))
    file = await works.app.repositories.lookup.get(file_id)
    (member,) = read_members(io.BytesIO(data))
    entry = entry_of(file_id, member)
    assert entry.place is not None
    blobs = works.app.blobs
    async with opened_member(blobs, file, entry, tmp_path) as (descriptor, offset):
        assert RangeReader(descriptor, offset, 100_000).read(100_000) == bytes(100_000)
    for size, most, error in ((100_000, 99_999, LimitExceeded), (50, 1 << 20, BrokenMedia)):
        smaller = msgspec.structs.replace(entry.place, size=size)
        lying = msgspec.structs.replace(entry, place=smaller)
        with pytest.raises(error):
            async with opened_member(blobs, file, lying, tmp_path, most):
                pass
    assert not [*tmp_path.glob("input-*")]


@pytest.mark.embedded("only what lies in a folder has a descriptor")
async def test_a_stored_member_is_read_in_place(works: Works, tmp_path):
    """No byte of the archive is copied: the slot gets the archive's own descriptor."""
    data = zipped({"a.png": bytes(1000), "b.png": png(1)})
    file_id = await works.upload("set.zip", data)
    file = await works.app.repositories.lookup.get(file_id)
    member = read_members(io.BytesIO(data))[1]
    async with opened_member(
        works.app.blobs, file, entry_of(file_id, member), tmp_path / "none"
    ) as (descriptor, offset):
        assert offset == member.offset
        assert RangeReader(descriptor, 0, len(data)).read(len(data)) == data


async def test_frames_are_items_of_the_next_stage(works: Works, tmp_path):
    from tests import media_factory as make

    videos = [
        await works.upload(f"{n}.mp4", make.clip(tmp_path / f"{n}.mp4", seconds=1 + n).read_bytes())
        for n in range(2)
    ]
    broken = ("tell", {"broken": "1-frame-00000"})
    job = await works.run(
        videos, ("extract-frames", {"every": 0.5}), ("convert", {"width": 64}), broken
    )
    archives = await works.rows(job, 0)
    assert [row.error for row in archives] == ["", ""]
    assert (job.stage, job.items, job.state) == (1, 6, JobState.PARTIAL)
    rows = await works.rows(job)
    assert [row.name.split("-")[0] for row in rows] == ["0", "0", "1", "1", "1", "1"]
    assert [row.item for row in rows if row.outcome == "failed"] == [2]
    assert {row.input for row in rows} == {row.file_id(0) for row in archives}
    good = [row for row in rows if row.data]
    assert all(row.data["size"][0] == 64 for row in good)
    assert all(row.path.startswith("frame-") for row in rows)
    again = await works.app.jobs.retry(ANN, job.id)
    assert (again.stage, again.generation) == (1, 2)
    ended = await works.ended(again)
    assert (ended.counts.succeeded, ended.counts.failed) == (5, 1)
