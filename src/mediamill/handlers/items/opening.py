"""Open the inputs of a slot call shortly before they are needed."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mediamill.blobs.port import Blobs, OpensLocally
from mediamill.core.errors import InvalidInput, MediamillError, NotFound, Restoring
from mediamill.engine.inputs import call_item, home_of, opened
from mediamill.engine.members import member_item, opened_member
from mediamill.engine.slots import CallItem
from mediamill.handlers.items.steps import Work
from mediamill.store.repositories.files import File

AHEAD = 16
"""Inputs that are opened together, where that takes no more than a descriptor."""


def _plain(work: Work) -> bool:
    """Tell whether an input is one whole file and nothing beside it."""
    return not (work.entry.path or work.entry.annotations_blob or work.partners)


@dataclass(frozen=True)
class Unopened:
    """An input that could not be opened, and why; or whose partner of an item could not be."""

    work: Work
    error: MediamillError
    partner: int | None = None


class _PartnerMissing(Exception):
    """A partner of an input cannot be opened."""

    def __init__(self, item: int, error: MediamillError) -> None:
        self.item, self.error = item, error


class Opener:
    """Opens files and members of archives; remembers which could not be, and why."""

    def __init__(self, blobs: Blobs, results: Blobs, scratch: Path, most: int) -> None:
        """`most` is the size in bytes of the largest member that is taken."""
        self._blobs, self._results, self._scratch, self._most = blobs, results, scratch, most
        self._direct = [home for home in (blobs, results) if isinstance(home, OpensLocally)]
        self.unopened: list[Unopened] = []

    async def items(self, works: Sequence[Work]) -> AsyncIterator[CallItem]:
        """Yield each input that can be opened; its descriptor is good until the next is asked."""
        for batch in self._batches(works):
            async with AsyncExitStack() as stack:
                together = await self._together(batch, stack)
                for work in batch:
                    item = together.get(work.item)
                    try:
                        if item is None:
                            item = await stack.enter_async_context(self._opening(work))
                    except _PartnerMissing as missing:
                        self.unopened.append(Unopened(work, missing.error, missing.item))
                    except (NotFound, InvalidInput, Restoring) as error:
                        self.unopened.append(Unopened(work, error))
                    else:
                        yield item

    def _home_of(self, file: File) -> Blobs:
        return home_of(file, self._blobs, self._results)

    def _batches(self, works: Sequence[Work]) -> Iterator[Sequence[Work]]:
        """Cut into batches to be opened together: local files of a store; others go alone."""
        start = 0
        for place in range(1, len(works) + 1):
            whole = place == len(works) or place - start == AHEAD
            if whole or not self._alike(works[place - 1], works[place]):
                yield works[start:place]
                start = place

    def _alike(self, one: Work, other: Work) -> bool:
        plain = _plain(one) and _plain(other)
        same = self._home_of(one.file) is self._home_of(other.file)
        return plain and same and self._direct_of(one.file) is not None

    def _direct_of(self, file: File) -> OpensLocally | None:
        """Return a file's store where that has local files."""
        home = self._home_of(file)
        return next((direct for direct in self._direct if direct is home), None)

    async def _together(self, batch: Sequence[Work], stack: AsyncExitStack) -> dict[int, CallItem]:
        """Open a batch of local files at a stroke, for as long as the stack is."""
        home = self._direct_of(batch[0].file)
        if not _plain(batch[0]) or home is None:
            return {}
        descriptors = await home.open_descriptors([work.file.blob for work in batch])
        found = {}
        for work, descriptor in zip(batch, descriptors, strict=True):
            if descriptor is not None:
                stack.callback(os.close, descriptor)
                found[work.item] = call_item(work.item, work.file, descriptor, work.entry)
        return found

    @asynccontextmanager
    async def _opening(self, work: Work) -> AsyncIterator[CallItem]:
        """Open an input for the length of the block, with what is marked on it and its partners."""
        async with AsyncExitStack() as stack:
            item = await stack.enter_async_context(self._plainly(work))
            if work.entry.annotations_blob:
                marks = await self._results.get(work.entry.annotations_blob)
                item = replace(item, annotations=marks)
            partners = [await self._beside(one, stack) for one in work.partners]
            yield replace(item, partners=tuple(partners))

    async def _beside(self, partner: Work, stack: AsyncExitStack) -> CallItem:
        """Open a partner for as long as the stack is; raises `_PartnerMissing`."""
        try:
            return await stack.enter_async_context(self._plainly(partner))
        except (NotFound, InvalidInput, Restoring) as error:
            raise _PartnerMissing(partner.item, error) from error

    @asynccontextmanager
    async def _plainly(self, work: Work) -> AsyncIterator[CallItem]:
        """Open a file, or one member of an archive, for the length of the block."""
        home = self._home_of(work.file)
        if work.entry.path:
            opening = opened_member(home, work.file, work.entry, self._scratch, self._most)
            async with opening as (descriptor, offset):
                yield member_item(work.item, work.entry, descriptor, offset)
        else:
            async with opened(home, work.file.blob, self._scratch) as descriptor:
                yield call_item(work.item, work.file, descriptor, work.entry)
