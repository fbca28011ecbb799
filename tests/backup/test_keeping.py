"""Content that is kept: what was written is read back."""

import hashlib
from contextlib import closing

import pytest

from mediamill.backup.index import Index
from mediamill.backup.keeping import Keeping
from mediamill.backup.vault import Vault
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import BrokenMedia

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
