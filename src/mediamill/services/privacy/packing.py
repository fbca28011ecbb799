"""Everything that is kept about somebody as one archive: what rows say, and all files.

    README.txt             what there is, and what is left out and why
    tables/{table}.jsonl   a line a row, by the table's own names
    files/…                files, the trash too, and what archives were before members went
    results/{job}/…        what jobs made
    versions/{project}/…   images that frozen versions keep, and what is said of them
    other/…                what else has bytes

Files and results are listed where they lie and not copied: what is deleted later breaks a download
off, which says so by its length.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mediamill.blobs.digests import digest_of
from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.handlers.datasets.texts import entries_of
from mediamill.handlers.stages.naming import ManyNames
from mediamill.handlers.stages.seal import Lines
from mediamill.handlers.stages.spool import Spool
from mediamill.media.archive.layout import Member, Summary, parse
from mediamill.media.archive.names import safe_name
from mediamill.services.privacy.finding import Who
from mediamill.services.privacy.inventory import HOLDINGS, NOT_PERSONAL, Holding, holding
from mediamill.store.port import Store
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.datasets import DatasetVersion, VersionFile, place_of
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.users import User
from mediamill.store.repositories.versions import Version

RESULTS = ("results/", "frozen/")
"""What the keys begin with of blobs that lie among the results."""
KNOWN = (File, Version, VersionFile)
"""Kinds whose bytes have places of their own."""
README = """Everything that this service keeps about you, as of now.

tables/   what its database says, a file for each table and a line (JSON) for each row; times are
          milliseconds since 1970 (UTC), bytes are Base64
files/    your files, those in the trash too, as you brought them
results/  what your jobs made, by job, and what is marked on it
versions/ images that frozen versions of your projects keep, by project and number, and in
          entries.jsonl a line about each of them
other/    what else has bytes

Left out, and why:
"""


@dataclass(frozen=True)
class Packing:
    """Writes the list of an archive, and what is in it that lies nowhere yet."""

    store: Store
    blobs: Blobs
    results: Blobs
    scratch: Path

    async def pack(self, owner: str, root: str) -> Summary:
        """Write the layout `{root}-layout` and what it lists of its own; return what it sums to."""
        user = await self.store.get(User, owner)
        who = Who(owner, "" if user is None else user.email)
        summary = Summary()
        async with Spool(self.scratch) as members:
            with ManyNames(self.scratch) as names:
                first = await self._readme(f"{root}-readme")
                names.claim(first.name)
                async for member in self._members(who, root, names.claim):
                    await members.add(msgspec.json.encode(member) + b"\n")
            async with Lines(self.blobs, f"{root}-layout") as layout:
                await layout.add(summary.add(first), end=b"")
                async for line in members.lines():
                    await layout.add(summary.add(parse(line)), end=b"")
                await layout.commit()
        return summary

    def read(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Stream bytes `start … stop` of a blob that a layout names."""
        return self._home(key).read(key, start, stop)

    def _home(self, key: str) -> Blobs:
        return self.results if key.startswith(RESULTS) else self.blobs

    async def _readme(self, key: str) -> Member:
        left = {one.kind.table: one.untold for one in HOLDINGS if one.untold} | {**NOT_PERSONAL}
        told = README + "".join(f"  {table}: {why}\n" for table, why in sorted(left.items()))
        async with Lines(self.blobs, key) as lines:
            await lines.add(told.encode(), end=b"")
            made = await lines.commit()
        return Member("README.txt", made.size, made.crc32, key)

    async def _members(
        self, who: Who, root: str, claim: Callable[[str], str]
    ) -> AsyncIterator[Member]:
        for one in HOLDINGS:
            if not one.untold and (member := await self._table(one, who, root)) is not None:
                yield member
        async for named, size, crc32, blob in self._media(who):
            yield Member(claim(named), size, crc32, blob)
        for others in (self._beside(who), self._others(who)):
            async for named, blob in others:
                with suppress(NotFound):  # it went meanwhile
                    found = await digest_of(self._home(blob), blob)
                    yield Member(claim(named), found.size, found.crc32, blob)

    async def _table(self, one: Holding, who: Who, root: str) -> Member | None:
        """Write the rows of a table; None where there are none."""
        key, found = f"{root}-{one.kind.table}", False
        async with Lines(self.blobs, key) as lines:
            async for row in one.find(self.store, who):
                found = True
                await lines.add(msgspec.json.encode(_told(row, one, who)))
            if not found:
                return None
            made = await lines.commit()
        return Member(f"tables/{one.kind.table}.jsonl", made.size, made.crc32, key)

    async def _media(self, who: Who) -> AsyncIterator[tuple[str, int, int, str]]:
        """Visit what has bytes and is known by size and CRC-32: name, these, and the blob."""
        async for file in holding(File).find(self.store, who):
            if file.state in (FileState.READY, FileState.TRASHED):
                yield f"files/{safe_name(file.name)}", file.size, file.crc32, file.blob
        async for old in holding(Version).find(self.store, who):
            yield f"files/before/{safe_name(old.file)}", old.size, old.crc32, old.blob
        async for row in holding(Result).find(self.store, who):
            for _, made in row.outputs:
                name = f"results/{row.job}/{safe_name(made.name)}"
                yield name, made.size, made.crc32, made.blob

    async def _beside(self, who: Who) -> AsyncIterator[tuple[str, str]]:
        """Visit what lies beside media: what versions keep, and what is marked on results."""
        async for row in holding(VersionFile).find(self.store, who):
            project, number = place_of(row.version)
            yield f"versions/{project}/{number}/{row.place}", row.blob
        async for version in holding(DatasetVersion).find(self.store, who):
            yield f"{version.root}/entries.jsonl", entries_of(version.root)
        async for result in holding(Result).find(self.store, who):
            for _, made in result.outputs:
                if made.annotations_blob:
                    name = f"results/{result.job}/{safe_name(made.name)}.annotations.json"
                    yield name, made.annotations_blob

    async def _others(self, who: Who) -> AsyncIterator[tuple[str, str]]:
        """Visit what else has bytes: name, and the blob."""
        told = (one for one in HOLDINGS if not (one.untold or one.kind in KNOWN))
        for one in told:
            async for row in one.find(self.store, who):
                blob = getattr(row, "blob", "")
                if blob and isinstance(blob, str):
                    yield f"other/{blob}", blob
                if one.blobs is not None:
                    async for info in self.blobs.list(one.blobs(row)):
                        yield f"other/{info.key}", info.key


def _told(row: Any, one: Holding, who: Who) -> dict[str, Any]:
    """Return what a line says of a row: no secrets, and of others not where they were."""
    shown = row.seen_by(who.id) if isinstance(row, Act) else row
    fields: dict[str, Any] = msgspec.to_builtins(shown)
    if isinstance(content := getattr(row, "content", None), bytes) and content:
        with suppress(msgspec.DecodeError):
            fields["content"] = msgspec.json.decode(content)
    return {name: value for name, value in fields.items() if name not in one.secret}
