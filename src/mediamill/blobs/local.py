"""Objects as files in a folder: `file:///absolute/folder`, the embedded default.

Layout: `<root>/.incoming/<begun ms>-<random>` while being written, then `<root>/<key>` with each
folder marked by a `+` (see `files.py`). No locks and no shared state: any number of processes, also
on several machines over a network file system, may use one root. What one has just committed,
another may not see for as long as its mount believes what it knows (NFS: up to a minute).

Needs: read, write and execute on the root.
"""

import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from mediamill.blobs.files import encode, prune, store_errors, walk
from mediamill.blobs.incoming import Incoming, IncomingFile
from mediamill.blobs.keys import check_key, check_prefix, check_range
from mediamill.blobs.port import CHUNK, BlobInfo, Digest, Upload
from mediamill.blobs.scratch import open_plain, open_scratch
from mediamill.blobs.threads import Threads
from mediamill.core.clock import Clock, SystemClock
from mediamill.core.errors import BrokenMedia, ConfigurationError, NotFound

_PAGE = 500
_WITHOUT_LINKS = frozenset(
    {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV, errno.ENOSYS, errno.EACCES}
)
"""What says that a file system, or one with other owners, makes no link; a copy does as well."""


class LocalBlobs:
    """The bytes port on a file system; also `OpensLocally`."""

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
            await blobs._threads.run(_try_out, blobs._incoming)
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
            return await self._threads.run(_put, self._incoming, key, data, fresh)

    async def adopt(self, key: str, path: Path) -> None:
        """Move a finished file under `key`: a rename, or a copy from another file system.

        A rename takes no room, but whoever makes such files does: below the watermark it raises
        `StorageFull`.
        Raises `BrokenMedia` for anything but a plain file with one name: a scratch folder is
        written by code that handles hostile input, and a link in it must not be followed.
        """
        check_key(key)
        with store_errors(path.name):
            await self._threads.run(self._incoming.require_room, 0)
            await self._threads.run(_adopt, self._incoming, key, path)

    async def copy(self, source: str, target: str) -> None:
        """Link an object to a second key; copied where the file system has no links left."""
        origin = self._path(source)
        check_key(target)
        async with self._asked(source):
            await self._threads.run(_link, self._incoming, origin, target)

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
            return await self._threads.run(_read_whole, path)

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range in chunks of at most `CHUNK` bytes."""
        check_range(start, stop)
        descriptor = await self.open_descriptor(key)
        try:
            size = os.fstat(descriptor).st_size
            end = size if stop is None else min(stop, size)
            while start < end:
                data = await self._read_at(key, descriptor, start, min(CHUNK, end - start))
                yield data
                start += len(data)
        finally:
            os.close(descriptor)

    async def _read_at(self, key: str, descriptor: int, start: int, count: int) -> bytes:
        with store_errors(key):
            data = await self._threads.run(os.pread, descriptor, count, start)
        if not data:
            raise BrokenMedia(f"The object “{key}” ends early, at byte {start}.", key=key)
        return data

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
                await self._threads.run(_open_all, paths, opened)
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


class LocalUpload:
    """An object being written; small writes are gathered into chunks."""

    def __init__(self, threads: Threads, key: str) -> None:
        self._threads, self._key = threads, key
        self._file: IncomingFile | None = None
        self._buffer = bytearray()
        self._flushed = 0
        self._usable = False

    async def begin(self, incoming: Incoming) -> None:
        """Create the file; raises `StorageFull`."""

        def create() -> None:
            self._file = incoming.create()

        with store_errors():
            await self._threads.run(create)
        self._usable = True

    @property
    def size(self) -> int:
        return self._flushed + len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StorageFull`."""
        self._require_usable()
        self._buffer += data
        if len(self._buffer) >= CHUNK:
            await self._flush()

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key."""
        file = self._require_usable()
        await self._flush()
        self._usable = False
        with store_errors():
            return await self._threads.run(file.finish, self._key)

    async def end(self) -> None:
        """Discard what was not committed."""
        self._usable = False
        if self._file is not None:
            file, self._file = self._file, None
            with store_errors():
                await self._threads.run(file.discard)

    async def _flush(self) -> None:
        file, buffer = self._require_usable(), self._buffer
        self._usable = False  # stays so when this fails or is cancelled: the rest would have a hole
        with store_errors():
            await self._threads.run(file.append, buffer)
        self._flushed, self._buffer, self._usable = self.size, bytearray(), True

    def _require_usable(self) -> IncomingFile:
        if not self._usable or self._file is None:
            raise ValueError("this upload has ended")
        return self._file


def _try_out(incoming: Incoming) -> None:
    incoming.make()
    if not os.access(incoming.folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _put(incoming: Incoming, key: str, data: bytes, fresh: bool) -> Digest:
    file = incoming.create()
    try:
        file.append(data)
        return file.finish(key, fresh=fresh)
    finally:
        file.discard()


def _open_all(paths: Sequence[Path], opened: list[int | None]) -> None:
    """Add a descriptor of each path to those that are opened, None for what is not there."""
    for path in paths:
        try:
            opened.append(open_plain(path))
        except (FileNotFoundError, NotFound):
            opened.append(None)


def _read_whole(path: Path) -> bytes:
    with os.fdopen(open_plain(path), "rb") as file:
        return file.read()


def _adopt(incoming: Incoming, key: str, path: Path) -> None:
    descriptor = open_scratch(path)
    try:
        os.utime(descriptor)
        os.fsync(descriptor)
        incoming.place(path, key)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(incoming, key, descriptor)
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _link(incoming: Incoming, origin: Path, key: str) -> None:
    descriptor = open_plain(origin)
    try:
        try:
            incoming.link(origin, key)
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            _copy(incoming, key, descriptor)
    finally:
        os.close(descriptor)


def _copy(incoming: Incoming, key: str, descriptor: int) -> None:
    file = incoming.create()
    try:
        while data := os.read(descriptor, CHUNK):
            file.append(data)
        file.finish(key)
    finally:
        file.discard()


plugin = LocalBlobs
