"""Make the bytes of a blob readable by a child process: as an open, read-only descriptor."""

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from mediamill.blobs.port import Blobs, OpensLocally
from mediamill.core.errors import StorageFull
from mediamill.engine.slots import CallItem
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry


def call_item(
    index: int, file: File, descriptor: int, entry: Entry | None = None, annotations: bytes = b""
) -> CallItem:
    """Describe a file that is open for reading as an item of a slot call, as an input if it is."""
    return CallItem(
        index=index,
        descriptor=descriptor,
        name=entry.name if entry and entry.name else file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        width=file.width,
        height=file.height,
        duration=file.duration,
        split=entry.split if entry else "",
        annotations=annotations or (entry.annotations if entry else b""),
    )


def append(copy: io.RawIOBase, chunk: bytes) -> None:
    """Write all of a chunk; raises `StorageFull`."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[copy.write(view) or 0 :]
    except OSError as error:
        raise StorageFull(f"No room to copy an input: {error.strerror}.") from error


def home_of(file: File, blobs: Blobs, results: Blobs) -> Blobs:
    """Return which of the two stores holds a file's bytes: what came in, or what jobs made."""
    return results if file.source == "result" else blobs


@asynccontextmanager
async def opened(blobs: Blobs, key: str, scratch: Path) -> AsyncIterator[int]:
    """Open a blob for the length of the block, by a private copy where it is not a local file.

    Raises `NotFound`, `Unavailable`.
    """
    if isinstance(blobs, OpensLocally):
        descriptor = await blobs.open_descriptor(key)
    else:
        descriptor = await copied(blobs, key, scratch)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@asynccontextmanager
async def opened_all(
    blobs: Blobs, keys: Sequence[str], scratch: Path
) -> AsyncIterator[Sequence[int]]:
    """Open blobs for the length of the block, at a stroke where they are local files.

    Raises what `opened` does, for any of them.
    """
    found: Sequence[int | None] = [None] * len(keys)
    if isinstance(blobs, OpensLocally):
        found = await blobs.open_descriptors(keys)
    async with AsyncExitStack() as stack:
        for descriptor in found:
            if descriptor is not None:
                stack.callback(os.close, descriptor)
        yield [
            await stack.enter_async_context(opened(blobs, key, scratch)) if one is None else one
            for key, one in zip(keys, found, strict=True)
        ]


def scratch_file(scratch: Path) -> int:
    """Open a new scratch file that has no name any more; return its descriptor."""
    descriptor, path = tempfile.mkstemp(dir=scratch, prefix="input-")
    os.unlink(path)  # noqa: PTH108 - one call, and not a Path's
    return descriptor


def written(scratch: Path, contents: Sequence[bytes]) -> list[int]:
    """Write bytes to scratch files without names; return their descriptors."""
    descriptors: list[int] = []
    try:
        for content in contents:
            descriptors.append(scratch_file(scratch))
            with os.fdopen(os.dup(descriptors[-1]), "wb", buffering=0) as copy:
                append(copy, content)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return descriptors


async def copied(
    blobs: Blobs, key: str, scratch: Path, start: int = 0, stop: int | None = None
) -> int:
    """Copy a blob, or a range of it, to a scratch file without a name; return its descriptor."""
    descriptor = scratch_file(scratch)
    try:
        with os.fdopen(os.dup(descriptor), "wb", buffering=0) as copy:
            async for chunk in blobs.read(key, start, stop):
                await asyncio.to_thread(append, copy, chunk)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
