"""Walk the inputs of which a result was made that comes of a whole set, to make it again.

These are the inputs of the stage before it, which measured them: the same, in the same order, with
what was marked on them and those that they were compared with. So whatever looks for what a file
became, such as retention, finds them in a replay as in any other job.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from mediamill.core.errors import NotFound
from mediamill.engine.gathering.members import Listings, place_of
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, parse_result_file

SOURCE = "replay"
"""What a job has as the source of its inputs."""
ROWS = 100
Listed = tuple[int, Entry, File | None]
"""An input's place, what is known of it, and its file."""


async def same(entry: Entry, file: File | None, since: int, listings: Listings) -> Entry:
    """Return an input as it is to be read now.

    A member of an archive may lie elsewhere in it, as others were taken out. Raises `NotFound` for
    an input that is gone, or has other bytes than it had at a time (ms).
    """
    name = entry.name or "An input"
    if file is None:
        raise NotFound(f"{name}, which it was made of, is gone.")
    if file.rewritten is None or file.rewritten <= since:
        return entry
    if not entry.path or entry.place is None:
        raise NotFound(f"{name}, which it was made of, has changed since.")
    member = (await listings.of(file)).get(entry.path)
    if member is None:
        raise NotFound(f"{name}, which it was made of, is gone from {file.name}.")
    if (member.size, member.crc32) != (entry.place.size, entry.place.crc32):
        raise NotFound(f"{name}, which it was made of, has changed in {file.name} since.")
    return msgspec.structs.replace(entry, place=place_of(member))


def fails_anyway(entry: Entry, row: Result | None) -> bool:
    """Tell whether an input fails again as it did, whatever became of its file since."""
    gone = row is not None and row.outcome is ItemOutcome.FAILED and row.code == NotFound.code
    return gone or entry.problem is not None


@dataclass(frozen=True)
class Again:
    """Lists what a result was made of."""

    lookup: FileLookup
    manifests: Manifests
    listings: Listings
    accepted: int | None
    """When the job that makes it again was accepted (ms): it reads files as they were then."""

    async def walk(
        self, owner: str, result: str, start: int, size: int
    ) -> AsyncIterator[list[Listed]]:
        """Yield the inputs from one on, in batches; raises `NotFound` where they are not as then.

        What was gone then is not asked to be there, and what failed otherwise may be in the trash:
        it fails again, for the same reason.
        """
        place, store = parse_result_file(result), self.manifests.store
        job = None if place is None else await store.get(Job, place[0])
        if place is None or job is None or job.owner != owner:
            raise NotFound(f"There is no file {result}.")
        stage = place[1] - 1
        items = job.noted()[stage].items
        for first in range(start - start % PAGE_ENTRIES, items, PAGE_ENTRIES):
            entries = await self.manifests.entries(job.id, stage, first // PAGE_ENTRIES)
            entries = entries[: items - first]
            for begin in range(max(start - first, 0), len(entries), size):
                some = entries[begin : begin + size]
                yield await self._listed(job, stage, first + begin, some)

    async def _listed(
        self, job: Job, stage: int, first: int, entries: Sequence[Entry]
    ) -> list[Listed]:
        ids = [*dict.fromkeys(entry.file for entry in entries if entry.file)]
        files = dict(zip(ids, await self.lookup.get_many(ids), strict=True))
        since = self.accepted or 0
        late = [key for key, file in files.items() if file and (file.rewritten or 0) > since]
        files |= zip(late, await self.lookup.get_many(late, at=self.accepted), strict=True)
        rows = await self._rows(job.id, stage, range(first, first + len(entries)))
        found = list[Listed]()
        for place, (entry, row) in enumerate(zip(entries, rows, strict=True), first):
            file, now = files.get(entry.file), entry
            if not fails_anyway(entry, row):
                failed = row is not None and row.outcome is ItemOutcome.FAILED
                there = file if file is not None and (failed or not file.hidden) else None
                now = await same(entry, there, job.created, self.listings)
            marks = await self.manifests.annotations(entry)
            plain = msgspec.structs.replace(now, annotations=marks, annotations_blob="")
            found.append((place, plain, file))
        return found

    async def _rows(self, job: str, stage: int, items: range) -> list[Result | None]:
        keys, found = [(job, stage, item) for item in items], list[Result | None]()
        for begin in range(0, len(keys), ROWS):
            found += await self.manifests.store.get_many(Result, keys[begin : begin + ROWS])
        return found
