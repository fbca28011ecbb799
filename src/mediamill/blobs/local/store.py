"""The bytes port over a folder; the parts that block are in `acts`."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

from mediamill.blobs.keys import check_key, check_prefix, check_range
from mediamill.blobs.local import acts
from mediamill.blobs.local.files import encode, prune, store_errors, walk
from mediamill.blobs.local.incoming import Incoming
from mediamill.blobs.local.reading import Reading
from mediamill.blobs.local.upload import LocalUpload
from mediamill.blobs.port import BlobInfo, Digest, Upload
from mediamill.core.clock import Clock, SystemClock
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.threads import Threads

T = TypeVar("T")

_PAGE = 500
TOGETHER = 4
"""Threads that write objects which are put together: the disk joins what they fsync."""
LEAST = 3
"""Objects for which another of these threads is worth an fsync more of the folder."""


class LocalBlobs:
    """The bytes port on a file system; also `OpensLocally`, `PutsTogether`, `MovesTogether`."""

    def __init__(self, root: Path, min_free_bytes: int = 0, clock: Clock | None = None) -> None:
        self.root = root.absolute()
        self._incoming = Incoming(self.root, min_free_bytes, clock or SystemClock())
        self._threads = Threads("blobs")

    @classmethod
    async def open(cls, url: str, *, setting: str, min_free_bytes: int) -> Self:
        """Open the folder of a `file:///…` URL; raises `ConfigurationError`."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.netloc not in {"", "localhost"} or not path.is_absolute() or parts.query:
            message = f"{setting}: “{url}” is not of the form file:///absolute/folder"
            raise ConfigurationError(message, setting=setting)
        blobs = cls(path, min_free_bytes)
        try:
            await blobs._threads.run(acts.try_out, blobs._incoming)
        except OSError as error:
            await blobs.close()
            message = f"{setting}: the folder “{path}” cannot be used: {error.strerror}"
            raise ConfigurationError(message, setting=setting) from None
        return blobs

    def upload(self, key: str) -> AbstractAsyncContextManager[Upload]:
        """Begin an object in `.incoming`; raises `StorageFull` below the watermark."""
        return self._upload(check_key(key))

    @asynccontextmanager
    async def _upload(self, key: str) -> AsyncIterator[Upload]:
        upload = LocalUpload(self._threads, key)
        try:
            await upload.begin(self._incoming)
            yield upload
        finally:
            await upload.end()

    async def put(self, key: str, data: bytes, *, fresh: bool = False) -> Digest:
        """Write a small object whole."""
        check_key(key)
        with store_errors():
            return await self._threads.run(acts.put, self._incoming, key, data, fresh)

    async def put_all(self, objects: Sequence[tuple[str, bytes]]) -> Sequence[Digest]:
        """Write small objects whole, in a few threads with an fsync of the folder each."""
        for key, _ in objects:
            check_key(key)
        with store_errors():
            written = await asyncio.gather(
                *(self._threads.run(acts.put_all, self._incoming, some) for some in _parts(objects))
            )
        return [digest for some in written for digest in some]

    async def adopt(self, key: str, path: Path) -> None:
        """Move a finished file under `key`: a rename, or a copy from another file system.

        A rename takes no room, but whoever makes such files does: below the watermark it raises
        `StorageFull`.
        Raises `BrokenMedia` for anything but a plain file with one name: a scratch folder is
        written by code that handles hostile input, and a link in it must not be followed.
        """
        check_key(key)
        with store_errors(path.name):
            await self._threads.run(acts.adopt, self._incoming, key, path)

    async def copy(self, source: str, target: str) -> None:
        """Link an object to a second key; copied where the file system has no links left."""
        origin = self._path(source)
        check_key(target)
        async with self._asked(source):
            await self._threads.run(acts.link, self._incoming, origin, target)

    async def adopt_all(self, files: Sequence[tuple[str, Path]]) -> None:
        """Move finished files under keys, in a few threads with an fsync of a folder each."""
        for key, _ in files:
            check_key(key)
        with store_errors():
            await self._in_parts(acts.adopt_all, files)

    async def copy_all(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Link objects to second keys, in a few threads with an fsync of a folder each."""
        found = [(self._path(source), check_key(target)) for source, target in pairs]
        async with self._asked(pairs[0][0] if pairs else ""):
            await self._in_parts(acts.link_all, found)

    async def _in_parts(
        self, act: Callable[[Incoming, Sequence[T]], None], several: Sequence[T]
    ) -> None:
        """Do an act on parts of several in some threads; raises once all are over."""
        work = (self._threads.run(act, self._incoming, some) for some in _parts(several))
        for error in await asyncio.gather(*work, return_exceptions=True):
            if error is not None:
                raise error

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""
        path = self._path(key)
        async with self._asked(key):
            status = await self._threads.run(path.lstat)
        return BlobInfo(key, status.st_size, status.st_mtime_ns // 1_000_000)

    async def get(self, key: str) -> bytes:
        """Read a small object whole."""
        path = self._path(key)
        async with self._asked(key):
            return await self._threads.run(acts.read_whole, path)

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range in chunks of at most `CHUNK` bytes."""
        check_range(start, stop)
        reading = Reading(key, self._path(key), start, stop)
        try:
            while not reading.over:
                async with self._asked(key):
                    data = await self._threads.run(reading.next)
                if data:
                    yield data
        finally:
            reading.close()

    async def delete(self, key: str) -> None:
        """Remove an object; its folder stays until `sweep` finds it empty for an hour."""
        path = self._path(key)
        with suppress(NotFound):
            async with self._asked(key):
                await self._threads.run(path.unlink)

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List objects in key order, reading the folders as it goes."""
        found = walk(self.root, check_prefix(prefix), after)
        full = True
        while full:
            with store_errors(prefix):
                page = await self._threads.run(lambda: [*islice(found, _PAGE)])
            for info in page:
                yield info
            full = len(page) == _PAGE

    async def free_bytes(self) -> int | None:
        """Return the room above the watermark."""
        with store_errors():
            return max(0, await self._threads.run(self._incoming.room))

    async def sweep(self, older_than: int) -> int:
        """Discard what was left in `.incoming`, and folders that have been empty for long."""
        with store_errors():
            count = await self._threads.run(self._incoming.sweep, older_than)
            await self._threads.run(prune, self.root, older_than)
        return count

    async def open_descriptor(self, key: str) -> int:
        """Open an object read-only; the caller closes the descriptor."""
        async with self._asked(key):
            (descriptor,) = await self.open_descriptors([key])
            if descriptor is None:
                raise NotFound(f"There is no object “{key}”.", key=key)
        return descriptor

    async def open_descriptors(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Open objects read-only; the caller closes the descriptors."""
        paths, opened = [self._path(key) for key in keys], list[int | None]()
        try:
            with store_errors():
                await self._threads.run(acts.open_all, paths, opened)
        except BaseException:
            for descriptor in filter(None, opened):
                os.close(descriptor)
            raise
        return opened

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    @asynccontextmanager
    async def _asked(self, key: str) -> AsyncIterator[None]:
        """Translate errors about an object; with the whole folder away, none is just missing."""
        try:
            with store_errors(key):
                yield
        except NotFound as error:
            if await self._threads.run(self._incoming.is_shared):
                raise NotFound(error.message, key=key, late=True) from None
            raise

    def _path(self, key: str) -> Path:
        return self.root / encode(check_key(key))


def _parts(several: Sequence[T]) -> Sequence[Sequence[T]]:
    """Divide objects among threads."""
    size = max(LEAST, -(-len(several) // TOGETHER))
    return [several[start : start + size] for start in range(0, len(several), size)]
