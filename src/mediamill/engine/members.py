"""Members of archives as inputs: named by an entry, read by their place, never unpacked around.

A stored member is read where it lies. A deflated one is inflated to a scratch file first, no larger
than its directory promised. Whether the bytes have their CRC-32 and what they are is found out in
the slot, before a step sees them.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mediamill.blobs.port import Blobs, OpensLocally
from mediamill.core.errors import LimitExceeded, NotFound
from mediamill.engine.inputs import append, copied, opened, scratch_file
from mediamill.engine.slots import CallItem
from mediamill.media.archive.read import MAX_MEMBER_BYTES, Member, open_member, read_members
from mediamill.operations.work import RangeReader, Source
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Place
from mediamill.store.repositories.results import ResultFile

CHUNK = 1 << 18


def flattened(file: ResultFile) -> bool:
    """Tell whether a result is an archive of frames rather than a zip somebody wants as such."""
    return file.media_type == "application/zip" and "frames" in file.info


async def list_members(blobs: Blobs, file: ResultFile, scratch: Path) -> list[Member]:
    """List the members of an archive that a fan-out operation made."""
    async with opened(blobs, file.blob, scratch) as descriptor:
        source = Source(descriptor, file.name, file.media_type, file.size)
        return await asyncio.to_thread(lambda: read_members(source.open()))


def member_item(index: int, entry: Entry, descriptor: int, offset: int) -> CallItem:
    """Describe a member that is open for reading; the slot finds out what it is."""
    place = _place(entry)
    return CallItem(
        index, descriptor, entry.name, size=place.size, offset=offset, crc32=place.crc32,
        split=entry.split, annotations=entry.annotations,
    )  # fmt: skip


@asynccontextmanager
async def opened_member(
    blobs: Blobs, file: File, entry: Entry, scratch: Path, most: int = MAX_MEMBER_BYTES
) -> AsyncIterator[tuple[int, int]]:
    """Open a member for the length of the block: a descriptor, and where in it the bytes begin.

    Raises `NotFound`, `Unavailable`, `BrokenMedia`, `UnsupportedMedia`, and `LimitExceeded` for one
    of more than `most` bytes.
    """
    place = _place(entry)
    if place.size > most:
        raise LimitExceeded(f"{entry.name} has {place.size} bytes, more than {most}")
    async with _raw(blobs, file.blob, place, scratch) as (descriptor, offset):
        member = Member(
            entry.name, place.size, place.compressed_size, place.method, place.crc32, offset
        )
        if member.stored:
            yield descriptor, offset
            return
        inflated = await _inflated(descriptor, member, scratch, most)
        try:
            yield inflated, 0
        finally:
            os.close(inflated)


def _place(entry: Entry) -> Place:
    if entry.place is None:
        raise NotFound(f"Where {entry.path} lies in its archive is not known.")
    return entry.place


@asynccontextmanager
async def _raw(
    blobs: Blobs, key: str, place: Place, scratch: Path
) -> AsyncIterator[tuple[int, int]]:
    """Open the bytes of a member as they lie in the archive, alone where they must be copied."""
    if isinstance(blobs, OpensLocally):
        descriptor, offset = await blobs.open_descriptor(key), place.offset
    else:
        stop = place.offset + place.compressed_size
        descriptor, offset = await copied(blobs, key, scratch, place.offset, stop), 0
    try:
        yield descriptor, offset
    finally:
        os.close(descriptor)


async def _inflated(descriptor: int, member: Member, scratch: Path, most: int) -> int:
    """Inflate a member to a scratch file without a name; return its descriptor."""
    target = scratch_file(scratch)
    try:
        with os.fdopen(os.dup(target), "wb", buffering=0) as copy:
            raw = RangeReader(descriptor, 0, member.offset + member.compressed_size)
            with open_member(raw, member, most) as stream:  # type: ignore[arg-type]  # raw is IO
                while chunk := await asyncio.to_thread(stream.read, CHUNK):
                    await asyncio.to_thread(append, copy, chunk)
    except BaseException:
        os.close(target)
        raise
    return target
