"""Walk a project, an archive, a manifest or what a job had as inputs of a job, from any place on.

What a manifest names and its owner cannot use becomes an input without a file that says why, so
it fails by itself when it is run; nothing is dropped, and nothing of others is ever opened.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import InvalidInput, MediamillError, NotFound, UnsupportedMedia
from mediamill.engine.gathering.again import SOURCE as REPLAY
from mediamill.engine.gathering.again import Again
from mediamill.engine.gathering.lines import Asked, Position, asked
from mediamill.engine.gathering.members import Listings, entry_of, selection
from mediamill.engine.gathering.peek import peek
from mediamill.engine.inputs import home_of, opened
from mediamill.media.archive.names import safe_name
from mediamill.media.archive.read import Member, read_members
from mediamill.media.documents.types import ZIPPED
from mediamill.operations.work import Source
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Manifests, Problem
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import Members, ProjectFile, Projects

MAX_INPUTS = 1_000_000
BATCH = 1_000
LOOKED_AT_BATCHES = 30
"""Batches of a source that are looked at when a job is accepted, whatever is in them."""
LOOKED_AT_BYTES = 8 << 20
"""Bytes of a manifest, likewise."""


Marks = Callable[[str, Sequence[str]], Awaitable[Mapping[str, bytes]]]


@dataclass(frozen=True)
class Wish:
    """A source as its owner's job names it."""

    owner: str
    source: str
    """`project`, `archive`, `manifest`, or `replay`: what a result of a set was made of."""
    id: str
    members: tuple[str, ...] = ()
    takes: Callable[[str], bool] = lambda kind: True
    """Whether the first step takes a media type."""
    subset: str | None = None
    """Of a project only what is in this subset, and in this split; None for any."""
    split: str | None = None
    accepted: int | None = None
    """When the job was accepted (ms): what was deleted or added later makes no difference."""


class Found(msgspec.Struct, frozen=True):
    """An input, its file if it has one, and where a walk goes on behind it."""

    entry: Entry
    file: File | None
    position: Any


