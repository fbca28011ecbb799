"""The contract on real S3 servers: a strict one, a light one, and one that knows cold storage."""

import pytest
from tests.contracts.blobs_contract import FUTURE, BlobsContract

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.s3 import store
from mediamill.blobs.s3.composing import LEAST
from mediamill.core.errors import NotFound


class TestS3(BlobsContract):
    spare_descriptors, page = 8, 30

    @pytest.fixture
    async def blobs(self, server, folder, monkeypatch):
        self.atomic = server.kind != "radosgw"
        monkeypatch.setattr(store, "PAGE", self.page)
        blobs = await open_blobs(server.url(f"{folder}/some"))
        yield blobs
        await blobs.close()

    @pytest.mark.parametrize(
        "sizes", [[0, 3], [LEAST - 1, 9, LEAST, 1], [LEAST, 2 * LEAST], [9] * 9]
    )
    async def test_one_object_is_made_of_several(self, blobs, sizes):
        whole, sources = b"", []
        for n, size in enumerate(sizes):
            data = bytes([65 + n]) * size
            await blobs.put(f"piece/{n}", data)
            whole += data
            sources.append((f"piece/{n}", size))
        await blobs.compose(each(sources), "whole")
        assert await blobs.get("whole") == whole
        with pytest.raises(NotFound):
            await blobs.compose(each([*sources, ("none", LEAST)]), "other")
        with pytest.raises(NotFound):
            await blobs.info("other")
        assert await blobs.sweep(FUTURE) == 0


async def each(sources):
    for source in sources:
        yield source
