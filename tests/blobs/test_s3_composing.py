"""`Composes` on real S3 servers: several objects become one, whatever their sizes."""

import os

import pytest

from mediamill.blobs.digests import digest_of
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.s3.answers import meaning
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.checksums import Recorded
from mediamill.core.errors import BrokenMedia, NotFound, Unavailable

MEBIBYTE = 1 << 20
DATA = os.urandom(26 * MEBIBYTE)
SIZES = (
    (3,),
    (5 * MEBIBYTE,),
    (1, 2, 3),
    (0, 5, 0),
    (6 * MEBIBYTE, 1, 5 * MEBIBYTE + 1, MEBIBYTE, 10),
    (1, 10 * MEBIBYTE, 7),
    (MEBIBYTE,) * 6,
    (10 * MEBIBYTE, 16 * MEBIBYTE),
    (6 * MEBIBYTE, 14 * MEBIBYTE, 8),
)
"""The last two have as many parts as if they had been cut at `PART`."""


@pytest.fixture
async def blobs(server, folder):
    blobs = await open_blobs(server.url(folder))
    yield blobs
    await blobs.close()


async def each(*sources):
    for source in sources:
        yield source


async def test_objects_become_one_in_order(blobs):
    for sizes in SIZES:
        place, sources = 0, []
        for number, size in enumerate(sizes):
            await blobs.put(f"part/{number}", DATA[place : place + size])
            sources.append((f"part/{number}", size))
            place += size
        await blobs.compose(each(*sources), "whole")
        assert await blobs.get("whole") == DATA[:place], sizes
        whole = await digest_of(blobs, "whole")
        assert whole == await blobs.put("same", DATA[:place])


async def test_what_is_cut_here_is_still_compared(blobs, server):
    async with blobs.upload("k") as upload:
        await upload.write(DATA)
        await upload.commit()
    answer = await blobs._bucket.ask("get_object", "k")
    answer["Body"].close()
    recorded = Recorded(answer, len(DATA))
    recorded.update(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    assert not recorded.matches()


async def test_where_nothing_is_copied_the_bytes_pass_here(blobs, monkeypatch):
    ask, asked = Bucket.ask, []

    async def refusing(self, operation, key, **said):
        asked.append(operation)
        if operation == "upload_part_copy":
            raise meaning("NotImplemented", key)
        return await ask(self, operation, key, **said)

    monkeypatch.setattr(Bucket, "ask", refusing)
    for sizes in ((6 * MEBIBYTE,), (1, 6 * MEBIBYTE, 17 * MEBIBYTE, 10)):
        place, sources = 0, []
        for number, size in enumerate(sizes):
            await blobs.put(f"part/{number}", DATA[place : place + size])
            sources.append((f"part/{number}", size))
            place += size
        asked.clear()
        await blobs.compose(each(*sources), "whole")
        assert asked.count("upload_part_copy") == 1, "asked once"
        assert await blobs.get("whole") == DATA[:place], sizes
    assert await blobs.sweep(1 << 50) == 0, "nothing was begun and left"


async def test_a_source_that_is_shorter_than_was_said(blobs):
    await blobs.put("part", b"abc")
    with pytest.raises(BrokenMedia):
        await blobs.compose(each(("part", 4)), "whole")


@pytest.mark.parametrize("code", ["NoSuchUpload", "PreconditionFailed"])
async def test_parts_that_are_swept_away_can_be_sent_again(blobs, monkeypatch, code):
    await blobs.put("part", DATA[: 6 * MEBIBYTE])
    ask = Bucket.ask

    async def swept(self, operation, key, **said):
        if operation.startswith("upload_part"):
            raise meaning(code, key)
        return await ask(self, operation, key, **said)

    monkeypatch.setattr(Bucket, "ask", swept)
    with pytest.raises(Unavailable):
        await blobs.compose(each(("part", 6 * MEBIBYTE)), "whole")
    async with blobs.upload("k") as upload:
        await upload.write(DATA)
        with pytest.raises(Unavailable):
            await upload.commit()


async def test_one_that_is_not_there_leaves_nothing(blobs):
    await blobs.put("part", DATA[: 6 * MEBIBYTE])
    for missing in (5, 6 * MEBIBYTE):
        with pytest.raises(NotFound):
            await blobs.compose(each(("part", 6 * MEBIBYTE), ("none", missing)), "whole")
        with pytest.raises(NotFound):
            await blobs.info("whole")
    assert await blobs.sweep(1 << 50) == 0, "nothing was begun and left"
