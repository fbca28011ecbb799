"""Join stored zips of consecutive parts into the one that the whole would have given.

The last member of each part is its list, in lines; the last member of the whole is all of them.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.engine.inputs import opened
from mediamill.media.archive import layout
from mediamill.media.archive.read import open_member, read_members
from mediamill.operations.work import Source
from mediamill.store.repositories.results import ResultFile

LIST = "list"
"""Stands for the blob of the joined list, which lies in memory."""


@dataclass
class Joiner:
    """Writes the whole by streaming members out of the parts."""

    blobs: Blobs
    scratch: Path

    async def join(self, parts: Sequence[ResultFile], key: str) -> ResultFile:
        """Write parts as one archive under `key`; return the file that it is."""
        members, lines, name = list[layout.Member](), b"", ""
        for part in parts:
            found, listed, name = await self._opened(part)
            members += found
            lines += listed
        members.append(layout.Member(name, len(lines), zlib.crc32(lines), LIST))
        summary = layout.Summary()
        for member in members:
            summary.add(member)
        async with self.blobs.upload(key) as upload:
            async for chunk in layout.stream(
                lambda: _each(members), self._reading(lines), 0, summary.size
            ):
                await upload.write(chunk)
            digest = await upload.commit()
        frames = sum(int(part.info["frames"]) for part in parts)
        return msgspec.structs.replace(
            parts[-1],
            size=digest.size,
            sha256=digest.sha256,
            crc32=digest.crc32,
            blob=key,
            info={**parts[-1].info, "frames": frames},
        )

    async def _opened(self, part: ResultFile) -> tuple[list[layout.Member], bytes, str]:
        """Return a part's members but the last, the last one's content, and its name."""
        async with opened(self.blobs, part.blob, self.scratch) as descriptor:
            source = Source(descriptor, part.name, part.media_type, part.size)
            return await asyncio.to_thread(_read, source, part.blob)

    def _reading(self, lines: bytes) -> layout.Blob:
        def read(blob: str, start: int, stop: int) -> AsyncIterator[bytes]:
            return (
                _slice(lines, start, stop) if blob == LIST else self.blobs.read(blob, start, stop)
            )

        return read


def _read(source: Source, blob: str) -> tuple[list[layout.Member], bytes, str]:
    with source.open() as stream:
        *found, last = read_members(stream)
        lines = open_member(stream, last).read()
    members = [layout.Member(one.name, one.size, one.crc32, blob, one.offset) for one in found]
    return members, lines, last.name


async def _each(members: Sequence[layout.Member]) -> AsyncIterator[layout.Member]:
    for member in members:
        yield member


async def _slice(data: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
    yield data[start:stop]
