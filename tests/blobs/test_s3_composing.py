"""`Composes` on real S3 servers: several objects become one, whatever their sizes."""

import os

import pytest

from mediamill.blobs.digests import digest_of
from mediamill.blobs.opening import open_blobs
from mediamill.core.errors import NotFound

MEBIBYTE = 1 << 20
DATA = os.urandom(13 * MEBIBYTE)
SIZES = (
    (3,),
    (5 * MEBIBYTE,),
    (1, 2, 3),
    (0, 5, 0),
    (6 * MEBIBYTE, 1, 5 * MEBIBYTE + 1, MEBIBYTE, 10),
    (1, 10 * MEBIBYTE, 7),
    (MEBIBYTE,) * 6,
)


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


async def test_one_that_is_not_there_leaves_nothing(blobs):
    await blobs.put("part", DATA[: 6 * MEBIBYTE])
    for missing in (5, 6 * MEBIBYTE):
        with pytest.raises(NotFound):
            await blobs.compose(each(("part", 6 * MEBIBYTE), ("none", missing)), "whole")
        with pytest.raises(NotFound):
            await blobs.info("whole")
    assert await blobs.sweep(1 << 50) == 0, "nothing was begun and left"
