"""Bytes of a version's images: what its owner may have of each, under a second key.

Files of the version's owner, and what jobs made, are fixed as they are. Originals of others, who
edit the project too, are fixed without what they say of place, time, device and person. JPEGs that
lie turned are fixed upright (`turning.py`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.blobs.port import Blobs
from mediamill.blobs.together import copy_together
from mediamill.core.errors import Forbidden, NotFound
from mediamill.datasets.document import Entry
from mediamill.engine.cutting import Cutting, digest_of, write_cut
from mediamill.engine.retry import may_be_late
from mediamill.media.privacy.parts import Part
from mediamill.store.repositories.datasets import VersionFile
from mediamill.store.repositories.files import File


@dataclass(frozen=True)
class Given:
    """What somebody may have of a file: as a file, and its parts if that is not all of it."""

    file: File
    parts: tuple[Part, ...] = ()
    upright: str = ""
    """The blob of what it is upright, where it lies turned; the file's digests are then of that."""


@dataclass
class Owning:
    """Gives images second keys. `attempts` is how often that was tried before."""

    blobs: Blobs
    made: Blobs
    """The store of what jobs made."""
    cutting: Cutting

    async def given(
        self, owner: str, file: File, attempts: int, left: Counter[str]
    ) -> Given | None:
        """Return what the owner of a version may have of a file.

        None, and why in `left`, for nothing. Raises `NotFound` where its bytes may only not be seen
        yet.
        """
        if file.open_to(owner):
            return Given(file)
        try:
            cut = await self.cutting.of(self.blobs, file.blob, file.name, file.size)
            if cut.whole:
                return Given(file)
            made = await digest_of(self.blobs, file.blob, cut.parts)
        except (Forbidden, NotFound) as error:
            if may_be_late(error, attempts):
                raise
            left["withheld" if isinstance(error, Forbidden) else "gone"] += 1
            return None
        fixed = file.evolve(size=made.size, sha256=made.sha256, crc32=made.crc32)
        return Given(fixed, cut.parts)

    async def copy(self, pairs: Sequence[tuple[VersionFile, Entry]], attempts: int) -> set[int]:
        """Give images their second keys; return the places of those whose bytes are gone.

        Raises `NotFound` where bytes may only not be seen yet.
        """
        single = [(row, entry) for row, entry in pairs if entry.parts or entry.upright]
        whole = [(row, entry) for row, entry in pairs if not (entry.parts or entry.upright)]
        try:
            for home, results in ((self.blobs, False), (self.made, True)):
                some = [(entry.source, row.blob) for row, entry in whole if row.results == results]
                await copy_together(home, some)
        except NotFound:
            single = [*pairs]  # one by one, to see which
        return {row.place for row, entry in single if not await self._copied(row, entry, attempts)}

    async def _copied(self, row: VersionFile, entry: Entry, attempts: int) -> bool:
        """Give one image its second key; tell whether its bytes are there.

        On a shared folder all that is missing may come to sight yet: who has waited long enough
        for it does without. One that was turned counts as long as its source is there afterwards:
        who takes that away looks for rows next, and finds this one with its key.
        """
        home = self.made if row.results else self.blobs
        try:
            if not await _has(home, row.blob):
                if entry.upright:
                    await home.copy(entry.upright, row.blob)
                elif entry.parts:
                    await write_cut(home, entry.source, entry.parts, home, row.blob)
                else:
                    await home.copy(entry.source, row.blob)
            if entry.upright:
                await home.info(entry.source)
        except NotFound as error:
            if may_be_late(error, attempts):
                raise
            return False
        return True


async def _has(home: Blobs, key: str) -> bool:
    try:
        await home.info(key)
    except NotFound:  # maybe only not seen yet: written again it is the same
        return False
    return True
