"""`version`: fix a project as it is now, or as steps make it, under a hash.

Each step is gone on with after a cut; a later one begins when those before it are whole:

1. list    `{version}/entries`, the images line by line, and the charge for all of them; what lies
           turned is made upright meanwhile
2. own     for some at a time their rows, by which retention finds them, then a second key for
           their bytes; the version's `files` counts those that have rows
3. tell    the document of what is there then, its hash, and `ready`, if nothing went meanwhile

What expires, or is deleted, while the version is made is not in it; `left_out` counts it. Who is
given up removes what was written. A version with steps waits for its job, whose results it then
holds; of inputs of which the job made nothing it holds what they were.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import (
    ConditionFailed,
    InvalidInput,
    MediamillError,
    NotFound,
)
from mediamill.datasets.document import (
    FORMAT,
    Entry,
    Groups,
    Hashing,
    Header,
    Image,
    Paths,
    blob_of,
    entry_line,
    line,
)
from mediamill.engine.gathering.ahead import ahead
from mediamill.handlers.datasets.forget import Forgetting
from mediamill.handlers.datasets.listing import Found, Listing, entry_of
from mediamill.handlers.datasets.owning import Given, Owning
from mediamill.handlers.datasets.task import Work
from mediamill.handlers.datasets.texts import entries_of, images_of, lines_of, without_gone
from mediamill.handlers.datasets.turning import Turning
from mediamill.handlers.stages.naming import ManyNames
from mediamill.handlers.stages.seal import Lines
from mediamill.store.port import Equals, Put, Update
from mediamill.store.repositories.datasets import (
    Datasets,
    DatasetVersion,
    VersionFile,
    VersionState,
)
from mediamill.store.repositories.files import File
from mediamill.store.repositories.retention import Aging, Origin
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

ROWS_PER_STEP = 90
LOOK_AGAIN_MS = 250
"""How soon a version looks again whether its job has ended, whose end is rung (`Seal`)."""
MOST_CLASSES = 100


@dataclass
class Freeze:
    """Makes versions."""

    datasets: Datasets
    listing: Listing
    forgetting: Forgetting
    usages: Usages
    blobs: Blobs
    scratch: Path
    owning: Owning
    turning: Turning

    def __post_init__(self) -> None:
        self.aging = Aging(self.datasets.store)

    async def run(self, work: Work) -> dict[str, Any] | None:
        version = await self._version(work)
        if version.job:
            job = await self.listing.job(version)
            if not job.state.terminal:
                await work.show(job.counts.succeeded + job.counts.failed, job.items)
                await work.wait(LOOK_AGAIN_MS)
                return None
        if version.state is not VersionState.READY:  # else cut between that and the task's end
            version = await self._made(work, version)
        return {"version": version.number, "hash": version.hash, "total": version.files}

    async def _made(self, work: Work, version: DatasetVersion) -> DatasetVersion:
        """Go through the steps, those that were done before included."""
        if not await self._listed(version):
            await self._list(work, version)
        await self._own_all(work, await self._version(work))
        version = await self._tell(work)
        log.info("version frozen", action="version_frozen", files=version.files,
                 **version.log_context())  # fmt: skip
        return version

    async def give_up(self, work: Work, error: MediamillError) -> None:
        """Remove what is there of the version, and note in it that it failed, and why."""
        number = work.task.request["version"]
        version = await self.datasets.version(work.project.id, number)
        if version is not None:
            await self.forgetting.version(version)
        fields = {"state": VersionState.FAILED, "error": error.message[:1000], "files": 0,
                  "bytes": 0, "lost": 0, "lost_bytes": 0}  # fmt: skip
        with suppress(MediamillError):
            await work.lease.write(Update(DatasetVersion, (work.project.id, number), set=fields))

    async def _version(self, work: Work) -> DatasetVersion:
        version = await self.datasets.version(work.project.id, work.task.request["version"])
        if version is None or version.deleted is not None:
            raise NotFound("The version was deleted while it was made.")
        return version

    # -- what is in it --------------------------------------------------------------------------

    async def _listed(self, version: DatasetVersion) -> bool:
        try:
            await self.blobs.info(entries_of(version.root))
        except NotFound:
            if version.files:  # it was there when images got rows: it is only not seen yet
                raise
            return False
        return True

    async def _list(self, work: Work, version: DatasetVersion) -> None:
        """Write what it is, and the list of its images, once there is room for them."""
        request = version.request
        book = (await self.listing.annotations.book(version.project)).book
        header = Header(
            FORMAT, book.categories, book.document, request["steps"], request["seed"],
            request["subsets"],
        )  # fmt: skip
        groups, count, size, left = Groups(), 0, 0, Counter[str]()
        with ManyNames(self.scratch) as names:
            paths = Paths(names)
            async with Lines(self.blobs, entries_of(version.root)) as lines:
                await lines.add(line(header), end=b"")
                async for some in self.listing.walk(version, left):
                    unknown = [one.file.id for one in some if not one.root]
                    roots = await self.listing.lookup.roots(unknown)
                    for one, given in await self._given(work, version, some, left):
                        root = one.root or roots[one.file.id]
                        entry = entry_of(one, given, root, paths, groups)
                        await lines.add(entry_line(entry), end=b"")
                        count, size = count + 1, size + given.file.size
                if not count:
                    raise InvalidInput("There are no images to fix in a version.")
                await self._charge(work, version, size, left)
                await lines.commit()

    async def _given(
        self, work: Work, version: DatasetVersion, some: Sequence[Found], left: Counter[str]
    ) -> list[tuple[Found, Given]]:
        """Return what the version's owner may have of images, upright, without those withheld."""
        pairs: list[tuple[Found, Given]] = []
        for one in some:
            given = await self.owning.given(version.owner, one.file, work.attempts, left)
            if given is not None:
                pairs.append((one, given))
        turned = await self.turning.all(version.root, [given for _, given in pairs], work.attempts)
        return [(one, given) for (one, _), given in zip(pairs, turned, strict=True)]

    async def _charge(
        self, work: Work, version: DatasetVersion, size: int, left: Counter[str]
    ) -> None:
        """Charge its owner for all of it, anew where it was listed before; note what is left out.

        Raises `QuotaExceeded`.
        """
        fields = {"charged": size, "bytes": size, "summary": _told_of(left)}
        listed = _changed(version, fields, Equals("charged", version.charged))
        more = size - version.charged
        charge = await self.usages.charge(version.owner, more)
        async with self.usages.refusing(version.owner, charge, before=2):
            await work.lease.write(listed, *charge)  # behind the lease's own guard

    # -- fixing it ------------------------------------------------------------------------------

    async def _own_all(self, work: Work, version: DatasetVersion) -> None:
        """Give its images rows, unless they had them, then a second key; take out what went.

        Whoever purges a file removes its bytes, then what rows find, then its own row: so either
        they find these rows, or the file is seen to go here, or its bytes are there no more. While
        some get their keys, the next ones get their rows.
        """
        async with aclosing(ahead(self._recorded(work, version))) as recorded:
            async for some in recorded:
                lacking = await self.owning.copy(some.pairs, work.attempts)
                after = await self.aging.known(row.root for row, _ in some.pairs)
                for row, _ in some.pairs:
                    if row.place in lacking or _went(row.root, some.before, after):
                        await self.forgetting.take(row)
                await work.show(some.end, max(some.end, work.task.total))
        await self.turning.done(version.root)

    async def _recorded(
        self, work: Work, version: DatasetVersion
    ) -> AsyncGenerator["Recorded", None]:
        """Yield the images some at a time, once they have their rows."""
        waiting: list[tuple[int, Entry]] = []
        end = 0
        async for place, entry in images_of(self.blobs, version.root):
            end = place + 1
            if entry is not None:
                waiting.append((place, entry))
            if end % ROWS_PER_STEP == 0:
                yield await self._record(work, version, end, waiting)
                waiting = []
        yield await self._record(work, version, end, waiting)

    async def _record(
        self, work: Work, version: DatasetVersion, end: int, entries: Sequence[tuple[int, Entry]]
    ) -> "Recorded":
        """Give images rows, unless they had them."""
        rows = [_row(version, place, entry) for place, entry in entries]
        before = await self.aging.known(row.root for row in rows)
        if end > version.files:
            await work.lease.write(_changed(version, {"files": end}), *map(Put, rows))
        keys = [row.key_values() for row in rows]
        there = await self.datasets.store.get_many(VersionFile, keys)
        pairs = [(row, entry) for row, (_, entry) in zip(there, entries, strict=True) if row]
        return Recorded(end, pairs, before)

    # -- telling of it --------------------------------------------------------------------------

    async def _tell(self, work: Work) -> DatasetVersion:
        """Write the document of what is there, and that the version is ready."""
        while True:
            version = await self._version(work)
            if version.lost:
                await without_gone(self.blobs, self.datasets, version.root)
            found, tally = await self._document(version)
            if not tally.files:
                raise InvalidInput("All its images went while the version was made.")
            left = Counter(version.summary.get("left_out", {}))
            left["gone"] += version.lost
            fields = {
                "state": VersionState.READY, "hash": found, "files": tally.files,
                "bytes": tally.bytes, "summary": {**tally.told(), **_told_of(left)},
                "lost": 0, "lost_bytes": 0, "finished": await self.datasets.store.now(),
            }  # fmt: skip
            try:
                await work.lease.write(_changed(version, fields, Equals("lost", version.lost)))
            except ConditionFailed:  # something went at this moment: tell without it
                continue
            return version.evolve(**fields)

    async def _document(self, version: DatasetVersion) -> tuple[str, "Tally"]:
        hashing, tally = Hashing(), Tally()
        async with Lines(self.blobs, f"{version.root}/document") as document:
            header = await anext(lines_of(self.blobs, entries_of(version.root)))
            await document.add(hashing.add(header), end=b"")
            async for _, entry in images_of(self.blobs, version.root):
                if entry is not None:
                    await document.add(hashing.add(line(entry.image)), end=b"")
                    tally.add(entry.image)
            await document.commit()
        return hashing.hash, tally