@dataclass
class Sources:
    """Reads sources in batches."""

    lookup: FileLookup
    projects: Projects
    blobs: Blobs
    results: Blobs
    scratch: Path
    marks: Marks | None = None
    """Reads what is marked on some of a project's files."""
    manifests: Manifests | None = None
    """The inputs that jobs had; None where nothing is made again."""

    async def walk(
        self, wish: Wish, position: Any = None, most: int = BATCH, until: int | None = None
    ) -> AsyncGenerator[list[Found], None]:
        """Yield the inputs behind a position, None being the beginning, in batches.

        A batch has about `most` inputs, so that who wants only a few waits for no more; a manifest
        is read to the byte `until`. Raises
        `NotFound` where the source is no more, `InvalidInput` for what cannot be listed.
        """
        size = max(1, min(most, BATCH))
        if wish.source == "project":
            walk = self._project(wish, position, size)
        elif wish.source == REPLAY:
            walk = self._again(wish, position, size)
        else:
            (file,) = await self.lookup.get_many([wish.id], at=wish.accepted)
            if file is None or file.owner != wish.owner:
                raise NotFound(f"There is no file {wish.id}.")
            walk = (
                self._archive(wish, file, position, size)
                if wish.source == "archive"
                else self._manifest(wish, file, position, size, until)
            )
        async for batch in walk:
            yield batch

    def home_of(self, file: File) -> Blobs:
        """Return the store that holds a file's bytes."""
        return home_of(file, self.blobs, self.results)

    async def members(self, file: File) -> list[Member]:
        """List an archive; raises what `read_members` raises."""
        if file.media_type not in ZIPPED:
            raise UnsupportedMedia(f"{file.name} is no zip archive.")
        async with opened(self.home_of(file), file.blob, self.scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            return await asyncio.to_thread(lambda: read_members(source.open()))

    async def sample(self, wish: Wish, file: File | None, most: int) -> tuple[list[Found], bool]:
        """Return up to `most` inputs, and whether there may be more.

        A bounded part of the source is read, whatever it holds; `file` is the source where it is
        one. What comes of it is for estimates: where members of a large archive lie is not looked
        up. Raises as `walk` does.
        """
        if file is not None and wish.source == "archive":
            seen = await self._peek(wish, file, most)
            if seen is not None:
                return seen
        found, looks = list[Found](), 0
        async for batch in self.walk(wish, most=most, until=LOOKED_AT_BYTES):
            found, looks = found + batch, looks + 1
            if len(found) > most or looks >= LOOKED_AT_BATCHES:
                return found[:most], True
        cut = wish.source == "manifest" and file is not None and file.size > LOOKED_AT_BYTES
        return found, cut

    async def _peek(self, wish: Wish, file: File, most: int) -> tuple[list[Found], bool] | None:
        """Look into the directory of an archive; None for a small one."""
        if file.owner != wish.owner:
            raise NotFound(f"There is no file {file.id}.")
        chosen = selection(wish.members, wish.takes)
        async with opened(self.home_of(file), file.blob, self.scratch) as descriptor:
            source = Source(descriptor, file.name, file.media_type, file.size)
            seen = await asyncio.to_thread(lambda: peek(source.open(), file.id, chosen, most))
        if seen is None:
            return None
        return [Found(entry, file, None) for entry in seen[0]], seen[1]

    # -- projects -------------------------------------------------------------------------------

    async def _project(
        self, wish: Wish, behind: str | None, size: int
    ) -> AsyncIterator[list[Found]]:
        """Walk members by file id; what its owner deleted before the job is passed over.

        Who may see a project may use what is in it, whosever that is.
        """
        meant = Members(wish.subset, wish.split)
        while True:
            page = await self.projects.members(wish.id, limit=min(BATCH, size + 1), behind=behind)
            rows = [row for row in page.rows if meant.takes(row) and _in_time(row.added, wish)]
            files = await self.lookup.get_many([row.file for row in rows], at=wish.accepted)
            marks = await self.marks(wish.id, [row.file for row in rows]) if self.marks else {}
            yield [
                Found(_member(row, file, marks), file, file.id)
                for row, file in zip(rows, files, strict=True)
                if file is not None and there(file, wish)
            ]
            if page.after is None or not page.rows:
                return
            behind = page.rows[-1].file

    # -- what a job had -------------------------------------------------------------------------

    async def _again(self, wish: Wish, start: int | None, size: int) -> AsyncIterator[list[Found]]:
        """Walk what a result was made of."""
        if self.manifests is None:
            raise NotFound(f"There is no file {wish.id}.")
        again = Again(self.lookup, self.manifests, Listings(self.members), wish.accepted)
        async for batch in again.walk(wish.owner, wish.id, start or 0, size):
            yield [Found(entry, file, place + 1) for place, entry, file in batch]

    # -- archives -------------------------------------------------------------------------------

    async def _archive(
        self, wish: Wish, file: File, start: int | None, size: int
    ) -> AsyncIterator[list[Found]]:
        """Walk the members that a job takes, in the order of the directory."""
        members, start = await self.members(file), start or 0
        known = {one.name for one in members} if wish.members else ()
        chosen = selection(wish.members, wish.takes, known)
        while True:
            # names are as many and as long as somebody likes: not where all others wait for it
            some = await asyncio.to_thread(_next, members, chosen, start, size)
            yield [Found(entry_of(file.id, members[n]), file, n + 1) for n in some]
            if len(some) < size:
                return
            start = some[-1] + 1

    # -- manifests ------------------------------------------------------------------------------

    async def _manifest(
        self, wish: Wish, file: File, note: list[Any] | None, size: int, until: int | None
    ) -> AsyncIterator[list[Found]]:
        """Walk the lines of a text."""
        reading = Manifest(self, wish)
        waiting: list[tuple[Asked, Position]] = []
        home, position = self.home_of(file), Position.noted(note)
        async for line in asked(home, file.blob, file.size, position, until):
            waiting.append(line)
            if len(waiting) >= size:
                yield await reading.found(waiting)
                waiting = []
        yield await reading.found(waiting)


def usable(file: File, wish: Wish) -> bool:
    """Tell whether a file is its owner's and was there when the job was accepted."""
    return file.owner == wish.owner and there(file, wish)


def there(file: File, wish: Wish) -> bool:
    """Tell whether a file was there when the job was accepted."""
    later = wish.accepted is not None and (file.trashed or 0) > wish.accepted
    return not file.hidden or later


def _next(
    members: Sequence[Member], chosen: Callable[[str], bool], start: int, most: int
) -> list[int]:
    """Return the places of the next members that are chosen."""
    places = (n for n in range(start, len(members)) if chosen(members[n].name))
    return list(islice(places, most))


def _in_time(added: int, wish: Wish) -> bool:
    return wish.accepted is None or added <= wish.accepted


def _member(row: ProjectFile, file: File, marks: Mapping[str, bytes]) -> Entry:
    """Return a member as an input, with what its project knows of it."""
    return Entry(
        file.id, file.name, split=row.split, group=row.group, annotations=marks.get(file.id, b"")
    )


class Manifest:
    """Finds what the lines of a manifest ask for."""

    def __init__(self, sources: Sources, wish: Wish) -> None:
        self.sources, self.wish = sources, wish
        self._listings = Listings(sources.members)

    async def found(self, lines: Sequence[tuple[Asked, Position]]) -> list[Found]:
        """Return an input for each line.

        Lines of the same archive are looked up one after the other, however they are mixed, so that
        its directory is read once.
        """
        ids = list({line.file or line.archive for line, _ in lines} - {""})
        files = await self.sources.lookup.get_many(ids, at=self.wish.accepted)
        by_id = {file.id: file for file in files if file is not None and usable(file, self.wish)}
        made: dict[int, Found] = {}
        for place in sorted(range(len(lines)), key=lambda place: lines[place][0].archive):
            line, position = lines[place]
            entry, used = await self._one(line, by_id.get(line.file or line.archive))
            made[place] = Found(entry, used, position.note())
        return [made[place] for place in range(len(lines))]

    async def _one(self, line: Asked, file: File | None) -> tuple[Entry, File | None]:
        try:
            return await self._entry(line, file), file
        except MediamillError as error:
            if error.retryable:
                raise
            problem = Problem(error.code, f"Line {line.number}: {error.message}"[:500])
            return Entry("", safe_name(line.shown), problem=problem), None

    async def _entry(self, line: Asked, file: File | None) -> Entry:
        """Return a line's input; raises what is wrong with it."""
        if line.wrong:
            raise InvalidInput(f"{line.wrong}.")
        if file is None:
            raise NotFound(f"There is no file {(line.file or line.archive)[:80]}.")
        if file.obstacle:
            raise InvalidInput(file.obstacle)
        name = safe_name(line.name) if line.name else ""
        if line.file:
            return Entry(file.id, name or file.name)
        member = (await self._listings.of(file)).get(line.path)
        if member is None:
            raise NotFound(f"{file.name} has no member {line.path[:200]}.")
        return entry_of(file.id, member, name)
