"""`version_export`: lay an export of a version out, once, so that it can be sent with any range.

Blobs of it, under `{version}/exports/{key}`: `-content` with the texts that were written for it,
one behind the other, `-layout` with a line per file, and last the one of that name, which says that
there is an export and how large it is, or why there is none. The key ends in how many images the
version has lost: an export has what has rows, and one during which an image went, or the version
was deleted, is taken back by who laid it out. The collector takes exports after a while.

There is one export for the owner of the version and one for all others, who get originals without
what they say of place, time, device and person.
"""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import msgspec
import structlog
from msgspec.structs import replace

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, MediamillError, NotFound
from mediamill.datasets.document import (
    GONE,
    Entry,
    blob_of,
    entry_line,
    read_entry,
    read_header,
)
from mediamill.datasets.exporting import Export, Stored, Wanted, Written
from mediamill.engine.cutting import Cutting, digest_of
from mediamill.engine.inputs import opened
from mediamill.engine.lease import Lease
from mediamill.handlers.datasets.texts import entries_of, images_of, lines_of
from mediamill.handlers.stages.seal import Lines
from mediamill.media.archive.layout import Member, Pieced, Summary, parse
from mediamill.media.archive.tar import TarSummary
from mediamill.store.port import Check, Equals
from mediamill.store.repositories.datasets import Datasets, DatasetVersion, root_of
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

KIND = "version_export"
BUFFER = 1 << 18
LOOK_AGAIN_MS = 30_000


class Laid(msgspec.Struct, frozen=True):
    """An export that is laid out."""

    size: int
    etag: str
    files: int
    """Images."""
    error: str = ""
    """Why it could not be laid out."""


def blob_at(root: str, wanted: Wanted, lost: int) -> str:
    """Return where it is said that there is an export of what is left of a version."""
    return f"{root}/exports/{wanted.key}-{lost}"


def export_unit(version: DatasetVersion, wanted: Wanted, now: int) -> Unit:
    """Make the one unit that lays out an export."""
    unit = Unit.chore(
        KIND, f"export:{version.root}:{wanted.key}-{version.lost}", 0, version.owner,
        cost=0.5 + version.files / 5_000, now=now, due=now,
        project=version.project, version=version.number, lost=version.lost,
        wanted={"form": wanted.form, "split": wanted.split, "shard": wanted.shard,
                "shard_size": wanted.shard_size, **({"cut": wanted.cut} if wanted.cut else {})},
    )  # fmt: skip
    return unit.evolve(klass="transfer").opened(now)


