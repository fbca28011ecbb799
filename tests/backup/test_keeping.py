"""Content that is kept: what was written is read back."""

import hashlib
from contextlib import closing

import pytest

from mediamill.backup.index import Index
from mediamill.backup.keeping import Keeping
from mediamill.backup.vault import Vault, key_of
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import BrokenMedia
from tests.backup.test_pruning import snapshot

DATA = b"x" * 3000


async def test_what_is_large_is_read_back_too(monkeypatch):
    source, vault = MemoryBlobs(), Vault(MemoryBlobs())
    await source.put("files/a", DATA)
    with closing(Index()) as index:
        keeping = Keeping(vault, index, again=False)

        async def lost(self, sha256, chunks):
            return sha256

        with monkeypatch.context() as patch:
            patch.setattr(Vault, "keep_large", lost)
            with pytest.raises(BrokenMedia, match="do not read back"):
                await keeping.keep_large(source, "files/a", len(DATA))
        assert keeping.fresh == 0
        sha256 = await keeping.keep_large(source, "files/a", len(DATA))
        assert (sha256, keeping.fresh) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
        assert await keeping.keep_large(source, "files/a", len(DATA)) == sha256
        assert keeping.fresh == len(DATA), "it is there already"
        await vault.blobs.put(key_of(sha256), DATA[:-1] + b"?")
        await keeping.keep_large(source, "files/a", len(DATA))
        assert not await vault.is_whole(sha256), "its size is believed"
        await Keeping(vault, index, again=True).keep_large(source, "files/a", len(DATA))
        assert await vault.is_whole(sha256)


async def test_a_snapshot_is_read_back(monkeypatch):
    vault = Vault(MemoryBlobs())
    written = type(vault.blobs).put

    async def spoilt(blobs, key, data, **how):
        return await written(blobs, key, data[:-1] if key.startswith("snapshots/") else data, **how)

    monkeypatch.setattr(type(vault.blobs), "put", spoilt)
    async with vault.alone():
        with pytest.raises(BrokenMedia, match="does not read back"):
            await vault.add(snapshot(0))
