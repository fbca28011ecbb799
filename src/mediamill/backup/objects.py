"""Copy the objects of an installation: once before its rows and once after them.

Bytes of what is replaced, as of an annotation or of an upload's parts, go as soon as no row names
them any more. So all objects are copied, then the rows, then the objects that are new: whatever the
rows name was there before them, or is there after them. What came and went within one backup may be
neither; that is told.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.backup.beside import beside
from mediamill.backup.index import Index, Name
from mediamill.backup.keeping import Keeping
from mediamill.backup.manifest import Entry
from mediamill.blobs.port import BlobInfo, Blobs
from mediamill.core.errors import BrokenMedia, NotFound, Restoring
from mediamill.store.naming import became, misses, telling
from mediamill.store.port import Store
from mediamill.store.repositories.files import File

SMALL = 4 << 20
"""Bytes up to which an object is read whole, and written with others."""
BATCH, BATCH_BYTES = 64, 16 << 20
AT_ONCE = 3
"""Batches, or large objects, under way at a time: while one waits for a disk another is read."""
LOOKS, PAUSE = 5, 1.0
"""How often, and with how many seconds between, it is seen whether what is missing was deleted."""
HEALED = -1
"""The time of what is not as it was found: the next backup looks at it again."""


@dataclass
class Objects:
    """The objects of one snapshot in the making."""

    store: Store
    index: Index
    keeping: Keeping
    unreadable: set[str] = field(default_factory=set)
    """Keys of what its own store says is broken."""
    cold: set[str] = field(default_factory=set)
    """Keys of what lies in cold storage and is not at the place."""
    passing: set[str] = field(default_factory=set)
    """Keys of what had come of uploads that have become files since the rows were copied."""

    async def take(self, blobs: Blobs) -> None:
        """Take in all objects of a place; only those are read that are not known."""
        known, small, size = list[Entry](), list[BlobInfo](), 0
        async with beside(AT_ONCE) as begin:
            async for info in blobs.list(""):
                if not is_kept(info.key) or self._has_already(info):
                    continue
                if (sha256 := self._known(info)) is not None:
                    known.append(Entry(info.key, info.size, info.modified, sha256))
                elif info.cold:
                    self.cold.add(info.key)
                elif info.size > SMALL:
                    await begin(self._large(blobs, info))
                else:
                    small.append(info)
                    size += info.size
                if len(known) == 1000:
                    self.index.has(known)
                    known = []
                if len(small) == BATCH or size > BATCH_BYTES:
                    await begin(self._small(blobs, small))
                    small, size = [], 0
            self.index.has(known)
            await begin(self._small(blobs, small))

    def _has_already(self, info: BlobInfo) -> bool:
        return self.index.has_already(info.key, info.size, info.modified)

    def _known(self, info: BlobInfo) -> str | None:
        """Return the digest of what needs no reading: it is as before, or its row tells it.

        A row is believed only for what cannot be read now.
        """
        sha256 = self.index.known(info.key, info.size, info.modified)
        if sha256 is None and info.cold:
            said = self.index.recorded(info.key)
            sha256 = said if said and self.index.size_there(said) == info.size else None
        if sha256 is not None:
            self.cold.discard(info.key)
        return sha256

    async def _small(self, blobs: Blobs, infos: Sequence[BlobInfo]) -> None:
        """Copy objects that are read whole; what is gone meanwhile is left out."""
        found = await asyncio.gather(*(self._read(blobs, info.key) for info in infos))
        there = [(info, data) for info, data in zip(infos, found, strict=True) if data is not None]
        digests = await self.keeping.keep([data for _, data in there])
        self.index.has(
            [
                Entry(info.key, len(data), info.modified, sha256)
                for (info, data), sha256 in zip(there, digests, strict=True)
            ]
        )

    async def _read(self, blobs: Blobs, key: str) -> bytes | None:
        """Read an object; None for what is gone, broken by its own store's word, or cold."""
        try:
            return await blobs.get(key)
        except BrokenMedia:
            self.unreadable.add(key)
        except Restoring:
            self.cold.add(key)
        except NotFound:
            pass
        return None

    async def _large(self, blobs: Blobs, info: BlobInfo) -> None:
        try:
            sha256 = await self.keeping.keep_large(blobs, info.key, info.size)
        except BrokenMedia:
            self.unreadable.add(info.key)
        except Restoring:
            self.cold.add(info.key)
        except NotFound:
            pass
        else:
            self.index.has([Entry(info.key, info.size, info.modified, sha256)])

    # -- what is not as rows say ----------------------------------------------------------------

    async def troubles(self) -> dict[str, list[str]]:
        """Tell what of the rows' objects is `missing`, `damaged` and `cold`.

        Where the place has what the row tells, that is in the snapshot from now on. What is only
        `passing` is no trouble: the next backup has the files.
        """
        unmet = await self._unmet()
        damaged = sorted(self.unreadable | set(self.index.differing()))
        healed = await self._heal([*unmet, *damaged])
        return {
            "missing": [key for key in unmet if key not in self.cold | self.unreadable],
            "damaged": damaged,
            "cold": sorted(self.cold - healed),
        }

    async def _heal(self, keys: Sequence[str]) -> set[str]:
        """Name what the rows tell instead of what was found, where the place has it."""
        healed, vault = set[str](), self.keeping.vault
        for key in keys:
            said = self.index.recorded(key)
            size = self.index.size_there(said) if said else None
            if size is not None and await vault.is_whole(said):
                self.index.has([Entry(key, size, HEALED, said)])
                healed.add(key)
        return healed

    async def _unmet(self) -> list[str]:
        """List what rows name and is not there, but for what was deleted or became a file since."""
        lacking = await asyncio.to_thread(lambda: list(self.index.unmet()))
        for left in reversed(range(LOOKS)):
            lacking = [name for name in lacking if await self._is_wanted(name)]
            if not lacking or not left:
                break
            await asyncio.sleep(PAUSE)  # bytes go before rows
        return [key for key, _, _ in lacking]

    async def _is_wanted(self, name: Name) -> bool:
        """Tell whether somebody misses an object: what was replaced is as lost as what is gone."""
        key, kind, id_ = name
        teller, its_key = telling(kind, id_)
        record = await self.store.get(teller, *its_key)
        if record is None or not (file := became(record)):
            return record is not None and misses(record, key)
        if await self._is_later(file):
            self.passing.add(key)
        return False

    async def _is_later(self, file_id: str) -> bool:
        """Tell whether there is a file that the snapshot's rows do not vouch for."""
        file = await self.store.get(File, file_id)
        return file is not None and not self.index.recorded(file.blob)


def is_kept(key: str) -> bool:
    """Tell whether an object belongs to a backup: marks of moves and restores do not."""
    return not key.startswith("move/")