@dataclass
class ExportVersion:
    """Lays exports out."""

    datasets: Datasets
    blobs: Blobs
    scratch: Path
    cutting: Cutting

    async def run(self, lease: Lease) -> None:
        version = await self._version(lease)
        if version is None:
            await self._undo(lease)
            return
        wanted, key = _asked(lease)
        there = await self._there(version)
        with TemporaryFile(dir=self.scratch) as content, TemporaryFile(dir=self.scratch) as files:
            async with self._entries(version, wanted, there) as descriptor:
                writing = Writing(version, wanted, lease, there)
                count = await asyncio.to_thread(writing.write, descriptor, content, files)
            laid = await self._lay(key, wanted, content, files, count)
        await self._end(lease, version, laid)
        log.info("export laid out", action="export_laid", files=count, **version.log_context())

    async def _version(self, lease: Lease) -> DatasetVersion | None:
        """Return the version, None when it is not any more what was asked for."""
        payload = lease.unit.payload
        version = await self.datasets.version(payload["project"], payload["version"])
        if version is None or version.deleted is not None or version.lost != payload["lost"]:
            return None
        return version

    async def _there(self, version: DatasetVersion) -> bytearray:
        """Return a byte for each place of a version: 1 where there is an image still."""
        there = bytearray()
        async for row in self.datasets.walk(version.root):
            there.extend(bytes(row.place - len(there)))
            there.append(1)
        return there

    @asynccontextmanager
    async def _entries(
        self, version: DatasetVersion, wanted: Wanted, there: bytearray
    ) -> AsyncIterator[int]:
        """Open the list of images, for others than the owner as they get them.

        Raises `Forbidden` where there is one that they cannot get.
        """
        if not wanted.cut:
            async with opened(self.blobs, entries_of(version.root), self.scratch) as descriptor:
                yield descriptor
            return
        with TemporaryFile(dir=self.scratch) as list_:
            list_.write(await anext(lines_of(self.blobs, entries_of(version.root))))
            async for place, entry in images_of(self.blobs, version.root):
                shown = entry is not None and place < len(there) and there[place]
                line = (
                    entry_line(await self._cut(version, place, entry)) if entry and shown else GONE
                )
                await asyncio.to_thread(list_.write, line)
            list_.flush()
            yield list_.fileno()

    async def _cut(self, version: DatasetVersion, place: int, entry: Entry) -> Entry:
        """Describe an image as others get it: without metadata, if it is no result."""
        if entry.results:
            return entry
        image, blob = entry.image, blob_of(version.root, place, results=False)
        cut = await self.cutting.of(self.blobs, blob, image.path, image.size)
        if cut.whole:
            return replace(entry, parts=())
        made = await digest_of(self.blobs, blob, cut.parts)
        return replace(
            entry, crc32=made.crc32, parts=cut.parts,
            image=replace(image, size=made.size, sha256=made.sha256),
        )  # fmt: skip

    async def _end(self, lease: Lease, version: DatasetVersion, laid: Laid) -> None:
        """Say what is there, unless something went meanwhile."""
        await self.blobs.put(_asked(lease)[1], msgspec.json.encode(laid))
        same = (Equals("deleted", None), Equals("lost", version.lost))
        try:
            await lease.vanish(Check(DatasetVersion, version.key_values(), same))
        except ConditionFailed:
            await self._undo(lease)

    async def _undo(self, lease: Lease) -> None:
        _, key = _asked(lease)
        for blob in (key, f"{key}-content", f"{key}-layout"):
            await self.blobs.delete(blob)
        await lease.vanish()

    async def _lay(
        self, key: str, wanted: Wanted, content: IO[bytes], files: IO[bytes], count: int
    ) -> Laid:
        async with self.blobs.upload(f"{key}-content") as upload:
            while chunk := await asyncio.to_thread(content.read, BUFFER):
                await upload.write(chunk)
            await upload.commit()
        summary = TarSummary() if wanted.form == "webdataset" else Summary()
        async with Lines(self.blobs, f"{key}-layout") as layout:
            while lines := await asyncio.to_thread(files.readlines, BUFFER):
                for line in lines:
                    await layout.add(summary.add(parse(line)), end=b"")
            await layout.commit()
        return Laid(summary.size, summary.etag, count)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Say why there is none: who asks is told, and who asks again has it tried again."""
        log.error("export failed", action="export_failed", unit=lease.unit.name, exc_info=error)
        version = await self._version(lease)
        if version is None:
            await self._undo(lease)
            return
        known = error.message if isinstance(error, MediamillError) else ""
        why = known or "the log of the service says why."
        await self._end(lease, version, Laid(0, "", 0, why))


def _asked(lease: Lease) -> tuple[Wanted, str]:
    """Return what a unit lays out, and under which key."""
    payload = lease.unit.payload
    wanted = Wanted(**payload["wanted"])
    root = root_of(payload["project"], payload["version"])
    return wanted, blob_at(root, wanted, payload["lost"])


@dataclass
class Writing:
    """Writes an export's own files and its list, in a thread."""

    version: DatasetVersion
    wanted: Wanted
    lease: Lease
    there: bytearray

    def write(self, descriptor: int, content: IO[bytes], files: IO[bytes]) -> int:
        """Write to two scratch files, which are then at their beginning; return the images."""
        header = read_header(next(_lines(descriptor)))
        export = Export(self.wanted, header, self.version.hash, lambda: self._entries(descriptor))
        count, blob = 0, f"{_asked(self.lease)[1]}-content"
        for file in export.files():
            if isinstance(file, Stored):
                count += 1
                self.lease.progress = count / max(1, self.version.files)
                member = self._stored(file)
            else:
                member = _written(file, content, blob)
            files.write(msgspec.json.encode(member) + b"\n")
        content.seek(0)
        files.seek(0)
        return count

    def _entries(self, descriptor: int) -> Iterator[tuple[int, Entry]]:
        """Visit the images that are there still."""
        for index, line in enumerate(islice(_lines(descriptor), 1, None)):
            if index < len(self.there) and self.there[index] and line != GONE.strip():
                yield index, read_entry(line)

    def _stored(self, file: Stored) -> Member:
        image = file.entry.image
        blob = blob_of(self.version.root, file.index, results=file.entry.results)
        crc32, parts = file.entry.crc32, file.entry.parts
        if self.wanted.cut and parts:
            return Pieced(file.name, image.size, crc32, blob, 0, parts)
        return Member(file.name, image.size, crc32, blob)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Read lines by positions of one's own: several read the same descriptor in turns."""
    place, rest = 0, b""
    while chunk := os.pread(descriptor, BUFFER, place):
        place += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _written(file: Written, content: IO[bytes], blob: str) -> Member:
    """Write a file's bytes; return where they are."""
    offset, size, crc = content.tell(), 0, 0
    for chunk in file.chunks:
        content.write(chunk)
        size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return Member(file.name, size, crc, blob, offset)


async def members_of(blobs: Blobs, key: str) -> AsyncIterator[Member]:
    """Read a layout; raises `NotFound`."""
    rest = b""
    async for chunk in blobs.read(f"{key}-layout"):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield parse(line)


async def laid_at(blobs: Blobs, key: str) -> Laid | None:
    """Return what is said of an export; None while there is none."""
    try:
        return msgspec.json.decode(await blobs.get(key), type=Laid)
    except NotFound:
        return None
