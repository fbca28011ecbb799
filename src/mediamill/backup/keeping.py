"""Keep content at a place: only what is not there yet, and what was written is read back."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.backup.index import Index
from mediamill.backup.vault import Vault
from mediamill.blobs.port import Blobs
from mediamill.core.errors import BrokenMedia


@dataclass
class Keeping:
    """What one backup adds."""

    vault: Vault
    index: Index
    again: bool
    """Read back what is there already, too: by itself its size is believed."""
    fresh: int = 0
    """Bytes that were added."""

    async def keep(self, contents: Sequence[bytes]) -> list[str]:
        """Keep small content that is not there yet, and read it back; return the digests."""
        digests = await asyncio.to_thread(_digests, contents)
        wanted = dict(zip(digests, contents, strict=True))
        there = [one for one, data in wanted.items() if self.index.size_there(one) == len(data)]
        sound = set(there) - set(await self.vault.broken(there) if self.again else ())
        lacking = {sha256: data for sha256, data in wanted.items() if sha256 not in sound}
        if lacking:
            await self.vault.keep(lacking)
            await self._read_back(list(lacking))
            self._added({sha256: len(data) for sha256, data in lacking.items()})
        return digests

    async def keep_large(self, blobs: Blobs, key: str, size: int) -> str:
        """Keep an object by streams, once to know what it is, once to keep it; return its digest.

        Raises `NotFound`, and `BrokenMedia` for one that is another each time it is read.
        """
        sha256 = await _sha256_of(blobs, key)
        for _ in range(3):  # it may be another one a moment later
            if await self._is_there(sha256, size):
                return sha256
            found = await self.vault.keep_large(sha256, blobs.read(key))
            if found == sha256:
                await self._read_back([sha256])
                self._added({sha256: size})
                return sha256
            sha256 = found
        raise BrokenMedia("It is another one each time it is read.")

    async def _is_there(self, sha256: str, size: int) -> bool:
        there = self.index.size_there(sha256) == size
        return there and (not self.again or await self.vault.is_whole(sha256))

    def _added(self, sizes: dict[str, int]) -> None:
        self.index.there(sizes.items())
        self.fresh += sum(sizes.values())

    async def _read_back(self, digests: Sequence[str]) -> None:
        if broken := await self.vault.broken(digests):
            raise BrokenMedia(f"{len(broken)} objects do not read back as they were written.")


async def _sha256_of(blobs: Blobs, key: str) -> str:
    digest = hashlib.sha256()
    async for chunk in blobs.read(key):
        digest.update(chunk)
    return digest.hexdigest()


def _digests(contents: Sequence[bytes]) -> list[str]:
    return [hashlib.sha256(data).hexdigest() for data in contents]
