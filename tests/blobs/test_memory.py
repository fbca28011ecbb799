from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contracts.blobs_contract import BlobsContract

from mediamill.blobs.memory import MemoryBlobs
from mediamill.blobs.opening import open_blobs
from mediamill.core.errors import StorageFull


class TestMemory(BlobsContract):
    @pytest_asyncio.fixture
    async def blobs(self) -> AsyncIterator[MemoryBlobs]:
        blobs = await open_blobs("memory:")
        yield blobs
        await blobs.close()


async def test_a_full_store_keeps_nothing_and_recovers():
    blobs = MemoryBlobs(capacity=100)
    await blobs.put("a", b"x" * 60)
    assert await blobs.free_bytes() == 40
    with pytest.raises(StorageFull):
        await blobs.put("b", b"x" * 41)
    async with blobs.upload("b") as upload:
        await upload.write(b"x" * 30)
        with pytest.raises(StorageFull):
            await upload.write(b"x" * 30)
        with pytest.raises(ValueError, match="ended"):
            await upload.commit()
    assert [info.key async for info in blobs.list("")] == ["a"]
    await blobs.delete("a")
    await blobs.put("b", b"x" * 100)
    await blobs.close()