@dataclass(frozen=True)
class Recorded:
    """Images that have rows, up to the place `end`, and what was known of their files before."""

    end: int
    pairs: Sequence[tuple[VersionFile, Entry]]
    before: dict[str, File | Origin]


@dataclass
class Tally:
    """Counts of a version."""

    files: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.splits, self.subsets = Counter[str](), Counter[str]()
        self.images, self.objects = Counter[str](), Counter[str]()

    def add(self, image: Image) -> None:
        """Count an image."""
        self.files += 1
        self.bytes += image.size
        self.splits[image.split] += 1
        self.subsets[image.subset] += 1
        content = image.content()
        names = [one.category for one in content.annotations]
        self.objects.update(names)
        self.images.update({*names, *content.labels})

    def told(self) -> dict[str, Any]:
        """Return the numbers by split, subset and class; the rarest classes are left out."""
        classes = {
            name: {"images": count, "objects": self.objects[name]}
            for name, count in self.images.most_common(MOST_CLASSES)
        }
        return {"splits": dict(self.splits), "subsets": dict(self.subsets), "classes": classes}


def _changed(version: DatasetVersion, fields: dict[str, Any], *when: Equals) -> Update:
    """Make the change of a version that is still being made."""
    guards = (Equals("state", VersionState.BUILDING), Equals("deleted", None), *when)
    return Update(DatasetVersion, version.key_values(), set=fields, when=guards)


def _told_of(left: Counter[str]) -> dict[str, Any]:
    counts = {why: count for why, count in left.items() if count}
    return {"left_out": counts} if counts else {}


def _went(root: str, before: dict[str, File | Origin], after: dict[str, File | Origin]) -> bool:
    """Tell whether a file has expired, or was purged between two looks."""
    row = after.get(root)
    return root in before if row is None else row.expired is not None


def _row(version: DatasetVersion, place: int, entry: Entry) -> VersionFile:
    return VersionFile(
        version=version.root,
        place=place,
        root=entry.root,
        blob=blob_of(version.root, place, results=entry.results),
        results=entry.results,
        size=entry.image.size,
        sha256=entry.image.sha256,
    )
